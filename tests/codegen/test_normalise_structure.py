"""Composition, inheritance and nesting become flat named objects."""

from __future__ import annotations

from victor_fp.codegen.normalise.composition import flatten_all_of
from victor_fp.codegen.normalise.hoisting import hoist_objects
from victor_fp.codegen.normalise.inheritance import convert_inheritance_to_unions
from victor_fp.codegen.normalise.naming import break_alias_cycles, inline_scalars, move_null_to_fields, name_as_classes
from victor_fp.codegen.schema import SchemaNode, Schemas, make_reference

TEXT: SchemaNode = {"type": "string"}


def build_object(*required: str, **fields: SchemaNode) -> SchemaNode:
    return {"type": "object", "properties": fields, **({"required": list(required)} if required else {})}


def test_all_of_merges_fields_and_requirements_and_the_later_part_wins() -> None:
    schemas: Schemas = {
        "Base": build_object("id", id=TEXT, size=TEXT),
        "Whole": {"allOf": [make_reference("Base"), build_object("size", size={"type": "integer"})]},
    }
    assert flatten_all_of(schemas)["Whole"] == build_object("id", "size", id=TEXT, size={"type": "integer"})


def test_all_of_a_single_reference_is_that_reference() -> None:
    assert flatten_all_of({"A": build_object(a=TEXT), "B": {"allOf": [make_reference("A")]}})["B"] == make_reference(
        "A"
    )


def test_fields_alongside_a_union_are_added_to_each_variant() -> None:
    union: SchemaNode = {
        "type": "object",
        "properties": {"id": TEXT},
        "oneOf": [build_object(a=TEXT), build_object(b=TEXT)],
    }
    expected: SchemaNode = {"oneOf": [build_object(a=TEXT, id=TEXT), build_object(b=TEXT, id=TEXT)]}
    assert flatten_all_of({"X": union})["X"] == expected


