"""Keywords of JSON Schema 2020-12, by type of their value and by the values they restrict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from victor_fp.core.json import Json

Schema: TypeAlias = dict[str, Json]
ANY_OBJECT: Mapping[str, Json] = {"type": "object"}
"""The schema of all objects."""

SCHEMA_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value maps names to schemas."""
SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
"""Keywords whose value is a list of schemas."""
SINGLE_SCHEMAS = frozenset(
    {
        *("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"),
        *("unevaluatedProperties", "unevaluatedItems", "contentSchema"),
    }
)
"""Keywords whose value is a schema or a boolean."""
DEFINITIONS = ("$defs", "definitions")
"""Keywords whose schemas apply only if referenced."""

SILENT = frozenset(
    {
        *("$schema", "$id", "$anchor", "$dynamicAnchor", "$comment", "$vocabulary", "title", "deprecated"),
        *("readOnly", "writeOnly", "discriminator", "xml", "externalDocs", "propertyOrdering"),
    }
)
"""Keywords without restrictions or information about values. OpenAPI's `discriminator` names the property that distinguishes
the branches of a union, which is redundant with the constants in the branches."""
INFORMATIVE = frozenset({"default", "example", "examples", "contentEncoding", "contentMediaType"})
"""Keywords without restrictions that describe values."""

OF_TYPE: Mapping[str, frozenset[str]] = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "array": frozenset(
        {
            *("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains"),
            *("maxContains", "unevaluatedItems"),
        }
    ),
    "object": frozenset(
        {
            *("properties", "required", "additionalProperties", "patternProperties", "propertyNames"),
            *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
        }
    ),
    "boolean": frozenset(),
    "null": frozenset(),
}
"""Keywords that apply only to values of a type, by type."""
TYPE_KEYWORDS = frozenset().union(*OF_TYPE.values())
RESTRICTIONS = frozenset(
    {
        *("type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref", "$dynamicRef"),
        *TYPE_KEYWORDS,
    }
)
"""Keywords that restrict values; all others are annotations, or unknown and without effect."""


def name_type(value: Json) -> str:
    """Return the JSON type of a value, `integer` for integral numbers.

    >>> name_type(1), name_type(1.5), name_type(True), name_type(None)
    ('integer', 'number', 'boolean', 'null')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def list_types(schema: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the types of a schema; empty if it has none.

    >>> list_types({"type": ["string", "null"]}), list_types({})
    (('string', 'null'), ())
    """
    named = schema.get("type")
    if isinstance(named, str):
        return (named,)
    return tuple(one for one in named if isinstance(one, str)) if isinstance(named, list) else ()


def is_of_type(value: Json, types: tuple[str, ...]) -> bool:
    """Return whether a value is of one of the types."""
    kind = name_type(value)
    return kind in types or (kind == "integer" and "number" in types)
