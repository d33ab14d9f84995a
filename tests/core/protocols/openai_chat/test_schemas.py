"""Strict schemas: closed and complete, or left alone."""

from __future__ import annotations

from typing import Any

import pytest

from victor_fp.core.protocols.openai_family.formats import make_strict


def test_objects_are_closed_at_every_depth() -> None:
    point = {"type": "object", "properties": {"x": {"type": "integer", "default": 0}}}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "points": {"type": "array", "items": point},
            "one": {"anyOf": [point, {"type": "null"}]},
            "ref": {"$ref": "#/$defs/P", "description": "beside a reference nothing may stand"},
            "kind": {"const": None},
        },
        "$defs": {"P": point},
    }
    closed = {
        "type": "object",
        "properties": {"x": {"type": "integer"}},
        "additionalProperties": False,
        "required": ["x"],
    }
    assert make_strict(schema) == {
        "type": "object",
        "properties": {
            "points": {"type": "array", "items": closed},
            "one": {"anyOf": [closed, {"type": "null"}]},
            "ref": {"$ref": "#/$defs/P"},
            "kind": {"const": None},
        },
        "$defs": {"P": closed},
        "additionalProperties": False,
        "required": ["points", "one", "ref", "kind"],
    }


def test_a_root_that_is_a_reference_keeps_its_definitions() -> None:
    schema: dict[str, Any] = {"$ref": "#/$defs/P", "$defs": {"P": {"type": "object", "properties": {}}}}
    strict = make_strict(schema)
    assert strict is not None
    assert strict["$defs"] == {"P": {"type": "object", "properties": {}, "additionalProperties": False, "required": []}}


@pytest.mark.parametrize(
    "free",
    [
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"$ref": "#/$defs/P", "$defs": {"P": {"type": "object"}}},
    ],
)
def test_what_cannot_be_closed_is_left_alone(free: dict[str, Any]) -> None:
    assert make_strict(free) is None
