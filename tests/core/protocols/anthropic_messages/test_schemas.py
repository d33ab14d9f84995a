"""Schemas as the vendor's grammar compiler takes them."""

from __future__ import annotations

from victor_fp.core.json import Json
from victor_fp.core.protocols.anthropic_messages.schemas import close_schema


def test_every_object_is_closed_however_deep_it_stands() -> None:
    inner: dict[str, Json] = {"type": "object", "properties": {"x": {"type": "string"}}}
    schema = close_schema(
        {
            "type": "object",
            "properties": {"list": {"type": "array", "items": inner}, "either": {"anyOf": [inner, {"type": "null"}]}},
            "$defs": {"Inner": inner},
        }
    )
    shut: dict[str, Json] = {**inner, "additionalProperties": False}
    assert schema == {
        "type": "object",
        "properties": {"list": {"type": "array", "items": shut}, "either": {"anyOf": [shut, {"type": "null"}]}},
        "$defs": {"Inner": shut},
        "additionalProperties": False,
    }


def test_an_open_object_stays_open_for_the_vendor_to_judge() -> None:
    assert close_schema({"type": "object", "additionalProperties": {"type": "integer"}}) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


def test_bounds_move_into_the_description() -> None:
    assert close_schema({"type": "string", "description": "A code", "minLength": 2, "maxLength": 4}) == {
        "type": "string",
        "description": "A code. minLength: 2, maxLength: 4",
    }


def test_a_property_named_like_a_bound_is_a_property() -> None:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {"minimum": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert close_schema(schema) == schema


def test_bounds_that_the_vendor_takes_stay() -> None:
    schema: dict[str, Json] = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": ["a"]}}
    assert close_schema(schema) == schema
