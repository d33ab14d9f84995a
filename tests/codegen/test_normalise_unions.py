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


def const(value: str) -> SchemaNode:
    return {"type": "string", "const": value}


def thing(*required: str, **fields: SchemaNode) -> SchemaNode:
    return {"type": "object", "properties": fields, **({"required": list(required)} if required else {})}


def array(items: SchemaNode) -> SchemaNode:
    return {"type": "array", "items": items}


def union(*alternatives: SchemaNode) -> SchemaNode:
    return {"oneOf": list(alternatives)}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (union(TEXT), TEXT),
        (union(union(TEXT, NULL), NULL), union(TEXT, NULL)),
        (union(const("a"), TEXT), TEXT),
        (union(const("a"), {"type": "string", "enum": ["b", "a"]}), {"type": "string", "enum": ["a", "b"]}),
        (union(INTEGER, NUMBER), NUMBER),
        (union(TEXT, {}), {}),
        (union(array(TEXT), array(INTEGER)), array(union(TEXT, INTEGER))),
        (union(ANY_MAP, thing(a=TEXT), TEXT), union(TEXT, ANY_MAP)),
        (union(make_reference("Words"), TEXT), TEXT),
        (union(make_reference("Parts"), NULL), union(make_reference("Parts"), NULL)),
    ],
)
def test_variants_of_one_kind_are_merged(schema: SchemaNode, expected: SchemaNode) -> None:
    named: Schemas = {
        "Words": union(const("a"), const("b")),
        "Parts": union(make_reference("P"), make_reference("Q")),
        "P": thing(type=const("p")),
        "Q": thing(type=const("q")),
    }
    assert simplify_unions({"X": schema, **named})["X"] == expected


def test_the_tag_is_found_and_becomes_a_required_constant() -> None:
    schemas: Schemas = {
        "Part": union(make_reference("Text"), make_reference("Image")),
        "Text": thing("text", type=const("text"), text=TEXT),
        "Image": thing(url=TEXT, type=const("image")),
    }
    result = tag_unions(schemas)
    assert result["Part"]["discriminator"] == {
        "propertyName": "type",
        "mapping": {"text": "#/components/schemas/Text", "image": "#/components/schemas/Image"},
    }
    assert result["Text"] == thing("type", "text", type=const("text"), text=TEXT)
    assert result["Image"] == thing("type", type=const("image"), url=TEXT)


def test_a_mapping_gives_tags_to_variants_without_constants() -> None:
    mapping = {"d": "#/components/schemas/Dog", "c": "#/components/schemas/Cat"}
    schemas: Schemas = {
        "Pet": {
            **union(make_reference("Dog"), make_reference("Cat")),
            "discriminator": {"propertyName": "pet", "mapping": mapping},
        },
        "Dog": thing(pet=TEXT),
        "Cat": thing(lives=INTEGER),
    }
    result = tag_unions(schemas)
    assert result["Dog"] == thing("pet", pet=const("d"))
    assert result["Cat"] == thing("pet", pet=const("c"), lives=INTEGER)


def test_a_variant_with_two_tag_values_becomes_two_structs() -> None:
    schemas: Schemas = {
        "Item": union(make_reference("Call"), make_reference("Text")),
        "Call": thing(type={"type": "string", "enum": ["call", "old_call"]}),
        "Text": thing(type=const("text")),
    }
    result = tag_unions(schemas)
    assert result["Item"]["oneOf"] == [
        make_reference("CallCall"),
        make_reference("CallOldCall"),
        make_reference("Text"),
    ]
    assert result["CallOldCall"] == thing("type", type=const("old_call"))


def test_variants_that_share_a_tag_are_merged_and_disagreement_allows_everything() -> None:
    schemas: Schemas = {
        "Item": union(make_reference("In"), make_reference("Out"), make_reference("Text")),
        "In": thing("id", type=const("message"), id=TEXT, body=thing(a=TEXT)),
        "Out": thing(type=const("message"), id=TEXT, body=thing(b=TEXT), extra=INTEGER),
        "Text": thing(type=const("text")),
    }
    result = tag_unions(schemas)
    assert result["Item"]["oneOf"] == [make_reference("ItemMessage"), make_reference("Text")]
    assert result["ItemMessage"] == thing("type", type=const("message"), id=TEXT, body={}, extra=INTEGER)


