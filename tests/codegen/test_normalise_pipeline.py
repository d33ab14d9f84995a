"""Every schema, sound or absurd, comes out of the steps as something a struct can be compiled from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.codegen.normalise import Side, normalise
from victor_fp.codegen.normalise.tagging import collect_tags
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    collect_kinds,
    find_reachable,
    list_children,
    list_required,
    list_variants,
    make_reference,
    read_properties,
)

NAMES = ("Root", "Part", "tool-call", "x.y")
FIELDS = ("type", "role", "text", "items", "properties")


def build_leaf(**keywords: object) -> SchemaNode:
    return keywords


LEAVES: list[SchemaNode] = [
    *(build_leaf(type=kind) for kind in ("string", "integer", "number", "boolean", "null", "object", "array")),
    *(make_reference(name) for name in (*NAMES, "Missing")),
    *(build_leaf(const=value) for value in ("a", "b", 1, True, None)),
    *(build_leaf(enum=values) for values in (["a", "b"], ["a", None])),
    build_leaf(type=["string", "null"]),
    build_leaf(),
]
leaves = st.sampled_from(LEAVES)


def compose_schemas(inner: st.SearchStrategy[SchemaNode]) -> st.SearchStrategy[SchemaNode]:
    several = st.lists(inner, min_size=1, max_size=3)
    fields = st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"items": inner}),
        st.fixed_dictionaries({"properties": fields}, optional={"required": st.just(["type"])}),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}),
        *(st.fixed_dictionaries({keyword: several}) for keyword in ("oneOf", "anyOf", "allOf")),
        st.fixed_dictionaries({"properties": fields, "oneOf": several}),
        st.fixed_dictionaries({"oneOf": several, "discriminator": st.just({"propertyName": "type"})}),
    )


schemas_of_any_kind = st.fixed_dictionaries(
    {name: st.recursive(leaves, compose_schemas, max_leaves=8) for name in NAMES}
)


def list_schemas(schema: SchemaNode) -> list[SchemaNode]:
    return [schema, *(deeper for inner in list_children(schema) for deeper in list_schemas(inner))]


@given(schemas_of_any_kind, st.sampled_from(["request", "response"]))
@settings(max_examples=scale_examples(100), deadline=None)
def test_normalised_unions_can_be_distinguished_by_a_decoder(schemas: Schemas, side: Side) -> None:
    before = json.dumps(schemas)
    result = normalise(schemas, ("Root",), side).schemas
    assert json.dumps(schemas) == before, "steps do not change what they are given"
    assert set(find_reachable(result, result)) == set(result), "every reference resolves"
    pinned = collect_tags(result)
    for name, schema in result.items():
        for inner in list_schemas(schema):
            assert not inner.keys() & {"allOf", "anyOf", "nullable", "default", "x-tag"}
            alternatives = list_variants(inner)
            if not alternatives:
                continue
            found = [collect_kinds(result, option) for option in alternatives]
            plain = [kind for group in found for kind in group if kind != "object"]
            assert len(plain) == len(set(plain)), "one variant for each kind of JSON"
            objects = [option for option, group in zip(alternatives, found, strict=True) if "object" in group]
            assert len(objects) < 2 or "discriminator" in inner, "several objects are distinguished by a tag"
        if side == "response":
            assert all((name, field) in pinned for field in list_required(schema) if name[:7] != "Unknown")
        assert all("properties" not in inner for inner in list_schemas(schema)[1:]), f"{name} has no inline object"
        assert all(field in read_properties(schema) for field in list_required(schema))


@given(schemas_of_any_kind)
@settings(max_examples=scale_examples(50), deadline=None)
def test_the_same_schemas_come_out_the_same(schemas: Schemas) -> None:
    first = normalise(schemas, ("Root", "Part"), "response")
    second = normalise(schemas, ("Root", "Part"), "response")
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize(("side", "tag_values"), [("request", ["a", "b"]), ("response", ["a", "b", "__unknown__"])])
def test_only_responses_know_an_unknown_variant(side: Side, tag_values: list[str]) -> None:
    def build_variant(tag: str) -> SchemaNode:
        return {"properties": {"type": {"const": tag}}}

    schemas: Schemas = {"Root": {"oneOf": [build_variant("a"), build_variant("b")]}}
    discriminator = normalise(schemas, ("Root",), side).schemas["Root"]["discriminator"]
    assert isinstance(discriminator, dict)
    assert list(discriminator["mapping"]) == tag_values
