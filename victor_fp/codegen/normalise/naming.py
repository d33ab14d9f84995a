"""Naming of components as Python classes and aliases, without indirections and recursive aliases."""

from __future__ import annotations

from victor_fp.codegen.normalise.spelling import NULL
from victor_fp.codegen.schema import (
    COMPONENTS,
    SchemaNode,
    Schemas,
    find_reference,
    list_references,
    list_variants,
    make_unique_name,
    map_children,
    rewrite,
    rewrite_all,
    to_pascal_case,
    to_schema,
)

RESERVED = frozenset(
    {"Any", "Literal", "Struct", "TypeAlias", "Union", "UNSET", "UnsetType", "Annotated", "Meta", "Optional", "Field"}
    | {"None", "True", "False"}
)
"""Names imported by generated modules, and Python constants."""


def name_as_classes(schemas: Schemas) -> tuple[Schemas, dict[str, str]]:
    """Rename components to valid class names; return the schemas, and the new names by old name."""
    names: dict[str, str] = {}
    used: set[str] = set()
    for name in schemas:
        candidate = to_pascal_case(name) or "Schema"
        if candidate[0].isdigit() or candidate in RESERVED:
            candidate = "Schema" + candidate
        names[name] = make_unique_name(candidate, used)
        used.add(names[name])

    def rename(target: object) -> object:
        name = target[len(COMPONENTS) :] if isinstance(target, str) else ""
        return COMPONENTS + names[name] if name in names else target

    def step(schema: SchemaNode) -> SchemaNode:
        if "$ref" in schema:
            return {"$ref": rename(schema["$ref"])}
        discriminator = to_schema(schema.get("discriminator"))
        if "mapping" not in discriminator:
            return schema
        mapping = {tag: rename(target) for tag, target in to_schema(discriminator["mapping"]).items()}
        return {**schema, "discriminator": {**discriminator, "mapping": mapping}}

    return {names[name]: schema for name, schema in rewrite_all(schemas, step).items()}, names


def move_null_to_fields(schemas: Schemas) -> Schemas:
    """Move null from components to the references to them, so that a nullable object is compiled to a struct."""
    nullable = {
        name for name, schema in schemas.items() if NULL in list_variants(schema) and len(list_variants(schema)) > 1
    }

    def move_null(schema: SchemaNode) -> SchemaNode:
        return {"oneOf": [schema, NULL]} if find_reference(schema) in nullable else schema

    result = rewrite_all(schemas, move_null)
    return {name: _drop_null(schema) if name in nullable else schema for name, schema in result.items()}


def _drop_null(schema: SchemaNode) -> SchemaNode:
    kept = [option for option in list_variants(schema) if option != NULL]
    described: SchemaNode = {"description": schema["description"]} if "description" in schema else {}
    return {**described, **kept[0]} if len(kept) == 1 and "$ref" not in kept[0] else {**schema, "oneOf": kept}


def inline_scalars(schemas: Schemas, keep: frozenset[str]) -> Schemas:
    """Inline components that are a plain string, number, boolean, any value, or a reference to another component."""

    def inline(schema: SchemaNode, seen: frozenset[str] = frozenset()) -> SchemaNode:
        name = find_reference(schema)
        if name is None or name in keep or name in seen:
            return schema
        target = {key: value for key, value in schemas.get(name, {}).items() if key != "description"}
        if "$ref" in target:
            return inline(target, seen | {name})
        return target if all(_is_scalar(option) for option in list_variants(target) or [target]) else schema

    return {name: rewrite(schema, inline) if "$ref" not in schema else schema for name, schema in schemas.items()}


def _is_scalar(schema: SchemaNode) -> bool:
    plain = schema.get("type") in ("string", "integer", "number", "boolean", "null") or not schema
    return plain and "enum" not in schema and "const" not in schema


def break_alias_cycles(schemas: Schemas) -> Schemas:
    """Replace recursion in aliases by any value; only structs may be recursive."""
    result: Schemas = dict(schemas)
    for name in schemas:
        if "properties" not in result[name]:
            result[name] = _drop_goal(result, result[name], name)
    return result


def _drop_goal(schemas: Schemas, schema: SchemaNode, goal: str) -> SchemaNode:
    name = find_reference(schema)
    if name is None:
        return map_children(schema, lambda inner: _drop_goal(schemas, inner, goal))
    return {} if _can_reach(schemas, name, goal) else schema


def _can_reach(schemas: Schemas, name: str, goal: str) -> bool:
    seen: set[str] = set()
    pending = [name]
    while pending:
        current = pending.pop()
        if current == goal:
            return True
        if current in seen or current not in schemas or "properties" in schemas[current]:
            continue
        seen.add(current)
        pending.extend(list_references(schemas[current]))
    return False
