"""Flattening of `allOf`: structs have no inheritance, so the parts of a composition are merged."""

from __future__ import annotations

from itertools import product

from victor_fp.codegen.bounds import Work
from victor_fp.codegen.schema import (
    SchemaNode,
    Schemas,
    find_reference,
    list_required,
    list_variants,
    map_children,
    read_properties,
    resolve,
    to_schema,
)

MAX_COMBINATIONS = 64
"""Maximum number of combinations of unions; a larger product accepts anything."""


def flatten_all_of(schemas: Schemas) -> Schemas:
    """Merge the parts of each `allOf`, and the properties alongside a `oneOf` into each of its variants."""
    work = Work()
    return {name: _flatten(schemas, schema, frozenset({name}), work) for name, schema in schemas.items()}


def _flatten(schemas: Schemas, schema: SchemaNode, visited: frozenset[str], work: Work) -> SchemaNode:
    work.spend()
    schema = map_children(schema, lambda inner: _flatten(schemas, inner, visited, work))
    composed = "allOf" in schema or ("oneOf" in schema and "properties" in schema)
    if not composed:
        return schema
    described: SchemaNode = {"description": schema["description"]} if "description" in schema else {}
    own = {key: value for key, value in schema.items() if key not in ("allOf", "oneOf", "description", "discriminator")}
    parts = list_variants(schema, "allOf")
    if "oneOf" in schema:
        parts.append({key: schema[key] for key in ("oneOf", "discriminator") if key in schema})
    if len(parts) == 1 and not own.keys() - {"type", "required"} and not list_required(own):
        return {**parts[0], **described}
    return {**_merge(schemas, [*parts, own], visited, work), **described}


def _merge(schemas: Schemas, parts: list[SchemaNode], visited: frozenset[str], work: Work) -> SchemaNode:
    alternatives = [_list_alternatives(schemas, part, visited, work) for part in parts]
    count = 1
    for options in alternatives:
        count *= max(1, len(options))
    if count > MAX_COMBINATIONS:
        return {}
    merged = [_merge_plain(combination) for combination in product(*alternatives)]
    discriminators = [part["discriminator"] for part in parts if "oneOf" in part and "discriminator" in part]
    if len(merged) == 1:
        return merged[0]
    if not discriminators:
        return {"oneOf": merged}
    return {"oneOf": merged, "discriminator": {"propertyName": to_schema(discriminators[0]).get("propertyName")}}


def _list_alternatives(schemas: Schemas, part: SchemaNode, visited: frozenset[str], work: Work) -> list[SchemaNode]:
    """Return the plain schemas of a part: itself, its target, or each variant of a union."""
    name = find_reference(part)
    if name is not None:
        if name in visited or name not in schemas:
            return [{}]
        target = {
            key: value for key, value in schemas[name].items() if key != "discriminator" or "oneOf" in schemas[name]
        }
        flat = _flatten(schemas, target, visited | {name}, work)
        return _list_alternatives(schemas, flat, visited | {name}, work)
    if "oneOf" in part:
        return [
            option
            for variant in _tag_variants(schemas, part)
            for option in _list_alternatives(schemas, variant, visited, work)
        ]
    return [part]


def _tag_variants(schemas: Schemas, union: SchemaNode) -> list[SchemaNode]:
    """Add tags to variants that have them only in the union's mapping, since merging drops their names."""
    discriminator = to_schema(union.get("discriminator"))
    tag = discriminator.get("propertyName")
    by_reference = {target: value for value, target in to_schema(discriminator.get("mapping")).items()}
    result: list[SchemaNode] = []
    for variant in list_variants(union):
        value = by_reference.get(variant.get("$ref"))
        target = resolve(schemas, variant)
        if isinstance(tag, str) and value is not None and "oneOf" not in target and "allOf" not in target:
            constant: SchemaNode = {"type": "string", "const": value}
            result.append({**target, "properties": {**read_properties(target), tag: constant}})
        else:
            result.append(variant)
    return result


def _merge_plain(parts: tuple[SchemaNode, ...]) -> SchemaNode:
    if not any("properties" in part for part in parts):
        merged: SchemaNode = {}
        for part in parts:
            merged.update({key: value for key, value in part.items() if key != "description"})
        return merged
    fields: dict[str, SchemaNode] = {}
    needed: dict[str, None] = {}
    for part in parts:
        for name, field in read_properties(part).items():
            if field or name not in fields:
                fields[name] = field
        needed.update(dict.fromkeys(list_required(part)))
    present = [name for name in needed if name in fields]
    return {"type": "object", "properties": fields, **({"required": present} if present else {})}
