"""A union ends up with one variant per kind of JSON, and objects distinguished by a tag."""

from __future__ import annotations

import pytest

from victor_fp.codegen.normalise.responses import append_unknown_variants, make_fields_optional, open_values
from victor_fp.codegen.normalise.tagging import tag_unions
from victor_fp.codegen.normalise.unions import simplify_unions
from victor_fp.codegen.schema import SchemaNode, Schemas, make_reference

TEXT: SchemaNode = {"type": "string"}
NULL: SchemaNode = {"type": "null"}
INTEGER: SchemaNode = {"type": "integer"}
NUMBER: SchemaNode = {"type": "number"}
ANY_MAP: SchemaNode = {"type": "object", "additionalProperties": {}}


def build_const(value: str) -> SchemaNode:
    return {"type": "string", "const": value}


def build_object(*required: str, **fields: SchemaNode) -> SchemaNode:
    return {"type": "object", "properties": fields, **({"required": list(required)} if required else {})}


def build_array(items: SchemaNode) -> SchemaNode:
    return {"type": "array", "items": items}


def build_union(*alternatives: SchemaNode) -> SchemaNode:
    return {"oneOf": list(alternatives)}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (build_union(TEXT), TEXT),
        (build_union(build_union(TEXT, NULL), NULL), build_union(TEXT, NULL)),
        (build_union(build_const("a"), TEXT), TEXT),
        (build_union(build_const("a"), {"type": "string", "enum": ["b", "a"]}), {"type": "string", "enum": ["a", "b"]}),
        (build_union(INTEGER, NUMBER), NUMBER),
        (build_union(TEXT, {}), {}),
        (build_union(build_array(TEXT), build_array(INTEGER)), build_array(build_union(TEXT, INTEGER))),
        (build_union(ANY_MAP, build_object(a=TEXT), TEXT), build_union(TEXT, ANY_MAP)),
        (build_union(make_reference("Words"), TEXT), TEXT),
        (build_union(make_reference("Parts"), NULL), build_union(make_reference("Parts"), NULL)),
    ],
)
def test_variants_of_one_kind_are_merged(schema: SchemaNode, expected: SchemaNode) -> None:
    named: Schemas = {
        "Words": build_union(build_const("a"), build_const("b")),
        "Parts": build_union(make_reference("P"), make_reference("Q")),
        "P": build_object(type=build_const("p")),
        "Q": build_object(type=build_const("q")),
    }
    assert simplify_unions({"X": schema, **named})["X"] == expected


def test_the_tag_is_found_and_becomes_a_required_constant() -> None:
    schemas: Schemas = {
        "Part": build_union(make_reference("Text"), make_reference("Image")),
        "Text": build_object("text", type=build_const("text"), text=TEXT),
        "Image": build_object(url=TEXT, type=build_const("image")),
    }
    result = tag_unions(schemas)
    assert result["Part"]["discriminator"] == {
        "propertyName": "type",
        "mapping": {"text": "#/components/schemas/Text", "image": "#/components/schemas/Image"},
    }
    assert result["Text"] == build_object("type", "text", type=build_const("text"), text=TEXT)
    assert result["Image"] == build_object("type", type=build_const("image"), url=TEXT)


def test_a_mapping_gives_tags_to_variants_without_constants() -> None:
    mapping = {"d": "#/components/schemas/Dog", "c": "#/components/schemas/Cat"}
    schemas: Schemas = {
        "Pet": {
            **build_union(make_reference("Dog"), make_reference("Cat")),
            "discriminator": {"propertyName": "pet", "mapping": mapping},
        },
        "Dog": build_object(pet=TEXT),
        "Cat": build_object(lives=INTEGER),
    }
    result = tag_unions(schemas)
    assert result["Dog"] == build_object("pet", pet=build_const("d"))
    assert result["Cat"] == build_object("pet", pet=build_const("c"), lives=INTEGER)


def test_a_variant_with_two_tag_values_becomes_two_structs() -> None:
    schemas: Schemas = {
        "Item": build_union(make_reference("Call"), make_reference("Text")),
        "Call": build_object(type={"type": "string", "enum": ["call", "old_call"]}),
        "Text": build_object(type=build_const("text")),
    }
    result = tag_unions(schemas)
    assert result["Item"]["oneOf"] == [
        make_reference("CallCall"),
        make_reference("CallOldCall"),
        make_reference("Text"),
    ]
    assert result["CallOldCall"] == build_object("type", type=build_const("old_call"))


def test_variants_that_share_a_tag_are_merged_and_disagreement_allows_everything() -> None:
    schemas: Schemas = {
        "Item": build_union(make_reference("In"), make_reference("Out"), make_reference("Text")),
        "In": build_object("id", type=build_const("message"), id=TEXT, body=build_object(a=TEXT)),
        "Out": build_object(type=build_const("message"), id=TEXT, body=build_object(b=TEXT), extra=INTEGER),
        "Text": build_object(type=build_const("text")),
    }
    result = tag_unions(schemas)
    assert result["Item"]["oneOf"] == [make_reference("ItemMessage"), make_reference("Text")]
    assert result["ItemMessage"] == build_object("type", type=build_const("message"), id=TEXT, body={}, extra=INTEGER)


