"""Several schemas that all hold, as one: `allOf`, what stands beside a reference, and what stands beside a union."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import RESTRICTIONS, SILENT, Schema, is_of_type, list_types

_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})


def merge_schemas(first: Mapping[str, Json], second: Mapping[str, Json], *, lone_unions: bool = False) -> Schema | None:
    """The schema of the values that match both; None where no single schema is known to say so, or with `lone_unions`
    where a union would stand beside other restrictions in it.

    Words such as the description are those of the first that has them.

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
        out.pop("required", None)  # restricts objects, which are no values here
    return None if lone_unions and "anyOf" in out and len(extract_restrictions(out)) > 1 else out


def _is_closed_to(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Whether one schema says something of the properties that only the other one lists."""
    names, more = _list_names(one), _list_names(other)
    restricts = one.get("additionalProperties", True) is not True or "patternProperties" in one
    return restricts and bool(more - names)


def _list_names(schema: Mapping[str, Json]) -> frozenset[str]:
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, Mapping) else frozenset()


def _merge_values(keyword: str, first: Json, second: Json, *, lone_unions: bool) -> Json:
    """The value of a keyword that says both; None where there is none."""
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


def distribute(branches: Sequence[Json], beside: Mapping[str, Json]) -> list[Schema] | None:
    """The branches of a union, each with what stands beside the union; None where one cannot be merged with it.

    >>> distribute([{"type": "string"}, {"anyOf": [{"const": 1}, {"const": 2}]}], {"title": "T"})
    [{'type': 'string', 'title': 'T'}, {'const': 1, 'title': 'T'}, {'const': 2, 'title': 'T'}]
    """
    out: list[Schema] = []
    for branch in branches:
        if not isinstance(branch, Mapping):
            return None
        inner = branch.get("anyOf")
        alone = {name: value for name, value in branch.items() if name != "anyOf"}
        merged = merge_schemas(alone, beside, lone_unions=True)
        if merged is None or _has_unlisted_required(merged):
            return None
        if not isinstance(inner, list):
            out.append(merged)
            continue
        parted = distribute(inner, merged)
        if parted is None:
            return None
        out += parted
    return out


def _has_unlisted_required(schema: Mapping[str, Json]) -> bool:
    """Whether properties are listed, and one that is not among them is required."""
    required = schema.get("required")
    return "properties" in schema and isinstance(required, list) and not set(map(str, required)) <= _list_names(schema)


def extract_restrictions(schema: Mapping[str, Json]) -> Schema:
    """The part of a schema that restricts values."""
    return {keyword: value for keyword, value in schema.items() if keyword in RESTRICTIONS}


def widen_union(root: Mapping[str, Json], branches: Sequence[Mapping[str, Json]]) -> Schema:
    """One object in the place of a union: with the properties of all branches, and as required those of each.

    Where only some branches list a property, it has their schema, which the others do not restrict.

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
    """A schema for values that match either one; where the first is such a union already, with one branch more."""
    if first == second:
        return first
    held = first.get("anyOf") if isinstance(first, dict) and first.keys() == {"anyOf"} else None
    options = held if isinstance(held, list) else [first]
    return {"anyOf": options if second in options else [*options, second]}
