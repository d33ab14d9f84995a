"""Hoisting of inline objects to components named Parent+Field, so that every struct has a stable name."""

from __future__ import annotations

from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    find_kind,
    list_constants,
    list_variants,
    make_reference,
    make_unique_name,
    read_properties,
    resolve,
    to_pascal_case,
    to_schema,
)


def hoist_objects(schemas: Schemas) -> Schemas:
    """Move every inline object to a component and reference it; equal objects share one."""
    result = _Hoisted(schemas)
    for name, schema in schemas.items():
        result[name] = _hoist_inside(result, schema, name)
    return dict(result)


class _Hoisted(dict[str, SchemaNode]):
    """Components, and the names of hoisted ones by content.

    A YAML alias repeats an object in many places; without sharing, the output would grow with each level of them.
    """

    def __init__(self, schemas: Schemas) -> None:
        super().__init__(schemas)
        self.by_content: dict[str, str] = {}


def _hoist_inside(result: _Hoisted, schema: SchemaNode, path: str) -> SchemaNode:
    """Hoist the contents of a schema; `path` is the name for an object found here."""
    changed = dict(schema)
    if "properties" in schema:
        changed["properties"] = {
            name: _hoist(result, field, path + to_pascal_case(name)) for name, field in read_properties(schema).items()
        }
    if isinstance(schema.get("items"), dict):
        changed["items"] = _hoist(result, to_schema(schema["items"]), path)
    if isinstance(schema.get("additionalProperties"), dict):
        changed["additionalProperties"] = _hoist(result, to_schema(schema["additionalProperties"]), path + "Value")
    if "oneOf" in schema:
        names = name_variants(result, list_variants(schema), path)
        changed["oneOf"] = [_hoist(result, item, name) for item, name in zip(list_variants(schema), names, strict=True)]
    return changed


def _hoist(result: _Hoisted, schema: SchemaNode, name: str) -> SchemaNode:
    if "properties" not in schema:
        return _hoist_inside(result, schema, name)
    name = make_unique_name(name, result)
    result[name] = {}
    inside = _hoist_inside(result, schema, name)
    known = result.by_content.setdefault(repr({key: inside[key] for key in inside if key != "description"}), name)
    if known != name:
        del result[name]
        return make_reference(known)
    result[name] = inside
    return make_reference(name)


def name_variants(schemas: Schemas, alternatives: list[SchemaNode], path: str) -> list[str]:
    """Return a name for each variant of a union: the path plus its tag, or its number if several have none."""
    inline = [item for item in alternatives if "properties" in item]
    names: list[str] = []
    for number, item in enumerate(alternatives, start=1):
        if len(inline) <= 1 and not any(
            find_kind(schemas, other) == "object" for other in alternatives if other is not item
        ):
            names.append(path)
            continue
        tag = _find_tag(schemas, item)
        names.append(path + (to_pascal_case(tag) if tag else f"Variant{number}"))
    return names


def _find_tag(schemas: Schemas, schema: SchemaNode) -> str:
    fields = read_properties(schema)
    for name in ("type", "role", "object", "kind", "event", *fields):
        values = list_constants(resolve(schemas, fields[name])) if name in fields else ()
        if len(values) == 1:
            return values[0]
    return ""
