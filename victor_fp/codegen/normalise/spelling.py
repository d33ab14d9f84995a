"""Canonical forms of OpenAPI 3.0 and 3.1 for null, unions, constants and any value."""

from __future__ import annotations

from victor_fp.codegen.schema import (
    COMPONENTS,
    SchemaNode,
    Schemas,
    list_required,
    map_children,
    read_properties,
    rewrite_all,
    to_list,
    to_schema,
)

NULL: SchemaNode = {"type": "null"}

COMBINING = ("oneOf", "anyOf", "allOf")
MEANINGFUL = frozenset(
    {"$ref", "type", "properties", "required", "items", "additionalProperties", "const", "enum", "discriminator"}
    | {"nullable", *COMBINING}
)
"""Keywords that define a type. All others constrain, annotate or document it."""

KEYWORDS_BY_TYPE = {
    "object": ("properties", "required", "additionalProperties", "discriminator"),
    "array": ("items",),
    "string": ("enum", "const"),
    "integer": ("enum", "const"),
    "number": ("enum", "const"),
}


def keep_types_only(schemas: Schemas) -> Schemas:
    """Drop constraints, formats other than base64, defaults, examples and extensions; a component keeps its description."""
    stripped = {name: _strip_schema(schema) for name, schema in schemas.items()}
    return {
        name: {**schema, "description": schemas[name]["description"]}
        if isinstance(schemas[name].get("description"), str)
        else schema
        for name, schema in stripped.items()
    }


def _strip_schema(schema: SchemaNode) -> SchemaNode:
    kept = {key: value for key, value in schema.items() if key in MEANINGFUL}
    if schema.get("format") == "byte" and schema.get("type") == "string":
        kept["format"] = "binary"  # the generator's format for bytes, which msgspec decodes from base64
    return map_children(kept, _strip_schema)


def drop_reference_siblings(schemas: Schemas) -> Schemas:
    """Drop the siblings of `$ref`, except `nullable`, which adds null, and properties, which are merged."""

    def step(schema: SchemaNode) -> SchemaNode:
        if "$ref" not in schema:
            return schema
        bare: SchemaNode = {"$ref": schema["$ref"]}
        if "properties" in schema:
            return {"allOf": [bare, {key: value for key, value in schema.items() if key != "$ref"}]}
        return {"oneOf": [bare, NULL]} if schema.get("nullable") is True else bare

    return rewrite_all(schemas, step)


def convert_null_to_type(schemas: Schemas) -> Schemas:
    """Convert `nullable: true`, and null in an enum, to a union with null."""

    def step(schema: SchemaNode) -> SchemaNode:
        values = to_list(schema.get("enum"))
        nullable = schema.get("nullable") is True or (None in values and len(values) > 1)
        rest = {key: value for key, value in schema.items() if key != "nullable"}
        if len(values) > 1:
            rest["enum"] = [value for value in values if value is not None]
        return {"oneOf": [rest, NULL]} if nullable else rest

    return rewrite_all(schemas, step)


def convert_type_lists_to_unions(schemas: Schemas) -> Schemas:
    """Convert `type: [string, object]` to a union whose variants keep the keywords of their type."""

    def step(schema: SchemaNode) -> SchemaNode:
        types = to_list(schema.get("type"))
        if not types:
            return schema
        if len(types) == 1:
            return {**schema, "type": types[0]}
        everywhere = {key for keys in KEYWORDS_BY_TYPE.values() for key in keys}
        shared = {key: value for key, value in schema.items() if key != "type" and key not in everywhere}
        union = [
            {"type": name, **{key: schema[key] for key in KEYWORDS_BY_TYPE.get(str(name), ()) if key in schema}}
            for name in types
        ]
        if "oneOf" in shared or "anyOf" in shared or "allOf" in shared:
            return shared  # the alternatives already imply the type list
        return {**shared, "oneOf": union}

    return rewrite_all(schemas, step)


def convert_unions_to_one_of(schemas: Schemas) -> Schemas:
    """Convert `anyOf` to `oneOf`, drop alternatives that only constrain, and complete the mapping's references."""

    def step(schema: SchemaNode) -> SchemaNode:
        if "anyOf" not in schema and "oneOf" not in schema:
            return {key: value for key, value in schema.items() if key != "discriminator"}
        alternatives = [to_schema(item) for key in ("oneOf", "anyOf") for item in to_list(schema.get(key))]
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
        if "properties" in schema and all(not (item.keys() - {"required", "type"}) for item in alternatives):
            return rest
        return {**rest, "oneOf": alternatives, **_complete_mapping(schema)}

    return rewrite_all(schemas, step)


def _complete_mapping(schema: SchemaNode) -> SchemaNode:
    discriminator = to_schema(schema.get("discriminator"))
    mapping = to_schema(discriminator.get("mapping"))
    if not mapping:
        return {}
    full = {
        tag: name if str(name).startswith("#") else COMPONENTS + str(name).removesuffix(".yaml").split("/")[-1]
        for tag, name in mapping.items()
    }
    return {"discriminator": {**discriminator, "mapping": full}}


def convert_single_values_to_const(schemas: Schemas) -> Schemas:
    """Convert single-value enums to const, and add the type of consts and enums; booleans and null become plain types."""

    def step(schema: SchemaNode) -> SchemaNode:
        values = [schema["const"]] if "const" in schema else to_list(schema.get("enum"))
        if not values:
            return schema
        rest = {key: value for key, value in schema.items() if key not in ("const", "enum")}
        if values == [None]:
            return {**rest, "type": "null"}
        if all(isinstance(value, bool) for value in values):
            return {**rest, "type": "boolean"}
        if all(isinstance(value, str) for value in values):
            rest = {**rest, "type": "string"}
        elif all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            rest = {**rest, "type": "integer"}
        elif all(isinstance(value, (int, float)) for value in values):
            return {**rest, "type": "number"}
        else:
            return {key: value for key, value in rest.items() if key != "type"}
        return {**rest, "const": values[0]} if len(values) == 1 else {**rest, "enum": values}

    return rewrite_all(schemas, step)


def infer_missing_types(schemas: Schemas) -> Schemas:
    """Add missing types of objects and arrays; an object without properties is a map of any values."""

    def step(schema: SchemaNode) -> SchemaNode:
        if "properties" in schema and not to_schema(schema["properties"]):
            schema = {key: value for key, value in schema.items() if key not in ("properties", "required")}
            schema = {**schema, "type": "object"}
        if "properties" in schema:
            named = {key: value for key, value in schema.items() if key not in ("additionalProperties", "required")}
            needed = [name for name in list_required(schema) if name in read_properties(schema)]
            return {**named, "type": "object", **({"required": needed} if needed else {})}
        if "items" in schema:
            return {**schema, "type": "array"}
        if isinstance(schema.get("additionalProperties"), dict) or schema.get("type") == "object":
            if "oneOf" in schema or "allOf" in schema:
                return {key: value for key, value in schema.items() if key not in ("type", "additionalProperties")}
            values = schema.get("additionalProperties")
            rest = {key: value for key, value in schema.items() if key != "required"}
            return {**rest, "type": "object", "additionalProperties": values if isinstance(values, dict) else {}}
        return schema

    return rewrite_all(schemas, step)
