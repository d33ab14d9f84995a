"""Mismatches between a value and a JSON Schema, with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.schema_checking import find_mismatches
from tests.example_counts import scale_examples

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 150},
        "friends": {"type": "array", "items": {"$ref": "#/$defs/friend"}, "maxItems": 2},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"friend": {"type": "object", "properties": {"kind": {"enum": ["dog", "cat"]}}}},
}


def describe_mismatches(value: object, schema: Any, **options: Any) -> list[str]:
    return [str(one) for one in find_mismatches(value, schema, **options)]


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"name": "A", "age": None, "friends": [{"kind": "dog"}]}, []),
        ({"name": "A", "age": 3.0}, []),
        ([], ["$: [] is no object"]),
        ({}, ["$: 'name' is missing"]),
        ({"name": ""}, ["$.name: 0 characters where 1 is the least"]),
        ({"name": "A", "age": True}, ["$.age: True is no integer or null"]),
        ({"name": "A", "age": -1}, ["$.age: -1 is less than 0"]),
        ({"name": "A", "age": 150}, ["$.age: 150 is not less than 150"]),
        ({"name": "A", "hat": 1}, ["$: 'hat' is not known"]),
        ({"name": "A", "friends": [{"kind": "cow"}]}, ["$.friends[0].kind: 'cow' is none of 'dog', 'cat'"]),
        ({"name": "A", "friends": [{}, {}, {}]}, ["$.friends: 3 items where 2 is the most"]),
    ],
)
def test_mismatches_are_reported_with_their_path(value: object, wrong: list[str]) -> None:
    assert describe_mismatches(value, PERSON) == wrong


@pytest.mark.parametrize(
    ("schema", "fits", "fails"),
    [
        ({"const": 1}, 1, True),
        ({"pattern": "^a+$"}, "aa", "ab"),
        ({"pattern": "(?<unreadable"}, "anything", None),
        ({"type": "string", "nullable": True}, None, 1),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1, 1.5),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, 3, 2),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, ["a", 1], [1, 1]),
        ({"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False}, {"x1": 1}, {"y": 1}),
        ({"additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": "b"}),
        ({"properties": {"a": False}}, {}, {"a": 1}),
        (True, 1, None),
    ],
)
def test_each_keyword(schema: Any, fits: object, fails: object) -> None:
    assert describe_mismatches(fits, schema) == []
    if fails is not None:
        assert len(describe_mismatches(fails, schema)) == 1
    assert describe_mismatches(1, False) == ["$: nothing may stand here"]


def test_of_several_branches_the_closest_one_is_reported() -> None:
    text = {"type": "object", "properties": {"type": {"const": "text"}, "text": {"type": "string"}}}
    image = {"type": "object", "properties": {"type": {"const": "image"}, "size": {"type": "integer"}}}
    schema = {"oneOf": [text, image, {"type": "string"}]}
    assert describe_mismatches({"type": "image", "size": "big"}, schema) == ["$.size: 'big' is no integer"]


def test_a_closed_document_allows_only_the_fields_of_its_parts() -> None:
    base = {"type": "object", "properties": {"id": {"type": "string"}}}
    one = {"type": "object", "properties": {"a": {"type": "object", "properties": {"deep": {}}}}}
    other = {"type": "object", "properties": {"b": {}}, "required": ["b"]}
    schema = {"allOf": [{"$ref": "#/base"}], "anyOf": [one, other], "properties": {"own": {}}, "base": base}
    assert describe_mismatches({"id": "x", "own": 1, "a": {"deep": 1}}, schema, closed=True) == []
    assert describe_mismatches({"id": "x", "new": 1}, schema, closed=True) == ["$: 'new' is not known"]
    assert describe_mismatches({"a": {"new": 1}}, {**schema, "anyOf": [one]}, closed=True) == [
        "$.a: 'new' is not known"
    ]
    assert describe_mismatches({"new": 1}, schema) == []
    assert describe_mismatches({"anything": 1}, {"type": "object"}, closed=True) == []


def test_a_discriminator_selects_the_subtype() -> None:
    tool = {"allOf": [{"$ref": "#/message"}], "properties": {"call": {"type": "string"}}, "required": ["call"]}
    mapping = {"tool": "#/tool", "user": "#/nowhere"}
    base = {
        "type": "object",
        "properties": {"role": {"type": "string"}},
        "discriminator": {"propertyName": "role", "mapping": mapping},
    }
    schema = {"items": {"$ref": "#/message"}, "message": base, "tool": tool}
    assert (
        describe_mismatches([{"role": "tool", "call": "a"}, {"role": "user"}, {"role": "new"}], schema, closed=True)
        == []
    )
    assert describe_mismatches([{"role": "tool", "hat": 1}], schema, closed=True) == [
        "$[0]: 'call' is missing",
        "$[0]: 'hat' is not known",
    ]


def test_unresolvable_and_circular_references_terminate() -> None:
    assert describe_mismatches(1, {"$ref": "#/nowhere"}) == []
    assert describe_mismatches(1, {"$ref": "#/a", "a": {"$ref": "#/a"}}) == []
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert describe_mismatches({"next": {"next": 1}}, tree) == ["$.next.next: 1 is no object"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


SCHEMAS = st.dictionaries(
    st.sampled_from(
        ["type", "properties", "items", "anyOf", "allOf", "enum", "const", "minimum", "pattern", "required"]
    ),
    JSON,
    max_size=4,
)


@settings(max_examples=scale_examples(80), deadline=None)
@given(JSON, SCHEMAS)
def test_a_schema_of_whatever_shape_raises_nothing(value: Any, schema: Any) -> None:
    assert isinstance(describe_mismatches(value, schema, closed=True), list)
    assert isinstance(describe_mismatches(value, {"properties": schema, "items": schema}), list)


@settings(max_examples=scale_examples(60), deadline=None)
@given(JSON)
def test_a_value_matches_the_schema_built_from_it(value: Any) -> None:
    assert describe_mismatches(value, {"const": value}) == []
    assert describe_mismatches(value, {"enum": [value]}) == []
    assert describe_mismatches({"inside": value}, {"properties": {"inside": {"const": value}}}, closed=True) == []
