"""Matching of results to rows by id, with detection of duplicate, unknown and missing results.

Rules: `match` processes the id of one result. The first result of an id counts; further ones are `doubled`, and ids that were not
submitted are `unknown`. `list_missing` returns the submitted ids without a result, in the order of submission. If the submitted
ids are not given, no result is unknown or missing.
"""

from __future__ import annotations

from collections.abc import Iterable

from victor_fp.core.batching.types import Problem, make_item_id


class ResultMatching:
    """Ids of the results of one batch received so far; owned by the reader of the results."""

    __slots__ = ("_expected", "_seen", "has_unreadable")

    def __init__(self, keys: Iterable[str] | None) -> None:
        self._expected = None if keys is None else {make_item_id(key): key for key in keys}
        self._seen: set[str] = set()
        self.has_unreadable = False
        """Whether a result had no id that could be read."""

    def match(self, identifier: str) -> tuple[str, Problem | None]:
        """Return the key of a result, and its problem, if any."""
        key = identifier if self._expected is None else self._expected.get(identifier)
        if key is None:
            return identifier, "unknown"
        if identifier in self._seen:
            return key, "doubled"
        self._seen.add(identifier)
        return key, None

    def list_missing(self) -> tuple[str, ...]:
        """Return the submitted keys without a result."""
        return tuple(key for identifier, key in (self._expected or {}).items() if identifier not in self._seen)
