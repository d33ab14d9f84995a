"""Merging of schemas that all apply: `allOf`, and keywords alongside a reference or a union."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import RESTRICTIONS, SILENT, Schema, is_of_type, list_types

_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})


def merge_schemas(first: Mapping[str, Json], second: Mapping[str, Json], *, lone_unions: bool = False) -> Schema | None:
    """Merge two schemas to one that accepts the values that match both.

    None if no such schema is known or, with `lone_unions`, if a union in it would have siblings. Annotations such as the
    description are taken from the first schema that has them.

    >>> merge_schemas({"type": "integer", "minimum": 1}, {"type": "number", "maximum": 9})
    {'type': 'integer', 'minimum': 1, 'maximum': 9}
    >>> merge_schemas({"pattern": "a"}, {"pattern": "b"}) is None
    True
    """
    if _is_closed_to(first, second) or _is_closed_to(second, first):
        return None
    out: Schema = dict(first)
    for keyword, value in second.items():
        if keyword not in out:
            out[keyword] = value
            continue
        before = out[keyword]
        if before == value or keyword not in RESTRICTIONS:
            continue
        merged = _merge_values(keyword, before, value, lone_unions=lone_unions)
        if merged is None:
            return None
        out[keyword] = merged
    types, values = list_types(out), out.get("enum")
    if types and isinstance(values, list):
        out["enum"] = [value for value in values if is_of_type(value, types)] or values
    if types and "object" not in types:
        out.pop("required", None)  # applies to objects only, which are not accepted
    return None if lone_unions and "anyOf" in out and len(extract_restrictions(out)) > 1 else out


def _is_closed_to(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Return whether one schema restricts properties that only the other one lists."""
    names, more = _list_names(one), _list_names(other)
    restricts = one.get("additionalProperties", True) is not True or "patternProperties" in one
    return restricts and bool(more - names)


def _list_names(schema: Mapping[str, Json]) -> frozenset[str]:
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, Mapping) else frozenset()


def _merge_values(keyword: str, first: Json, second: Json, *, lone_unions: bool) -> Json:
    """Merge the values of a keyword; None if that is not possible."""
    match first, second:
        case ((int() | float()), (int() | float())) if keyword in _UPPER:
            return min(first, second)
        case ((int() | float()), (int() | float())) if keyword in _LOWER:
            return max(first, second)
        case list(), list() if keyword == "required":
            return list(dict.fromkeys([*map(str, first), *map(str, second)]))
        case list(), list() if keyword == "enum":
            return [value for value in first if value in second] or None
        case dict(), dict() if keyword == "properties":
            return _merge_properties(first, second, lone_unions=lone_unions)
        case dict(), dict() if keyword == "items":
            return merge_schemas(first, second, lone_unions=lone_unions)
        case _ if keyword == "type":
            return _intersect_types(list_types({"type": first}), list_types({"type": second}))
        case _:
            return None


def _merge_properties(first: Mapping[str, Json], second: Mapping[str, Json], *, lone_unions: bool) -> Json:
    out: Schema = dict(first)
    for name, inner in second.items():
        before = out.get(name, True)
        if before is True:
            out[name] = inner
        elif inner is not True and before != inner:
            if not isinstance(before, dict) or not isinstance(inner, dict):
                return None
            merged = merge_schemas(before, inner, lone_unions=lone_unions)
            if merged is None:
                return None
            out[name] = merged
    return out


def _intersect_types(first: Sequence[str], second: Sequence[str]) -> Json:
    shared: list[Json] = [one for one in first if one in second or (one == "integer" and "number" in second)]
    shared += [one for one in second if one == "integer" and "number" in first and one not in shared]
    return shared[0] if len(shared) == 1 else shared or None


def distribute(branches: Sequence[Json], siblings: Mapping[str, Json]) -> list[Schema] | None:
    """Merge the siblings of a union into each of its branches; None if that is not possible for one.

    >>> distribute([{"type": "string"}, {"anyOf": [{"const": 1}, {"const": 2}]}], {"title": "T"})
    [{'type': 'string', 'title': 'T'}, {'const': 1, 'title': 'T'}, {'const': 2, 'title': 'T'}]
    """
    out: list[Schema] = []
    for branch in branches:
        if not isinstance(branch, Mapping):
            return None
        inner = branch.get("anyOf")
        alone = {name: value for name, value in branch.items() if name != "anyOf"}
        merged = merge_schemas(alone, siblings, lone_unions=True)
        if merged is None or _has_unlisted_required(merged):
            return None
        if not isinstance(inner, list):
            out.append(merged)
            continue
        distributed = distribute(inner, merged)
        if distributed is None:
            return None
        out += distributed
    return out


def _has_unlisted_required(schema: Mapping[str, Json]) -> bool:
    """Return whether a required property is not among the listed ones."""
    required = schema.get("required")
    return "properties" in schema and isinstance(required, list) and not set(map(str, required)) <= _list_names(schema)


def extract_restrictions(schema: Mapping[str, Json]) -> Schema:
    """Return the keywords of a schema that restrict values."""
    return {keyword: value for keyword, value in schema.items() if keyword in RESTRICTIONS}


def widen_union(root: Mapping[str, Json], branches: Sequence[Mapping[str, Json]]) -> Schema:
    """Replace a union by one object with the properties of all branches; those required by every branch are required.

    A property that only some branches list has their schema.

    >>> widen_union({"type": "object"}, [{"required": ["a", "b"]}, {"required": ["b"]}])["required"]
    ['b']
    """
    given, listed = root.get("properties"), root.get("required")
    properties: Schema = dict(given) if isinstance(given, Mapping) else {}
    shared: list[str] | None = None
    for branch in branches:
        inner, required = branch.get("properties"), branch.get("required")
        for name, schema in (inner if isinstance(inner, Mapping) else {}).items():
            properties[name] = _build_either(properties.get(name, schema), schema)
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        shared = names if shared is None else [name for name in shared if name in names]
    needed = list(dict.fromkeys([*(listed if isinstance(listed, list) else ()), *(shared or ())]))
    rest = {name: value for name, value in root.items() if name not in ("anyOf", "oneOf", *SILENT - {"title"})}
    return {**rest, "properties": properties, **({"required": needed} if needed else {})}


def _build_either(first: Json, second: Json) -> Json:
    """Return a union of two schemas; if the first is a union, extend it."""
    if first == second:
        return first
    existing = first.get("anyOf") if isinstance(first, dict) and first.keys() == {"anyOf"} else None
    options = existing if isinstance(existing, list) else [first]
    return {"anyOf": options if second in options else [*options, second]}
