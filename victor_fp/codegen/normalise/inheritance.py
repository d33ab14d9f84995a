"""Base types that name their heirs become unions of them, since a struct knows nothing of its subclasses."""

from __future__ import annotations

from victor_fp.codegen.schema import (
    Schema,
    Schemas,
    find_reference,
    list_variants,
    make_reference,
    make_unique_name,
    rewrite,
    to_schema,
)


def spell_inheritance_as_unions(schemas: Schemas) -> Schemas:
    """Turn an object whose discriminator maps to heirs (`allOf` of it) into the union of them.

    The base's own fields go on in a component named Base, which the heirs are composed of instead.
    """
    bases = {
        name: make_unique_name(name + "Base", schemas) for name, schema in schemas.items() if _find_heirs(name, schema)
    }
    result: Schemas = {}
    for name, schema in schemas.items():
        result[name] = rewrite(schema, lambda inner: _compose_bases(inner, bases))
        if name in bases:
            result[bases[name]] = {key: value for key, value in result[name].items() if key != "discriminator"}
            heirs: list[object] = [{"$ref": target} for target in _find_heirs(name, schema)]
            result[name] = {"oneOf": heirs, "discriminator": schema["discriminator"]}
    return result


def _find_heirs(name: str, schema: Schema) -> list[str]:
    if "oneOf" in schema or "anyOf" in schema or "properties" not in schema:
        return []
    mapping = to_schema(to_schema(schema.get("discriminator")).get("mapping"))
    targets = dict.fromkeys(str(target) for target in mapping.values())
    return [target for target in targets if find_reference({"$ref": target}) != name]


def _compose_bases(schema: Schema, bases: dict[str, str]) -> Schema:
    if "allOf" not in schema:
        return schema
    parts: list[object] = []
    for part in list_variants(schema, "allOf"):
        name = find_reference(part)
        parts.append(make_reference(bases[name]) if name in bases else part)
    return {**schema, "allOf": parts}
