"""State of the conversion of one schema: what was reported, which references are used, how much was visited."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from victor_fp.core.dialects.schemas import SchemaRules
from victor_fp.core.json import Json
from victor_fp.core.schemas.references import find_circular
from victor_fp.core.schemas.vocabulary import OF_TYPE

SHOWN_PATHS = 5
"""Number of paths, or names, in a message."""
_STRUCTURE = frozenset({"type", *OF_TYPE["object"], *OF_TYPE["array"]})
"""Keywords to which the rules for objects, arrays and type lists apply."""


class SchemaWalk:
    """State of one conversion."""

    def __init__(self, root: Mapping[str, Json], rules: SchemaRules, *, arguments: bool) -> None:
        self.root, self.rules, self.arguments = root, rules, arguments
        self.is_closed = rules.objects in ("closed", "closed_and_required")
        self.circular = find_circular(root)
        self.changes: dict[str, list[str]] = {}
        self.losses: list[str] = []
        self.used: dict[str, None] = {}
        """References in the result, in order."""
        self.nodes = self.level = self.reported = 0

    def report_change(self, path: str, what: str) -> None:
        """Report a change."""
        self.changes.setdefault(what, []).append(path)
        self.reported += 1

    def report_loss(self, path: str, what: str) -> None:
        """Report a part that cannot be expressed."""
        self.losses.append(f"{path}: {what}")

    def list_changes(self) -> tuple[str, ...]:
        """Return the changes, each with its first paths."""
        listed: list[str] = []
        for what, paths in self.changes.items():
            more = f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
            listed.append(f"{what}: {', '.join(paths[:SHOWN_PATHS])}{more}")
        return tuple(listed)

    def is_accepted(self, keyword: str) -> bool:
        """Return whether the vendor accepts a keyword."""
        rules = self.rules
        return keyword not in rules.refused and (rules.keywords is None or keyword in rules.keywords)

    def choose_definitions_keyword(self, keyword: str) -> str:
        """Return the keyword under which definitions are sent."""
        return keyword if self.is_accepted(keyword) else "$defs"

    def has_rules_for(self, keywords: AbstractSet[str]) -> bool:
        """Return whether rules for objects, arrays or type lists may change a level with these keywords.

        Such changes are not possible alongside a reference: a closed object would exclude the properties of its target.
        """
        rules = self.rules
        is_open = rules.objects == "open" and not rules.items and not rules.declared and rules.type_lists
        return not is_open and bool(keywords & _STRUCTURE)
