"""JSON Schemas of callers in the form that a vendor accepts."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import pytest

from victor_fp.core.dialects.schemas import (
    ANYTHING,
    CLAUDE_SCHEMAS,
    CLAUDE_STRICT,
    FIREWORKS_SCHEMAS,
    GEMINI_SCHEMAS,
    MOONSHOT_SCHEMAS,
    OLDER_GEMINI_SCHEMAS,
    OLLAMA_SCHEMAS,
    OPENAI_SCHEMAS,
    XAI_SCHEMAS,
    SchemaRules,
)
from victor_fp.core.schemas.conversion import MAX_NODES, Conversion, convert_schema

STRICT = OPENAI_SCHEMAS.strict_answers or ANYTHING
GEMINI, OLDER = GEMINI_SCHEMAS.answers or ANYTHING, OLDER_GEMINI_SCHEMAS.answers or ANYTHING
MOONSHOT, XAI, FIREWORKS = (
    schemas.answers or ANYTHING for schemas in (MOONSHOT_SCHEMAS, XAI_SCHEMAS, FIREWORKS_SCHEMAS)
)

CARD: dict[str, Any] = {
    "type": "object",
    "properties": {"by": {"const": "card"}, "n": {"type": "string"}},
    "required": ["by", "n"],
}
CASH: dict[str, Any] = {"type": "object", "properties": {"by": {"const": "cash"}}, "required": ["by"]}
NODE: dict[str, Any] = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
    "required": ["next"],
    "additionalProperties": False,
}
TREE: dict[str, Any] = {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}}


def convert_without_loss(schema: dict[str, Any], rules: SchemaRules, *, arguments: bool = False) -> dict[str, Any]:
    """The schema, of which nothing was lost."""
    conversion = convert_schema(schema, rules, arguments=arguments)
    assert conversion.losses == ()
    return conversion.schema


def convert_inner(schema: dict[str, Any], rules: SchemaRules) -> Any:
    """The schema as that of a required property of a closed object."""
    outer: Any = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}
    properties: Any = convert_without_loss({**outer, "$defs": schema.get("$defs", {})}, rules)["properties"]
    return properties["a"]


def list_changes(schema: dict[str, Any], rules: SchemaRules) -> tuple[str, ...]:
    return convert_schema(schema, rules).changes


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"oneOf": [{"minimum": 1}, {"type": "string"}]}}, "required": ["b"]},
        {"type": "array", "prefixItems": [True, {"not": {"const": 1}}], "items": False, "uniqueItems": True},
        {"if": {"type": "string"}, "then": {"pattern": "(?=a)"}, "else": {"multipleOf": 2}},
        {"$ref": "#/$defs/A", "description": "beside", "$defs": {"A": {"patternProperties": {"^a": {"type": "null"}}}}},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#"}}},
    ],
)
def test_a_vendor_that_accepts_everything_gets_the_schema_as_it_is(schema: dict[str, Any]) -> None:
    assert convert_schema(schema, ANYTHING) == Conversion(schema=schema)


def test_definitions_that_nothing_refers_to_are_left_out() -> None:
    assert convert_without_loss({"type": "null", "$defs": {"A": {"$ref": "#/$defs/Gone"}}}, ANYTHING) == {
        "type": "null"
    }


# Unions


def test_a_discriminated_union_is_sent_as_any_of_without_a_change_of_meaning() -> None:
    union: Any = {"oneOf": [CARD, CASH], "discriminator": {"propertyName": "by"}}
    closed: Any = [{**branch, "additionalProperties": False} for branch in (CARD, CASH)]
    assert convert_schema(union, CLAUDE_STRICT) == Conversion(schema={"anyOf": closed})


def test_branches_that_overlap_make_the_change_to_any_of_visible() -> None:
    assert list_changes({"oneOf": [{"type": "integer"}, {"type": "number"}]}, OLDER) == (
        "oneOf is sent as anyOf, which also accepts values that match several branches: $",
    )


def test_a_union_of_types_keeps_the_items_and_properties_of_each_type() -> None:
    union: Any = {
        "type": ["array", "object", "null"],
        "items": {"type": "string"},
        "properties": {"a": {"type": "string"}},
    }
    assert convert_without_loss(union, OLDER) == {
        "nullable": True,
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "properties": {"a": {"type": "string"}}},
        ],
    }


def test_keywords_alongside_a_union_are_moved_into_its_branches_if_required() -> None:
    either: Any = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "description": "one of both",
    }
    branch: Any = {"type": "object", "properties": either["properties"]}
    assert convert_without_loss(either, OLDER) == {
        "description": "one of both",
        "anyOf": [{**branch, "required": ["a"]}, {**branch, "required": ["b"]}],
    }


def test_a_union_at_the_root_of_a_tool_becomes_one_object_that_says_the_rule_in_words() -> None:
    schema: Any = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "oneOf": [{"required": ["a"]}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}],
    }
    conversion = convert_schema(schema, CLAUDE_SCHEMAS.tools, arguments=True)
    assert conversion.losses == ()
    assert conversion.changes == (
        "oneOf is sent as one object with the properties of its branches: $",
        "oneOf is moved to the description: $",
    )
    assert conversion.schema == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "null"}},
        "description": 'oneOf: [{"required":["a"]},{"properties":{"b":{"type":"null"}},"required":["b"]}]',
    }


def test_all_of_is_merged_where_the_vendor_does_not_accept_it() -> None:
    both: Any = {"allOf": [{"type": "integer", "minimum": 2, "maximum": 9}, {"minimum": 3, "enum": [1, 5, "a"]}]}
    assert convert_inner(both, STRICT) == {"type": "integer", "minimum": 3, "maximum": 9, "enum": [1, 5]}


def test_all_of_that_cannot_be_merged_is_described() -> None:
    both: Any = {"type": "string", "allOf": [{"pattern": "a"}, {"pattern": "b"}]}
    assert convert_without_loss(both, OLDER) == {
        "type": "string",
        "description": 'allOf: [{"pattern":"a"},{"pattern":"b"}]',
    }
    assert list_changes(both, OLDER) == ("allOf is moved to the description: $",)


# Objects


@pytest.mark.parametrize(
    "free",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"type": "object", "properties": {}, "patternProperties": {"^x": {"type": "string"}}},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"type": "object", "properties": {"b": True}},
        {},
        {"type": "array"},
    ],
)
@pytest.mark.parametrize("rules", [STRICT, CLAUDE_STRICT], ids=["openai", "anthropic"])
def test_free_form_values_have_no_strict_form(free: dict[str, Any], rules: SchemaRules) -> None:
    outer: Any = {"type": "object", "properties": {"a": free}, "required": ["a"], "additionalProperties": False}
    if rules is CLAUDE_STRICT and free == {"type": "array"}:
        pytest.skip("its items need not be named")
    losses = convert_schema(outer, rules).losses
    assert losses
    assert losses[0].startswith("$.a")


def test_objects_that_list_their_properties_are_closed_at_any_depth() -> None:
    item: Any = {"type": "object", "properties": {"x": {"type": "string"}}}
    schema: Any = {"type": "object", "properties": {"list": {"type": "array", "items": item}}}
    closed: Any = {**item, "additionalProperties": False}
    assert convert_schema(schema, CLAUDE_STRICT) == Conversion(
        schema={
            "type": "object",
            "properties": {"list": {"type": "array", "items": closed}},
            "additionalProperties": False,
        }
    )


def test_strict_mode_requires_every_property_visibly() -> None:
    schema: Any = {
        "type": "object",
        "properties": {"a": {"type": "string", "default": "x"}},
        "additionalProperties": False,
    }
    conversion = convert_schema(schema, STRICT)
    assert conversion.schema == {
        "type": "object",
        "properties": {"a": {"type": "string", "description": 'default: "x"'}},
        "additionalProperties": False,
        "required": ["a"],
    }
    assert conversion.changes == ("a is required, since every property must be: $",)


def test_strict_mode_closes_objects_at_every_depth() -> None:
    point = {"type": "object", "properties": {"x": {"type": "integer"}}}
    closed = {**point, "additionalProperties": False, "required": ["x"]}
    schema: Any = {
        "type": "object",
        "properties": {
            "points": {"type": "array", "items": point},
            "one": {"anyOf": [point, {"type": "null"}]},
            "ref": {"$ref": "#/$defs/P"},
            "kind": {"const": None},
        },
        "$defs": {"P": point},
    }
    assert convert_without_loss(schema, STRICT) == {
        "type": "object",
        "properties": {
            "points": {"type": "array", "items": closed},
            "one": {"anyOf": [closed, {"type": "null"}]},
            "ref": {"$ref": "#/$defs/P"},
            "kind": {"const": None},
        },
        "additionalProperties": False,
        "required": ["points", "one", "ref", "kind"],
        "$defs": {"P": closed},
    }


def test_a_free_form_object_is_explicit_if_objects_are_closed_by_default() -> None:
    assert convert_without_loss({"type": "object"}, XAI) == {"type": "object", "additionalProperties": True}


def test_a_required_property_that_is_not_listed_is_described_or_lost() -> None:
    schema: Any = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]}
    assert convert_without_loss(schema, OLDER)["description"] == 'required: ["b"]'
    assert convert_schema(schema, CLAUDE_STRICT).losses == ("$: b is required and not among the properties",)


def test_names_of_properties_that_are_not_accepted_are_lost_by_name() -> None:
    schema: Any = {"type": "object", "properties": {"größe": {"type": "number"}}}
    losses = convert_schema(schema, CLAUDE_SCHEMAS.tools, arguments=True).losses
    assert losses == ("$: the name of the property 'größe' does not match [a-zA-Z0-9_.-]{1,64}",)


def test_a_property_named_like_a_keyword_is_a_property() -> None:
    schema: Any = {"type": "object", "properties": {"minimum": {"type": "integer"}}, "additionalProperties": False}
    assert convert_schema(schema, CLAUDE_STRICT) == Conversion(schema=schema)


# References


def test_a_recursive_schema_keeps_its_references_where_the_vendor_follows_them() -> None:
    assert convert_without_loss(TREE, STRICT) == {**NODE, "$defs": {"Node": NODE}}
    assert convert_without_loss(TREE, GEMINI)["$defs"] == {"Node": NODE}
    assert list_changes(TREE, GEMINI) == (
        "the vendor unrolls a recursive schema to a limited depth: $, $.$defs.Node.next.anyOf[0]",
    )


@pytest.mark.parametrize("rules", [CLAUDE_STRICT, OLDER, XAI, OLLAMA_SCHEMAS.tools])
def test_a_recursive_schema_is_lost_where_the_vendor_follows_none(rules: SchemaRules) -> None:
    assert "#/$defs/Node contains itself" in convert_schema(TREE, rules).losses[0]


def test_a_description_alongside_a_reference_is_kept_if_siblings_are_not_accepted() -> None:
    schema: Any = {"$ref": "#/$defs/A", "description": "the first", "$defs": {"A": {"type": "string"}}}
    assert convert_inner(schema, STRICT) == {"anyOf": [{"$ref": "#/$defs/A"}], "description": "the first"}


def test_references_are_inlined_if_none_are_accepted() -> None:
    schema: Any = {
        "properties": {"a": {"$ref": "#/$defs/A", "description": "first"}},
        "$defs": {"A": {"type": "string"}},
    }
    assert convert_without_loss(schema, OLDER) == {"properties": {"a": {"type": "string", "description": "first"}}}


def test_definitions_of_older_drafts_move_to_where_the_vendor_looks() -> None:
    schema: Any = {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "string"}}}
    assert convert_without_loss({"type": "object", **schema}, MOONSHOT) == {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "string"}},
    }


@pytest.mark.parametrize("reference", ["#/$defs/Gone", "https://elsewhere.example/schema", "#anchor"])
def test_a_reference_to_nothing_is_lost(reference: str) -> None:
    assert convert_schema({"properties": {"a": {"$ref": reference}}}, OLDER).losses == (
        f"$.a: the reference {reference} does not resolve within the schema",
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}},
        {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}]}}},
    ],
)
def test_references_in_a_circle_end(schema: dict[str, Any]) -> None:
    assert convert_schema(schema, OLDER).losses


def test_a_schema_that_grows_without_bound_is_lost() -> None:
    definitions: dict[str, Any] = {"A0": {"type": "string"}}
    for level in range(1, 20):
        below = {"$ref": f"#/$defs/A{level - 1}"}
        definitions[f"A{level}"] = {"type": "object", "properties": {"a": below, "b": below, "c": below}}
    losses = convert_schema({"$ref": "#/$defs/A19", "$defs": definitions}, OLDER).losses
    assert f"more than {MAX_NODES} schemas with references inlined" in losses[0]


def test_a_schema_that_is_nested_too_deep_is_lost() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(2_000):
        schema = {"type": "array", "items": schema}
    assert convert_schema(schema, ANYTHING).losses
    chain: dict[str, Any] = {f"A{n}": {"type": "array", "items": {"$ref": f"#/$defs/A{n + 1}"}} for n in range(2_000)}
    assert convert_schema({"$ref": "#/$defs/A0", "$defs": {**chain, "A2000": {}}}, OLDER).losses


# Values


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"const": "a"}, {"type": "string", "enum": ["a"]}),
        ({"const": 3}, {"type": "integer", "minimum": 3, "maximum": 3}),
        ({"enum": ["a", None]}, {"type": "string", "enum": ["a"], "nullable": True}),
        ({"type": "boolean", "enum": [True, False]}, {"type": "boolean"}),
        ({"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
    ],
)
def test_enumerations_keep_their_type_and_values(schema: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert convert_schema(schema, OLDER) == Conversion(schema=wanted)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]},
        {"type": "integer", "enum": ["1", "2"]},
    ],
)
@pytest.mark.parametrize("rules", [OLDER, GEMINI, STRICT, CLAUDE_STRICT, ANYTHING])
def test_an_enumeration_of_another_type_than_the_value_is_described(schema: dict[str, Any], rules: SchemaRules) -> None:
    outer: Any = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    conversion = convert_schema(outer, rules)
    sent: Any = conversion.schema["properties"]
    assert sent["a"] == {
        **{name: value for name, value in schema.items() if name != "enum"},
        "description": f'enum: ["{schema["enum"][0]}","{schema["enum"][1]}"]',
    }
    assert "enum is moved to the description: $.a" in conversion.changes


def test_mixed_values_become_branches_where_one_enumeration_has_one_kind() -> None:
    assert convert_without_loss({"type": "object", "properties": {"a": {"enum": ["a", 1, None]}}}, MOONSHOT)[
        "properties"
    ] == {"a": {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "integer", "enum": [1]}, {"type": "null"}]}}


# Words


@pytest.mark.parametrize(
    ("schema", "rules", "reported"),
    [
        ({"type": "integer", "multipleOf": 5, "description": "Steps"}, OLDER, "Steps. multipleOf: 5"),
        ({"type": "string", "description": "A code.", "minLength": 2}, FIREWORKS, "A code. minLength: 2"),
        ({"type": "string", "format": "color"}, CLAUDE_STRICT, 'format: "color"'),
        ({"type": "string", "pattern": "^(?=a)"}, CLAUDE_STRICT, 'pattern: "^(?=a)"'),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, CLAUDE_STRICT, "minItems: 2"),
        ({"type": "string", "format": "date"}, MOONSHOT, 'format: "date"'),
    ],
)
def test_a_restriction_that_is_not_accepted_is_described(
    schema: dict[str, Any], rules: SchemaRules, reported: str
) -> None:
    assert convert_inner(schema, rules)["description"] == reported


def test_restrictions_that_the_vendor_accepts_stay() -> None:
    schema: Any = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": "^[a-z]+$", "format": "email"},
    }
    assert convert_inner(schema, CLAUDE_STRICT) == schema


def test_keywords_without_effect_are_dropped_silently_and_defaults_are_described() -> None:
    schema: Any = {
        "type": "string",
        "title": "A",
        "$comment": "internal",
        "x-order": 1,
        "deprecated": True,
        "default": None,
        "examples": ["a"],
    }
    conversion = convert_schema({"type": "object", "properties": {"a": schema}}, MOONSHOT)
    assert conversion.schema["properties"] == {
        "a": {"type": "string", "default": None, "description": 'examples: ["a"]'}
    }
    assert conversion.changes == ()


def test_a_tuple_becomes_an_array_of_any_of_its_types_where_positions_are_not_accepted() -> None:
    schema: Any = {
        "type": "array",
        "prefixItems": [{"type": "number"}, {"type": "number"}],
        "minItems": 2,
        "maxItems": 2,
    }
    assert convert_inner(schema, STRICT) == {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 2,
        "maxItems": 2,
        "description": 'prefixItems: [{"type":"number"},{"type":"number"}]',
    }


@pytest.mark.parametrize(
    ("rest", "items", "is_narrowed"),
    [
        ({"items": False}, {"type": "number"}, False),
        ({"maxItems": 1}, {"type": "number"}, False),
        ({"items": {"type": "string"}}, {"anyOf": [{"type": "number"}, {"type": "string"}]}, False),
        ({}, {"type": "number"}, True),
        ({"maxItems": 2}, {"type": "number"}, True),
    ],
)
def test_items_after_a_tuple_are_accepted_or_their_restriction_is_named(
    rest: dict[str, Any], items: dict[str, Any], is_narrowed: bool
) -> None:
    prefix = {"prefixItems": [{"type": "number"}]}
    for schema in ({"type": "array", **prefix, **rest}, {"type": "array", **rest, **prefix}):
        conversion = convert_schema({"type": "object", "properties": {"a": schema}}, STRICT)
        properties: Any = conversion.schema["properties"]
        assert properties["a"]["items"] == items
        assert any("one of their schemas" in change for change in conversion.changes) is is_narrowed


def test_an_array_has_an_items_schema_if_the_vendor_requires_it() -> None:
    tool: Any = {"type": "object", "properties": {"a": {"type": "array"}}}
    assert convert_without_loss(tool, OPENAI_SCHEMAS.tools, arguments=True)["properties"] == {
        "a": {"type": "array", "items": {}}
    }


@pytest.mark.parametrize("root", [{}, {"properties": {"a": {"type": "string"}}}, {"type": ["object", "null"]}])
def test_the_arguments_of_a_tool_are_an_object(root: dict[str, Any]) -> None:
    assert convert_without_loss(root, ANYTHING, arguments=True)["type"] == "object"


def test_arguments_that_are_not_an_object_are_lost() -> None:
    assert convert_schema({"type": "string"}, ANYTHING, arguments=True).losses == ("$: the root is not an object",)


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        ({"$ref": "#/$defs/A", "type": "array"}, {"type": "array", "items": {}}),
        ({"$ref": "#/$defs/A", "type": "string"}, {"type": "string"}),
        ({"$ref": "#/$defs/A", "description": "words"}, {"$ref": "#/$defs/A", "description": "words"}),
    ],
)
def test_a_type_alongside_a_reference_is_merged_if_the_vendor_requires_it(
    inner: dict[str, Any], wanted: dict[str, Any]
) -> None:
    outer: dict[str, Any] = {"type": "object", "properties": {"a": inner}, "$defs": {"A": {}}}
    sent: Any = convert_schema(outer, OPENAI_SCHEMAS.tools, arguments=True).schema["properties"]
    assert sent["a"] == wanted


def test_a_type_alongside_a_circular_reference_is_described() -> None:
    outer: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Node", "type": "object"}},
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"Node": NODE},
    }
    conversion = convert_schema(outer, STRICT)
    sent: Any = conversion.schema["properties"]
    assert sent["a"]["anyOf"] == [{"$ref": "#/$defs/Node"}]
    assert conversion.changes == ("type is moved to the description: $.a",)


def test_object_keywords_on_another_type_are_dropped_if_objects_are_closed() -> None:
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "properties": {"a": {}}, "required": ["a"]}
    assert convert_inner(schema, STRICT) == {"type": "array", "items": {"type": "string"}}
    assert convert_without_loss(schema, ANYTHING) == schema


def test_an_equal_schema_is_converted_once() -> None:
    first = convert_schema(TREE, STRICT)
    assert convert_schema(deepcopy(TREE), STRICT) is first
    assert convert_schema(TREE, GEMINI) != first
    assert convert_schema(TREE, STRICT, arguments=True) is not first


def test_a_schema_that_was_changed_is_converted_again() -> None:
    inner: dict[str, Any] = {"const": "a"}
    schema: dict[str, Any] = {"oneOf": [inner]}
    rules = SchemaRules(refused=frozenset({"const"}))
    before = convert_schema(schema, rules)
    inner["const"] = "b"
    assert convert_schema(schema, rules).schema == {"oneOf": [{"enum": ["b"]}]}
    assert before.schema == {"oneOf": [{"enum": ["a"]}]}
    assert convert_schema({"oneOf": [{"const": "a"}]}, rules).schema == {"oneOf": [{"enum": ["a"]}]}


@pytest.mark.parametrize("value", [1, 1.0, True, "1", None, 2**70, (1,), math.nan, "\ud800"])
def test_values_that_are_nearly_equal_have_conversions_of_their_own(value: Any) -> None:
    rules = SchemaRules(refused=frozenset({"const"}))
    converted: Any = convert_schema({"oneOf": [{"const": value}]}, rules).schema
    assert repr(converted) == repr({"oneOf": [{"enum": [value]}]})


def test_rules_that_differ_in_values_have_conversions_of_their_own() -> None:
    schema = {"type": "string", "format": "uuid"}
    accepting = SchemaRules(values={"format": frozenset({"uuid"})})
    refusing = SchemaRules(values={"format": frozenset({"date"})})
    assert hash(accepting) == hash(refusing)
    assert convert_schema(schema, accepting).schema == schema
    assert convert_schema(schema, refusing).changes


def test_a_schema_of_shared_or_circular_objects_ends() -> None:
    shared: Any = {"type": "string"}
    for _ in range(60):
        shared = {"type": "object", "properties": {"a": shared, "b": shared}}
    assert convert_schema(shared, STRICT).losses
    circular: dict[str, Any] = {"type": "object"}
    circular["properties"] = {"a": circular, "b": circular}
    assert convert_schema(circular, STRICT).losses
