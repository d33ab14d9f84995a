"""JSON Schema in the subset that older models take."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor_fp.core.protocols.gemini.json_schema import translate_schema

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "types": ({"type": "integer", "minimum": 1}, {"type": "INTEGER", "minimum": 1}),
    "a null among the types": ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
    "several types": ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
    "null among alternatives": (
        {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        {"type": "STRING", "maxLength": "3", "nullable": True},
    ),
    "one of": (
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
    ),
    "enum": ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
    "a constant text": ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
    "a constant number": ({"const": 3}, {"type": "INTEGER", "minimum": 3, "maximum": 3}),
    "numbers": (
        {"type": "number", "enum": [1, 2.5]},
        {
            "anyOf": [
                {"type": "INTEGER", "minimum": 1, "maximum": 1},
                {"type": "NUMBER", "minimum": 2.5, "maximum": 2.5},
            ]
        },
    ),
    "both truth values": ({"type": "boolean", "enum": [True, False]}, {"type": "BOOLEAN"}),
    "one truth value": ({"type": "boolean", "const": True}, {"type": "BOOLEAN", "description": "one of [true]"}),
    "an array": (
        {"items": {"type": "string"}, "minItems": 2},
        {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "2"},
    ),
    "no further properties": (
        {"properties": {"a": {}}, "required": ["a", "b"], "additionalProperties": False, "$schema": "x"},
        {"type": "OBJECT", "properties": {"a": {}}, "required": ["a"], "propertyOrdering": ["a"]},
    ),
    "rules without a form become words": (
        {"type": "integer", "multipleOf": 5, "description": "Steps"},
        {"type": "INTEGER", "description": "Steps; multipleOf: 5"},
    ),
    "a map": (
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "OBJECT", "description": 'additionalProperties: {"type":"integer"}'},
    ),
    "references": (
        {
            "properties": {"a": {"$ref": "#/$defs/A", "description": "first"}, "b": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"type": "string", "description": "any"}},
        },
        {
            "type": "OBJECT",
            "properties": {
                "a": {"type": "STRING", "description": "first"},
                "b": {"type": "STRING", "description": "any"},
            },
            "propertyOrdering": ["a", "b"],
        },
    ),
    "all of": (
        {
            "allOf": [{"$ref": "#/definitions/A"}, {"$ref": "#/definitions/A"}, {"required": ["b"]}],
            "properties": {"b": {"type": "integer"}},
            "definitions": {"A": {"properties": {"a": {"type": "string"}}, "required": ["a"]}},
        },
        {
            "type": "OBJECT",
            "properties": {"a": {"type": "STRING"}, "b": {"type": "INTEGER"}},
            "propertyOrdering": ["a", "b"],
            "required": ["a", "b"],
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_schema_is_said_in_the_subset(name: str) -> None:
    given_, wanted = CASES[name]
    result = translate_schema(given_)
    assert (json.loads(msgspec.json.encode(result.schema)), result.lost) == (wanted, ())


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#"}}},
        {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}]}}},
        {"$ref": "#/$defs/Gone"},
        {"$ref": "https://elsewhere.example/schema"},
        {"description": 5, "title": {}},
    ],
)
def test_what_has_no_form_is_said_to_be_lost(schema: dict[str, Any]) -> None:
    assert translate_schema(schema).lost


KEYS = st.sampled_from(
    ["type", "properties", "items", "enum", "const", "anyOf", "allOf", "$ref", "required", "title", "x"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["string", "object", "#", "#/items", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, ANYTHING, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_schema_is_translated_or_said_to_be_lost(schema: dict[str, Any]) -> None:
    msgspec.json.encode(translate_schema(schema).schema)
