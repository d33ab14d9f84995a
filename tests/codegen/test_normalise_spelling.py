"""Each spelling becomes the one the later steps know."""

from __future__ import annotations

import pytest

from victor_fp.codegen.normalise.spelling import (
    convert_null_to_type,
    convert_single_values_to_const,
    convert_type_lists_to_unions,
    convert_unions_to_one_of,
    drop_reference_siblings,
    infer_missing_types,
    keep_types_only,
)
from victor_fp.codegen.schema import SchemaNode

A: SchemaNode = {"$ref": "#/components/schemas/A"}
NULL: SchemaNode = {"type": "null"}


def test_constraints_formats_defaults_and_examples_are_dropped_at_every_depth() -> None:
    field: SchemaNode = {"type": "integer", "format": "int64", "minimum": 0, "default": 1, "description": "how many"}
    schema: SchemaNode = {"type": "object", "title": "X", "example": {}, "properties": {"n": field}, "x-mark": True}
    assert keep_types_only({"X": schema}) == {"X": {"type": "object", "properties": {"n": {"type": "integer"}}}}


def test_base64_becomes_the_generators_word_for_bytes() -> None:
    schema: SchemaNode = {"anyOf": [{"type": "string", "format": "byte"}, {"type": "string", "format": "uri"}]}
    assert keep_types_only({"X": schema}) == {
        "X": {"anyOf": [{"type": "string", "format": "binary"}, {"type": "string"}]}
    }


def test_a_component_keeps_its_description() -> None:
    assert keep_types_only({"X": {"description": "What it is.", "maxLength": 3}}) == {
        "X": {"description": "What it is."}
    }


def test_fields_named_like_keywords_survive() -> None:
    names = ("format", "default", "title", "example", "x-thing", "nullable")
    schema: SchemaNode = {"properties": {name: {"type": "string"} for name in names}}
    assert keep_types_only({"X": schema}) == {"X": schema}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({**A, "description": "which"}, A),
        ({**A, "nullable": True}, {"oneOf": [A, NULL]}),
        ({**A, "properties": {"b": {}}}, {"allOf": [A, {"properties": {"b": {}}}]}),
    ],
)
def test_a_reference_stands_alone(schema: SchemaNode, expected: SchemaNode) -> None:
    assert drop_reference_siblings({"X": schema}) == {"X": expected}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "nullable": True}, {"oneOf": [{"type": "string"}, NULL]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"enum": ["a", "b", None]}, {"oneOf": [{"enum": ["a", "b"]}, NULL]}),
    ],
)
def test_the_old_ways_to_say_null_become_a_union_with_null(schema: SchemaNode, expected: SchemaNode) -> None:
    assert convert_null_to_type({"X": schema}) == {"X": expected}


def test_a_list_of_types_becomes_a_union_whose_variants_keep_what_fits_them() -> None:
    schema: SchemaNode = {"type": ["object", "array", "null"], "properties": {"a": {}}, "items": {"type": "string"}}
    expected: SchemaNode = {
        "oneOf": [
            {"type": "object", "properties": {"a": {}}},
            {"type": "array", "items": {"type": "string"}},
            NULL,
        ]
    }
    assert convert_type_lists_to_unions({"X": schema}) == {"X": expected}


def test_any_of_becomes_one_of_and_mapped_names_are_written_in_full() -> None:
    schema: SchemaNode = {"anyOf": [A], "discriminator": {"propertyName": "t", "mapping": {"a": "A"}}}
    mapping = {"a": "#/components/schemas/A"}
    expected: SchemaNode = {"oneOf": [A], "discriminator": {"propertyName": "t", "mapping": mapping}}
    assert convert_unions_to_one_of({"X": schema}) == {"X": expected}


def test_alternatives_that_only_require_fields_are_not_a_union() -> None:
    schema: SchemaNode = {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert convert_unions_to_one_of({"X": schema}) == {"X": {"properties": {"a": {}, "b": {}}}}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": ["a"]}, {"type": "string", "const": "a"}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"const": 1}, {"type": "integer", "const": 1}),
        ({"const": True, "type": "boolean"}, {"type": "boolean"}),
        ({"enum": [None]}, NULL),
        ({"enum": ["a", 1]}, {}),
    ],
)
def test_an_enum_of_one_is_a_const_and_says_its_type(schema: SchemaNode, expected: SchemaNode) -> None:
    assert convert_single_values_to_const({"X": schema}) == {"X": expected}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"a": {}}, "additionalProperties": False}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "object"}, {"type": "object", "additionalProperties": {}}),
        ({"type": "object", "properties": {}}, {"type": "object", "additionalProperties": {}}),
        ({"items": {}}, {"type": "array", "items": {}}),
        ({"type": "object", "oneOf": [A]}, {"oneOf": [A]}),
    ],
)
def test_objects_and_arrays_have_a_type(schema: SchemaNode, expected: SchemaNode) -> None:
    assert infer_missing_types({"X": schema}) == {"X": expected}
