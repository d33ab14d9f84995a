"""Conversion of base types with subtypes to unions, since structs have no subclass dispatch."""

from __future__ import annotations

from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    find_reference,
    list_variants,
    make_reference,
    make_unique_name,
    rewrite,
    to_schema,
)


def convert_inheritance_to_unions(schemas: Schemas) -> Schemas:
    """Convert an object whose discriminator maps to subtypes (`allOf` of it) to their union.

    The fields of the base are moved to a component with the suffix Base, of which the subtypes are composed.
    """
    bases = {
        name: make_unique_name(name + "Base", schemas)
        for name, schema in schemas.items()
        if _find_subtypes(name, schema)
    }
    result: Schemas = {}
    for name, schema in schemas.items():
        result[name] = rewrite(schema, lambda inner: _compose_bases(inner, bases))
        if name in bases:
            result[bases[name]] = {key: value for key, value in result[name].items() if key != "discriminator"}
            subtypes: list[object] = [{"$ref": target} for target in _find_subtypes(name, schema)]
            result[name] = {"oneOf": subtypes, "discriminator": schema["discriminator"]}
    return result


def _find_subtypes(name: str, schema: SchemaNode) -> list[str]:
    if "oneOf" in schema or "anyOf" in schema or "properties" not in schema:
        return []
    mapping = to_schema(to_schema(schema.get("discriminator")).get("mapping"))
    targets = dict.fromkeys(str(target) for target in mapping.values())
    return [target for target in targets if find_reference({"$ref": target}) != name]


def _compose_bases(schema: SchemaNode, bases: dict[str, str]) -> SchemaNode:
    if "allOf" not in schema:
        return schema
    parts: list[object] = []
    for part in list_variants(schema, "allOf"):
        name = find_reference(part)
        parts.append(make_reference(bases[name]) if name in bases else part)
    return {**schema, "allOf": parts}
