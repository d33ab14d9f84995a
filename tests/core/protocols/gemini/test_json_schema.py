"""JSON Schema in the subset that older models accept."""

from __future__ import annotations

from typing import Any

import pytest

from victor_fp import replay
from victor_fp.core.protocols.gemini.json_schema import to_wire_schema
from victor_fp.core.types import ToolDefinition

from .requests import HI, OLD, build_body, get_fault

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
    "one truth value": ({"type": "boolean", "const": True}, {"type": "BOOLEAN", "description": "const: true"}),
    "an array": (
        {"items": {"type": "string"}, "minItems": 2},
        {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "2"},
    ),
    "no further properties": (
        {"properties": {"a": {}}, "required": ["a", "b"], "additionalProperties": False, "$schema": "x"},
        {
            "type": "OBJECT",
            "description": 'additionalProperties: false; required: ["b"]',
            "properties": {"a": {}},
            "required": ["a"],
            "propertyOrdering": ["a"],
        },
    ),
    "rules without a form become words": (
        {"type": "integer", "multipleOf": 5, "description": "Steps"},
        {"type": "INTEGER", "description": "Steps. multipleOf: 5"},
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
def test_a_schema_is_sent_in_the_subset(name: str) -> None:
    schema, wanted = CASES[name]
    outer = {"type": "object", "properties": {"value": schema}, **_select_definitions(schema)}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": outer}}
    sent = build_body(model=OLD, response_format=form)["generationConfig"]["responseSchema"]
    assert sent["properties"] == {"value": wanted}


def _select_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in ("$defs", "definitions") if name in schema}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/Gone"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://elsewhere.example/schema"}}},
        {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "integer"}}}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
    ],
)
def test_a_schema_that_cannot_be_converted_is_rejected_by_name(schema: dict[str, Any]) -> None:
    assert get_fault(model=OLD, tools=[ToolDefinition(name="f", parameters=schema)]).parameter == "tools"
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert get_fault(model=OLD, response_format=form).parameter == "response_format"


def test_a_value_without_a_protocol_type_is_not_a_schema() -> None:
    assert to_wire_schema({"type": "string", "enum": [1]}) is None


def test_a_tool_without_arguments_has_no_parameters() -> None:
    request = replay.request("google", HI, model=OLD, tools=[ToolDefinition(name="f")]).unwrap()
    declared: Any = request.json()
    assert declared["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert request.adjustments == ()
