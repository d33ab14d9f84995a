"""Expansion of one level of a schema: references that are not accepted are inlined, and `allOf` is merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from victor_fp.core.json import Json
from victor_fp.core.schemas.merging import extract_restrictions, merge_schemas
from victor_fp.core.schemas.normalise import describe_keyword, normalise
from victor_fp.core.schemas.references import find_target, is_definition
from victor_fp.core.schemas.vocabulary import DEFINITIONS, RESTRICTIONS, Schema
from victor_fp.core.schemas.walk import SchemaWalk


class ExpandedLevel(msgspec.Struct, frozen=True):
    """One level, normalised and expanded."""

    node: Schema
    texts: tuple[str, ...]
    """Texts to append to the description."""


def expand(walk: SchemaWalk, given: Mapping[str, Json], path: str, *, inline: bool = False) -> ExpandedLevel:
    """Normalise and expand one level. `inline`: references and `allOf` are not kept even if they are accepted."""
    expansion = _Expansion(walk, given, path)
    expansion.expand(inline=inline)
    return ExpandedLevel(expansion.node, tuple(expansion.texts))


def resolve(walk: SchemaWalk, branch: Json, path: str) -> Schema:
    """Return one schema of a composition at `path` without references and `allOf`."""
    given: Mapping[str, Json] = {"not": {}} if branch is False else {}
    return expand(walk, branch if isinstance(branch, Mapping) else given, f"{path} (merged)", inline=True).node


class _Expansion:
    """One level during its expansion."""

    def __init__(self, walk: SchemaWalk, given: Mapping[str, Json], path: str) -> None:
        self.walk, self.rules, self.path = walk, walk.rules, path
        self.texts: list[str] = []
        self.node = self._normalise(given)

    def expand(self, *, inline: bool) -> None:
        """Inline references that are not accepted, and merge `allOf` if it is not accepted."""
        seen: set[str] = set()
        while True:
            node = self.node
            parts = node.get("allOf")
            if "$ref" in node:
                reference = str(node["$ref"])
                if not inline and self._can_keep_reference(reference):
                    return
                self._inline_reference(reference, is_first=reference not in seen)
                seen.add(reference)
            elif isinstance(parts, list) and (inline or len(parts) == 1 or not self.walk.is_accepted("allOf")):
                self._merge_all_of(parts)
            else:
                return

    def _can_keep_reference(self, reference: str) -> bool:
        rules, is_circular = self.rules, reference in self.walk.circular
        if find_target(self.walk.root, reference) is None or rules.references == "none":
            return False
        if is_circular and rules.references == "acyclic":
            return False
        if rules.keywords is not None and not is_definition(reference):
            return False
        siblings = extract_restrictions(self.node).keys() - {"$ref"}
        return is_circular or not siblings or not (rules.lone_references or self.walk.has_rules_for(siblings))

    def _inline_reference(self, reference: str, *, is_first: bool) -> None:
        rest = {keyword: value for keyword, value in self.node.items() if keyword != "$ref"}
        target = find_target(self.walk.root, reference)
        self.node = rest
        if not isinstance(target, Mapping):
            self.walk.report_loss(self.path, f"the reference {reference} does not resolve within the schema")
        elif not is_first or (reference in self.walk.circular and self.path != "$"):
            # At the root, one level is inlined, and the references in it are kept.
            self.walk.report_loss(self.path, f"{reference} contains itself")
            self.node = {"type": "object", **rest}
        else:
            self.walk.nodes += 1
            inner = {keyword: value for keyword, value in target.items() if keyword not in DEFINITIONS}
            schema = self._normalise(inner)
            merged = merge_schemas(rest, schema)
            if merged is None:
                self._move_to_description("the schema alongside a reference", extract_restrictions(rest))
                merged = {**rest, **schema}
            self.node = merged

    def _normalise(self, schema: Mapping[str, Json]) -> Schema:
        """Normalise a schema that is merged into this level."""
        normalised = normalise(schema)
        for change in normalised.changes:
            self.walk.report_change(self.path, change)
        self.texts += normalised.texts
        return normalised.schema

    def _move_to_description(self, keyword: str, value: Json) -> None:
        self.walk.report_change(self.path, f"{keyword} is moved to the description")
        self.texts.append(describe_keyword(keyword, value))

    def _merge_all_of(self, parts: Sequence[Json]) -> None:
        rest: Schema = {keyword: value for keyword, value in self.node.items() if keyword != "allOf"}
        self.node = rest
        if len(parts) == 1 and isinstance(parts[0], Mapping) and not extract_restrictions(rest):
            self.node = {**self._normalise(parts[0]), **rest}
            return
        whole: Schema | None = {}
        for part in (*(resolve(self.walk, part, self.path) for part in parts), rest):
            whole = None if whole is None else merge_schemas(whole, part)
        if whole is None:
            self._move_to_description("allOf", list(parts))
        else:
            self.node = {**whole, **{name: value for name, value in rest.items() if name not in RESTRICTIONS}}
