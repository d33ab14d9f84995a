"""JSON Schema in Google's form for older models: types in upper case, counts as strings, ordered properties.

Schemas are already converted to the accepted subset; see `OLDER_GEMINI_SCHEMAS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.gemini.request import Schema

from victor_fp.core.json import Json, JsonObject

_Type: TypeAlias = Literal["string", "number", "integer", "boolean", "array", "object", "null"]
_GoogleType: TypeAlias = Literal["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"]
_TYPES: Mapping[_Type, _GoogleType] = {
    "string": "STRING",
    "number": "NUMBER",
    "integer": "INTEGER",
    "boolean": "BOOLEAN",
    "array": "ARRAY",
    "object": "OBJECT",
    "null": "NULL",
}


class _Subset(msgspec.Struct, frozen=True, rename="camel"):
    """The keywords of the subset in JSON Schema's form."""

    type: _Type | UnsetType = UNSET
    format: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    nullable: bool | UnsetType = UNSET
    enum: list[str] | UnsetType = UNSET
    items: _Subset | UnsetType = UNSET
    min_items: int | UnsetType = UNSET
    max_items: int | UnsetType = UNSET
    properties: dict[str, _Subset] | UnsetType = UNSET
    required: list[str] | UnsetType = UNSET
    property_ordering: list[str] | UnsetType = UNSET
    min_properties: int | UnsetType = UNSET
    max_properties: int | UnsetType = UNSET
    minimum: float | UnsetType = UNSET
    maximum: float | UnsetType = UNSET
    min_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    any_of: list[_Subset] | UnsetType = UNSET
    default: Json | UnsetType = UNSET
    example: Json | UnsetType = UNSET


def to_wire_schema(schema: JsonObject) -> Schema | None:
    """Convert a schema to the wire type; None if the value of a keyword has the wrong type.

    >>> msgspec.json.encode(to_wire_schema({"type": "array", "items": {"type": "string"}, "minItems": 1}))
    b'{"type":"ARRAY","items":{"type":"STRING"},"minItems":"1"}'
    """
    try:
        return _build_schema(msgspec.convert(schema, _Subset))
    except msgspec.ValidationError:
        return None


def _build_schema(given: _Subset) -> Schema:
    ordering = given.property_ordering
    if ordering is UNSET and given.properties:
        ordering = list(given.properties)
    return Schema(
        type=_name_type(given),
        format=given.format,
        title=given.title,
        description=given.description,
        nullable=given.nullable,
        enum=given.enum,
        items=UNSET if given.items is UNSET else _build_schema(given.items),
        min_items=_to_count(given.min_items),
        max_items=_to_count(given.max_items),
        properties=UNSET
        if given.properties is UNSET
        else {name: _build_schema(inner) for name, inner in given.properties.items()},
        required=given.required,
        property_ordering=ordering,
        min_properties=_to_count(given.min_properties),
        max_properties=_to_count(given.max_properties),
        minimum=given.minimum,
        maximum=given.maximum,
        min_length=_to_count(given.min_length),
        max_length=_to_count(given.max_length),
        pattern=given.pattern,
        any_of=UNSET if given.any_of is UNSET else [_build_schema(inner) for inner in given.any_of],
        default=given.default,
        example=given.example,
    )


def _name_type(given: _Subset) -> _GoogleType | UnsetType:
    if given.type is not UNSET:
        return _TYPES[given.type]
    # These keywords apply only to values of that type, which the subset requires to be named.
    if given.any_of is not UNSET or (given.properties is UNSET and given.items is UNSET):
        return UNSET
    return "ARRAY" if given.properties is UNSET else "OBJECT"


def _to_count(number: int | UnsetType) -> str | UnsetType:
    return UNSET if number is UNSET else str(number)