def test_a_union_without_a_tag_becomes_one_flat_object() -> None:
    schemas: Schemas = {
        "X": build_object(source=build_union(make_reference("Url"), make_reference("File"))),
        "Url": build_object("url", url=TEXT),
        "File": build_object("id", id=TEXT, url=TEXT),
    }
    result = tag_unions(schemas)
    assert result["X"] == build_object(source=make_reference("XSource"))
    assert result["XSource"] == build_object(url=TEXT, id=TEXT)


def test_a_union_inside_its_own_variants_becomes_one_object_that_contains_itself() -> None:
    either = build_union(make_reference("A"), make_reference("B"))
    schemas: Schemas = {
        "X": build_object(x=either),
        "A": build_object(x=either, a=TEXT),
        "B": build_object(x=either, b=TEXT),
    }
    result = tag_unions(schemas)
    assert result["X"] == build_object(x=make_reference("XX"))
    assert result["XX"] == build_object(x=make_reference("XX"), a=TEXT, b=TEXT)


def test_an_ordinary_setting_is_not_mistaken_for_a_tag() -> None:
    tier: SchemaNode = {"type": "string", "enum": ["auto", "default"]}
    schemas: Schemas = {
        "X": build_union(make_reference("A"), make_reference("B")),
        "A": build_object(tier=tier),
        "B": build_object(tier=tier, b=TEXT),
    }
    assert tag_unions(schemas)["X"] == build_object(tier=tier, b=TEXT)


def test_an_inline_union_of_objects_gets_a_name_and_keeps_a_string_variant() -> None:
    parts = build_union(make_reference("A"), make_reference("B"))
    schemas: Schemas = {
        "X": build_object(
            content=build_union(TEXT, build_array(parts)),
            choice=build_union(TEXT, make_reference("A"), make_reference("B")),
        ),
        "A": build_object(type=build_const("a")),
        "B": build_object(type=build_const("b")),
    }
    result = tag_unions(schemas)
    assert result["X"] == build_object(
        content=build_union(TEXT, build_array(make_reference("XContent"))),
        choice=build_union(TEXT, make_reference("XContent")),
    )


def test_a_struct_in_two_unions_with_different_tags_becomes_two() -> None:
    schemas: Schemas = {
        "ByType": build_union(make_reference("A"), make_reference("B")),
        "ByRole": build_union(make_reference("A"), make_reference("C")),
        "A": build_object(type=build_const("a"), role=build_const("user")),
        "B": build_object(type=build_const("b")),
        "C": build_object(role=build_const("tool")),
    }
    result = tag_unions(schemas)
    assert result["ByType"]["oneOf"] == [make_reference("A"), make_reference("B")]
    assert result["ByRole"]["oneOf"] == [make_reference("AUser"), make_reference("C")]


def test_responses_accept_any_value_that_is_not_a_tag() -> None:
    schemas = tag_unions(
        {
            "Part": build_union(make_reference("A"), make_reference("B")),
            "A": build_object(type=build_const("a"), level={"type": "string", "enum": ["low", "high"]}),
            "B": build_object(type=build_const("b"), object=build_const("part")),
        }
    )
    opened = open_values(schemas)
    assert opened["A"] == build_object("type", type=build_const("a"), level=TEXT)
    assert opened["B"] == build_object("type", type=build_const("b"), object=TEXT)


def test_responses_require_nothing_but_the_tag() -> None:
    schemas = tag_unions(
        {
            "Part": build_union(make_reference("A"), make_reference("B")),
            "A": build_object("type", "text", type=build_const("a"), text=TEXT),
            "B": build_object("type", type=build_const("b")),
            "Whole": build_object("parts", parts=build_array(make_reference("Part"))),
        }
    )
    relaxed = make_fields_optional(schemas)
    assert relaxed["A"]["required"] == ["type"]
    assert "required" not in relaxed["Whole"]


def test_each_tagged_response_union_gets_one_unknown_variant_per_tag() -> None:
    tagged: SchemaNode = {**build_union(make_reference("A")), "discriminator": {"propertyName": "type", "mapping": {}}}
    result = append_unknown_variants(
        {"P": tagged, "Q": tagged, "A": build_object(type=build_const("a")), "R": build_union(TEXT, NULL)}
    )
    assert result["P"]["oneOf"] == result["Q"]["oneOf"] == [make_reference("A"), make_reference("UnknownType")]
    assert result["UnknownType"]["properties"] == {"type": build_const("__unknown__"), "raw": ANY_MAP}
    assert result["R"] == build_union(TEXT, NULL)
