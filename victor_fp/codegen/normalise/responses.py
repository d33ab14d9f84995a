"""What a server sends is not ours to forbid: open values, optional fields, and a place for variants nobody knows yet."""

from __future__ import annotations

from victor_fp.codegen.normalise.tagging import tags
from victor_fp.codegen.schema import (
    Schema,
    Schemas,
    as_schema,
    fresh,
    pascal,
    properties,
    reference,
    rewrite,
    rewrite_all,
    variants,
)

UNKNOWN_TAG = "__unknown__"


def open_values(schemas: Schemas) -> Schemas:
    """Let every enum and every constant that is no tag be any value of its type."""

    def opened(schema: Schema) -> Schema:
        return {key: value for key, value in schema.items() if key not in ("enum", "const")}

    pinned = tags(schemas)
    result: Schemas = {}
    for name, schema in schemas.items():
        wide = rewrite(schema, opened)
        if "properties" in wide:
            narrow = {key: field for key, field in properties(schema).items() if (name, key) in pinned}
            wide = {**wide, "properties": {**properties(wide), **narrow}}
        result[name] = wide
    return result


def make_fields_optional(schemas: Schemas) -> Schemas:
    """Require nothing of a response object but the tag that told what it is."""
    pinned = tags(schemas)
    result: Schemas = {}
    for name, schema in schemas.items():
        needed = [key for key in properties(schema) if (name, key) in pinned]
        rest = {key: value for key, value in schema.items() if key != "required"}
        result[name] = {**rest, "required": needed} if needed else rest
    return result


def append_unknown_variants(schemas: Schemas) -> Schemas:
    """Add to each tagged union a variant that holds, as it came, an object with a tag nobody knows.

    Its tag is "__unknown__", put there by the decoder; its one field, `raw`, is the object itself.
    """
    result: Schemas = dict(schemas)
    names: dict[str, str] = {}

    def step(schema: Schema) -> Schema:
        discriminator = as_schema(schema.get("discriminator"))
        tag = discriminator.get("propertyName")
        if not isinstance(tag, str):
            return schema
        if tag not in names:
            names[tag] = fresh("Unknown" + pascal(tag), {*schemas, *names.values()})
            result[names[tag]] = _unknown(tag)
        target = reference(names[tag])
        mapping = {**as_schema(discriminator.get("mapping")), UNKNOWN_TAG: target["$ref"]}
        return {
            **schema,
            "oneOf": [*variants(schema), target],
            "discriminator": {"propertyName": tag, "mapping": mapping},
        }

    return {**rewrite_all(schemas, step), **{name: result[name] for name in names.values()}}


def _unknown(tag: str) -> Schema:
    raw: Schema = {"type": "object", "additionalProperties": {}}
    return {
        "type": "object",
        "description": f"A variant whose `{tag}` nobody knew when this was compiled, as it came.",
        "properties": {tag: {"type": "string", "const": UNKNOWN_TAG}, "raw": raw},
        "required": [tag, "raw"],
    }