def test_a_tag_known_only_to_the_mapping_survives_the_merge() -> None:
    mapping = {"one": "#/components/schemas/One", "two": "#/components/schemas/Two"}
    union: SchemaNode = {
        "oneOf": [make_reference("One"), make_reference("Two")],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    schemas: Schemas = {
        "One": build_object(kind=TEXT),
        "Two": build_object(kind=TEXT),
        "X": {"allOf": [union, build_object(id=TEXT)]},
    }
    expected: SchemaNode = {
        "oneOf": [
            build_object(kind={"type": "string", "const": "one"}, id=TEXT),
            build_object(kind={"type": "string", "const": "two"}, id=TEXT),
        ],
        "discriminator": {"propertyName": "kind"},
    }
    assert flatten_all_of(schemas)["X"] == expected


def test_a_component_composed_of_itself_ends() -> None:
    assert flatten_all_of({"X": {"allOf": [make_reference("X"), build_object(a=TEXT)]}})["X"] == build_object(a=TEXT)


def test_a_base_with_a_mapping_of_subtypes_becomes_their_union() -> None:
    mapping = {"cat": "#/components/schemas/Cat"}
    base = {**build_object(kind=TEXT), "discriminator": {"propertyName": "kind", "mapping": mapping}}
    cat: SchemaNode = {"allOf": [make_reference("Pet"), build_object(lives={"type": "integer"})]}
    result = convert_inheritance_to_unions({"Pet": base, "Cat": cat})
    assert result["Pet"] == {"oneOf": [make_reference("Cat")], "discriminator": base["discriminator"]}
    assert result["PetBase"] == build_object(kind=TEXT)
    assert flatten_all_of(result)["Cat"] == build_object(kind=TEXT, lives={"type": "integer"})


def test_inline_objects_are_named_parent_and_field_at_every_depth() -> None:
    inner, choice = build_object(token_count={"type": "integer"}), build_object(text=TEXT)
    schemas: Schemas = {
        "Answer": build_object(usage=build_object(prompt_details=inner), choices={"type": "array", "items": choice})
    }
    assert hoist_objects(schemas) == {
        "Answer": build_object(
            usage=make_reference("AnswerUsage"), choices={"type": "array", "items": make_reference("AnswerChoices")}
        ),
        "AnswerUsage": build_object(prompt_details=make_reference("AnswerUsagePromptDetails")),
        "AnswerUsagePromptDetails": inner,
        "AnswerChoices": choice,
    }


def test_inline_objects_that_are_alike_share_one_component() -> None:
    inner = build_object(b=build_object(c=TEXT))
    assert hoist_objects({"A": build_object(one=inner, two=inner)}) == {
        "A": build_object(one=make_reference("AOne"), two=make_reference("AOne")),
        "AOne": build_object(b=make_reference("AOneB")),
        "AOneB": build_object(c=TEXT),
    }


def test_inline_variants_are_named_by_their_tag_or_number() -> None:
    tagged = build_object(type={"type": "string", "const": "json_object"})
    schemas: Schemas = {"X": build_object(format={"oneOf": [tagged, build_object(a=TEXT), {"type": "null"}]})}
    assert list(hoist_objects(schemas)) == ["X", "XFormatJsonObject", "XFormatVariant2"]


def test_a_taken_name_gets_a_number() -> None:
    assert list(hoist_objects({"A": build_object(b=build_object(c=TEXT)), "AB": TEXT})) == ["A", "AB", "AB2"]


def test_components_get_class_names_and_references_follow() -> None:
    mapping = {"a": "#/components/schemas/chat.part-a"}
    schemas: Schemas = {
        "chat.part-a": build_object(self=make_reference("chat.part-a")),
        "chat_part_a": TEXT,
        "Any": {
            "oneOf": [make_reference("chat.part-a")],
            "discriminator": {"propertyName": "t", "mapping": mapping},
        },
    }
    renamed, names = name_as_classes(schemas)
    assert names == {"chat.part-a": "ChatPartA", "chat_part_a": "ChatPartA2", "Any": "SchemaAny"}
    assert renamed["ChatPartA"] == build_object(self=make_reference("ChatPartA"))
    assert renamed["SchemaAny"]["discriminator"] == {
        "propertyName": "t",
        "mapping": {"a": "#/components/schemas/ChatPartA"},
    }


def test_a_component_that_may_be_null_is_itself_and_its_fields_may_be_null() -> None:
    null: SchemaNode = {"type": "null"}
    schemas: Schemas = {
        "Answer": build_object(
            error=make_reference("Error"), errors={"type": "array", "items": make_reference("Error")}
        ),
        "Error": {"description": "What failed.", "oneOf": [build_object(code=TEXT), null]},
        "Words": {"oneOf": [TEXT, {"type": "integer"}, null]},
    }
    either: SchemaNode = {"oneOf": [make_reference("Error"), null]}
    assert move_null_to_fields(schemas) == {
        "Answer": build_object(error=either, errors={"type": "array", "items": either}),
        "Error": {"description": "What failed.", **build_object(code=TEXT)},
        "Words": {"oneOf": [TEXT, {"type": "integer"}]},
    }


def test_bare_scalars_are_written_in_place_and_enums_keep_their_name() -> None:
    schemas: Schemas = {
        "X": build_object(
            a=make_reference("Id"), b=make_reference("Maybe"), c=make_reference("Level"), d=make_reference("Alias")
        ),
        "Id": {**TEXT, "description": "which one"},
        "Maybe": {"oneOf": [TEXT, {"type": "null"}]},
        "Level": {**TEXT, "enum": ["low", "high"]},
        "Alias": make_reference("Id"),
    }
    expected = build_object(a=TEXT, b={"oneOf": [TEXT, {"type": "null"}]}, c=make_reference("Level"), d=TEXT)
    assert inline_scalars(schemas, frozenset())["X"] == expected


def test_only_objects_may_contain_themselves() -> None:
    array: SchemaNode = {"type": "array", "items": make_reference("Value")}
    schemas: Schemas = {"Value": {"oneOf": [TEXT, array]}, "Node": build_object(next=make_reference("Node"))}
    assert break_alias_cycles(schemas) == {
        "Value": {"oneOf": [TEXT, {"type": "array", "items": {}}]},
        "Node": build_object(next=make_reference("Node")),
    }