def test_a_union_without_a_tag_becomes_one_flat_object() -> None:
    schemas: Schemas = {
        "X": thing(source=union(make_reference("Url"), make_reference("File"))),
        "Url": thing("url", url=TEXT),
        "File": thing("id", id=TEXT, url=TEXT),
    }
    result = tag_unions(schemas)
    assert result["X"] == thing(source=make_reference("XSource"))
    assert result["XSource"] == thing(url=TEXT, id=TEXT)


def test_a_union_inside_its_own_variants_becomes_one_object_that_contains_itself() -> None:
    either = union(make_reference("A"), make_reference("B"))
    schemas: Schemas = {"X": thing(x=either), "A": thing(x=either, a=TEXT), "B": thing(x=either, b=TEXT)}
    result = tag_unions(schemas)
    assert result["X"] == thing(x=make_reference("XX"))
    assert result["XX"] == thing(x=make_reference("XX"), a=TEXT, b=TEXT)


def test_an_ordinary_setting_is_not_mistaken_for_a_tag() -> None:
    tier: SchemaNode = {"type": "string", "enum": ["auto", "default"]}
    schemas: Schemas = {
        "X": union(make_reference("A"), make_reference("B")),
        "A": thing(tier=tier),
        "B": thing(tier=tier, b=TEXT),
    }
    assert tag_unions(schemas)["X"] == thing(tier=tier, b=TEXT)


def test_an_inline_union_of_objects_gets_a_name_and_keeps_a_string_variant() -> None:
    parts = union(make_reference("A"), make_reference("B"))
    schemas: Schemas = {
        "X": thing(content=union(TEXT, array(parts)), choice=union(TEXT, make_reference("A"), make_reference("B"))),
        "A": thing(type=const("a")),
        "B": thing(type=const("b")),
    }
    result = tag_unions(schemas)
    assert result["X"] == thing(
        content=union(TEXT, array(make_reference("XContent"))), choice=union(TEXT, make_reference("XContent"))
    )


def test_a_struct_in_two_unions_with_different_tags_becomes_two() -> None:
    schemas: Schemas = {
        "ByType": union(make_reference("A"), make_reference("B")),
        "ByRole": union(make_reference("A"), make_reference("C")),
        "A": thing(type=const("a"), role=const("user")),
        "B": thing(type=const("b")),
        "C": thing(role=const("tool")),
    }
    result = tag_unions(schemas)
    assert result["ByType"]["oneOf"] == [make_reference("A"), make_reference("B")]
    assert result["ByRole"]["oneOf"] == [make_reference("AUser"), make_reference("C")]


def test_responses_accept_any_value_that_is_not_a_tag() -> None:
    schemas = tag_unions(
        {
            "Part": union(make_reference("A"), make_reference("B")),
            "A": thing(type=const("a"), level={"type": "string", "enum": ["low", "high"]}),
            "B": thing(type=const("b"), object=const("part")),
        }
    )
    opened = open_values(schemas)
    assert opened["A"] == thing("type", type=const("a"), level=TEXT)
    assert opened["B"] == thing("type", type=const("b"), object=TEXT)


def test_responses_require_nothing_but_the_tag() -> None:
    schemas = tag_unions(
        {
            "Part": union(make_reference("A"), make_reference("B")),
            "A": thing("type", "text", type=const("a"), text=TEXT),
            "B": thing("type", type=const("b")),
            "Whole": thing("parts", parts=array(make_reference("Part"))),
        }
    )
    relaxed = make_fields_optional(schemas)
    assert relaxed["A"]["required"] == ["type"]
    assert "required" not in relaxed["Whole"]


def test_each_tagged_response_union_gets_one_unknown_variant_per_tag() -> None:
    tagged: SchemaNode = {**union(make_reference("A")), "discriminator": {"propertyName": "type", "mapping": {}}}
    result = append_unknown_variants({"P": tagged, "Q": tagged, "A": thing(type=const("a")), "R": union(TEXT, NULL)})
    assert result["P"]["oneOf"] == result["Q"]["oneOf"] == [make_reference("A"), make_reference("UnknownType")]
    assert result["UnknownType"]["properties"] == {"type": const("__unknown__"), "raw": ANY_MAP}
    assert result["R"] == union(TEXT, NULL)
