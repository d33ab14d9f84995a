"""Relaxation of responses: open values, optional fields, and unknown variants."""

from __future__ import annotations

from victor_fp.codegen.normalise.tagging import collect_tags
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    list_variants,
    make_reference,
    make_unique_name,
    read_properties,
    rewrite,
    rewrite_all,
    to_pascal_case,
    to_schema,
)

UNKNOWN_TAG = "__unknown__"


def open_values(schemas: Schemas) -> Schemas:
    """Replace enums, and constants other than tags, by their type."""

    def open_schema(schema: SchemaNode) -> SchemaNode:
        return {key: value for key, value in schema.items() if key not in ("enum", "const")}

    pinned = collect_tags(schemas)
    result: Schemas = {}
    for name, schema in schemas.items():
        wide = rewrite(schema, open_schema)
        if "properties" in wide:
            narrow = {key: field for key, field in read_properties(schema).items() if (name, key) in pinned}
            wide = {**wide, "properties": {**read_properties(wide), **narrow}}
        result[name] = wide
    return result


def make_fields_optional(schemas: Schemas) -> Schemas:
    """Make all fields of response objects optional, except tags."""
    pinned = collect_tags(schemas)
    result: Schemas = {}
    for name, schema in schemas.items():
        needed = [key for key in read_properties(schema) if (name, key) in pinned]
        rest = {key: value for key, value in schema.items() if key != "required"}
        result[name] = {**rest, "required": needed} if needed else rest
    return result


def append_unknown_variants(schemas: Schemas) -> Schemas:
    """Add a variant for objects with an unknown tag to each tagged union.

    Its tag is "__unknown__", set by the decoder; its field `raw` is the object as received.
    """
    result: Schemas = dict(schemas)
    names: dict[str, str] = {}

    def step(schema: SchemaNode) -> SchemaNode:
        discriminator = to_schema(schema.get("discriminator"))
        tag = discriminator.get("propertyName")
        if not isinstance(tag, str):
            return schema
        if tag not in names:
            names[tag] = make_unique_name("Unknown" + to_pascal_case(tag), {*schemas, *names.values()})
            result[names[tag]] = _build_unknown_variant(tag)
        target = make_reference(names[tag])
        mapping = {**to_schema(discriminator.get("mapping")), UNKNOWN_TAG: target["$ref"]}
        return {
            **schema,
            "oneOf": [*list_variants(schema), target],
            "discriminator": {"propertyName": tag, "mapping": mapping},
        }

    return {**rewrite_all(schemas, step), **{name: result[name] for name in names.values()}}


def _build_unknown_variant(tag: str) -> SchemaNode:
    raw: SchemaNode = {"type": "object", "additionalProperties": {}}
    return {
        "type": "object",
        "description": f"A variant with a `{tag}` that was unknown at compile time, as received.",
        "properties": {tag: {"type": "string", "const": UNKNOWN_TAG}, "raw": raw},
        "required": [tag, "raw"],
    }
