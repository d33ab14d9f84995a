"""Conversion of type lists, nulls and enumerations to unions, for vendors that require them."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.json import Json
from victor_fp.core.schemas.vocabulary import OF_TYPE, Schema, is_of_type, list_types, name_type

_NULL: Schema = {"type": "null"}


def spread_types(schema: Schema, *, nullable: bool) -> Schema | None:
    """Convert a type list to a union with one type, and its keywords, per branch.

    With `nullable`, null is expressed by OpenAPI's keyword. None if the schema already is a union.

    >>> spread_types({"type": ["array", "string"], "items": {}, "title": "T"}, nullable=False)
    {'title': 'T', 'anyOf': [{'type': 'array', 'items': {}}, {'type': 'string'}]}
    """
    types = list_types(schema)
    others = [kind for kind in types if kind != "null" or not nullable]
    rest: Schema = {keyword: value for keyword, value in schema.items() if keyword != "type"}
    if len(others) < len(types):
        rest["nullable"] = True
    if len(others) == 1:
        return {**rest, "type": others[0]}
    if "anyOf" in schema:
        return None
    branches = [_keep_type(schema, kind) for kind in others]
    moved = {keyword for branch in branches for keyword in branch}
    return {**{keyword: value for keyword, value in rest.items() if keyword not in moved}, "anyOf": [*branches]}


def _keep_type(schema: Schema, kind: str) -> Schema:
    """Return the part of a schema that applies to one of its types."""
    own: Schema = {keyword: value for keyword, value in schema.items() if keyword in OF_TYPE.get(kind, ())}
    values = schema.get("enum")
    if isinstance(values, list):
        own["enum"] = [value for value in values if is_of_type(value, (kind,))]
    return {"type": kind, **own}


def fold_null(schema: Schema) -> Schema:
    """Convert a null branch to OpenAPI's `nullable`; a single remaining branch replaces the union.

    >>> fold_null({"anyOf": [{"type": "string"}, {"type": "null"}]})
    {'nullable': True, 'type': 'string'}
    """
    branches = schema.get("anyOf")
    if not isinstance(branches, list) or _NULL not in branches:
        return schema
    rest = [branch for branch in branches if branch != _NULL]
    lead: Schema = {keyword: value for keyword, value in schema.items() if keyword != "anyOf"}
    only = rest[0] if len(rest) == 1 else None
    if not rest:
        return {**lead, **_NULL}
    if isinstance(only, dict) and not (only.keys() - {"nullable"}) & lead.keys():
        return {**lead, "nullable": True, **only}
    return {**lead, "nullable": True, "anyOf": rest}


def split_values(values: Sequence[Json], allowed: frozenset[str]) -> list[Schema]:
    """Split an enumeration by the allowed types of values; empty if some values cannot be expressed.

    Numbers that are not allowed in an enumeration are expressed as equal bounds.

    >>> split_values(["a", 1], frozenset({"string"}))
    [{'type': 'string', 'enum': ['a']}, {'type': 'integer', 'minimum': 1, 'maximum': 1}]
    """
    numbers: list[Json] = [value for value in values if name_type(value) in ("integer", "number")]
    texts: list[Json] = [value for value in values if isinstance(value, str)]
    flags: list[Json] = [value for value in (False, True) if any(value is other for other in values)]
    if any(isinstance(value, dict | list) for value in values) or (len(flags) == 1 and "boolean" not in allowed):
        return []
    branches: list[Schema] = [{"type": "string", "enum": texts}] if texts else []
    if numbers and "number" in allowed:
        is_whole = all(name_type(value) == "integer" for value in numbers)
        branches.append({"type": "integer" if is_whole else "number", "enum": numbers})
    else:
        branches += [{"type": name_type(value), "minimum": value, "maximum": value} for value in numbers]
    branches += [{"type": "boolean", **({} if len(flags) == 2 else {"enum": flags})}] if flags else []
    return [*branches, dict(_NULL)] if None in values else branches
