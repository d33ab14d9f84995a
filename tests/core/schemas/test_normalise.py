"""Forms of schemas that are not standard JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from victor_fp.core.schemas.normalise import normalise


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("dict", "object"),
        ("HashMap", "object"),
        ("Dict[str, int]", "object"),
        ("tuple", "array"),
        ("ArrayList", "array"),
        ("int[]", "array"),
        ("float", "number"),
        ("Bigint", "integer"),
        ("long", "integer"),
        ("String", "string"),
        ("char", "string"),
        ("bool", "boolean"),
        ("None", "null"),
        ("any", None),
    ],
)
def test_types_of_programming_languages_become_json_types_visibly(word: str, wanted: str | None) -> None:
    normalised = normalise({"type": word})
    assert normalised.schema.get("type") == wanted
    assert word in normalised.changes[0]


def test_json_types_are_not_changed() -> None:
    for kind in ("object", "array", "string", "number", "integer", "boolean", "null"):
        assert normalise({"type": kind}).changes == ()


def test_an_unknown_type_is_dropped_visibly() -> None:
    normalised = normalise({"type": "Path"})
    assert (normalised.schema, normalised.texts) == ({}, ("type: Path",))
    assert normalised.changes == ("the type 'Path' is not a JSON Schema type and is moved to the description",)


def test_a_union_with_an_unknown_type_excludes_nothing() -> None:
    assert normalise({"type": ["string", "File"]}).schema == {}
    assert normalise({"type": ["string", "any"]}).schema == {}


def test_types_that_become_the_same_are_named_once() -> None:
    assert normalise({"type": ["float", "double"]}).schema == {"type": "number"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}),
        (
            {"items": [{"type": "string"}], "additionalItems": False},
            {"prefixItems": [{"type": "string"}], "items": False},
        ),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"properties": {"a": {"required": True}, "b": {"required": False}}, "required": ["c"]},
            {"properties": {"a": {"required": True}, "b": {"required": False}}, "required": ["c", "a"]},
        ),
        ({"properties": {"a": "string"}}, {"properties": {"a": {"type": "string"}}}),
        ({"properties": {"a": 5}}, {"properties": {"a": {}}}),
        ({"required": ["a", "a", 5]}, {"required": ["a"]}),
    ],
)
def test_older_drafts_and_openapi_mean_the_same(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert normalise(given).schema == wanted


@pytest.mark.parametrize(
    "given",
    [{"properties": ["a"]}, {"required": "a"}, {"enum": "a"}, {"minLength": "2"}, {"minItems": True}, {"$ref": 1}],
)
def test_a_keyword_of_the_wrong_form_is_left_out_visibly(given: dict[str, Any]) -> None:
    normalised = normalise(given)
    assert normalised.schema == {}
    assert normalised.changes == (f"{next(iter(given))} is not valid in JSON Schema and is not sent",)


def test_dependencies_of_draft_7_are_those_of_2020_12() -> None:
    normalised = normalise({"type": "object", "dependencies": {"a": ["b"], "c": {"required": ["d"]}, "e": 3}})
    assert normalised.schema == {
        "type": "object",
        "dependentRequired": {"a": ["b"]},
        "dependentSchemas": {"c": {"required": ["d"]}},
    }
    assert normalised.changes == ()
