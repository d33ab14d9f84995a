"""A union a decoder can tell apart: at most one variant per kind of JSON, several objects only where a tag follows."""

from __future__ import annotations

from victor_fp.codegen.schema import (
    Kind,
    Schema,
    Schemas,
    as_schema,
    children,
    constants,
    fresh,
    kind,
    kinds,
    properties,
    reference_name,
    required,
    resolve,
    variants,
)


def simplify_unions(schemas: Schemas) -> Schemas:
    """Splice nested unions in, merge variants of one kind, and unwrap unions of one.

    Objects with properties stay apart, for tags to tell them; beside a map of anything they become that map.
    """
    return {name: _simple(schemas, schema, frozenset({name})) for name, schema in schemas.items()}


def _simple(schemas: Schemas, schema: Schema, seen: frozenset[str]) -> Schema:
    schema = children(schema, lambda inner: _simple(schemas, inner, seen))
    if "oneOf" not in schema:
        return schema
    described: Schema = {"description": schema["description"]} if "description" in schema else {}
    alternatives = _spliced(schemas, variants(schema), seen)
    found = {shape: [item for item in alternatives if _kind(schemas, item) == shape] for shape in _ORDER}
    if found["any"]:
        return described
    united = [
        *_strings(schemas, found["string"]),
        *_numbers(schemas, found["number"]),
        *found["boolean"][:1],
        *_arrays(schemas, found["array"], seen),
        *_maps(found["map"], found["object"]),
        *found["null"][:1],
    ]
    unions = [item for item in alternatives if _kind(schemas, item) == "union"]
    united = [*unions, *united]
    if len(united) == 1:
        return {**united[0], **(described if "$ref" not in united[0] else {})}
    kept = {key: schema[key] for key in ("discriminator",) if key in schema and len(found["object"]) > 1}
    return {**described, "oneOf": united, **kept}


_ORDER: tuple[Kind, ...] = ("any", "string", "number", "boolean", "array", "map", "object", "null")


def _kind(schemas: Schemas, schema: Schema) -> Kind | str:
    return "union" if "oneOf" in resolve(schemas, schema) else kind(schemas, schema)


def _spliced(schemas: Schemas, alternatives: list[Schema], seen: frozenset[str]) -> list[Schema]:
    """Replace inline unions by their variants, and named ones too where they overlap with what stands beside them."""
    result: list[Schema] = []
    for position, item in enumerate(alternatives):
        name = reference_name(item)
        target = resolve(schemas, item)
        if "oneOf" not in target or (name is not None and name in seen):
            expanded = [item]
        elif name is None:
            expanded = _spliced(schemas, variants(target), seen)
        else:
            others = [other for place, other in enumerate(alternatives) if place != position]
            beside = frozenset(shape for other in others for shape in kinds(schemas, other))
            own = kinds(schemas, item)
            overlap = bool(own & beside) or ("map" in own | beside and "object" in own | beside) or "any" in own
            expanded = _spliced(schemas, variants(target), seen | {name}) if overlap else [item]
        result.extend(option for option in expanded if option not in result)
    return result


def _strings(schemas: Schemas, alternatives: list[Schema]) -> list[Schema]:
    if len(alternatives) < 2:
        return alternatives
    values = [constants(resolve(schemas, item)) for item in alternatives]
    if not all(values):
        return [{"type": "string"}]
    return [{"type": "string", "enum": list(dict.fromkeys(value for group in values for value in group))}]


def _numbers(schemas: Schemas, alternatives: list[Schema]) -> list[Schema]:
    if len(alternatives) < 2:
        return alternatives
    whole = all(resolve(schemas, item).get("type") == "integer" for item in alternatives)
    return [{"type": "integer" if whole else "number"}]


def _arrays(schemas: Schemas, alternatives: list[Schema], seen: frozenset[str]) -> list[Schema]:
    if len(alternatives) < 2:
        return alternatives
    items = [as_schema(resolve(schemas, item).get("items")) for item in alternatives]
    return [{"type": "array", "items": _simple(schemas, {"oneOf": items}, seen)}]


def _maps(maps: list[Schema], objects: list[Schema]) -> list[Schema]:
    if not maps:
        return objects
    return maps[:1] if len(maps) == 1 and not objects else [{"type": "object", "additionalProperties": {}}]


def merge_objects(schemas: Schemas, alternatives: list[Schema], name: str) -> str:
    """Write one flat component with the fields of all alternatives into `schemas`; only what all require is required.

    Where two alternatives disagree about the type of a field, it allows everything. Returns the component's name.
    """
    resolved = [resolve(schemas, item) for item in alternatives]
    fields: dict[str, Schema] = {}
    for item in resolved:
        for field, schema in properties(item).items():
            fields[field] = _agreed(schemas, fields[field], schema) if field in fields else schema
    needed = [field for field in required(resolved[0]) if all(field in required(item) for item in resolved)]
    merged: Schema = {"type": "object", "properties": fields, **({"required": needed} if needed else {})}
    if name in schemas and schemas[name] == merged:
        return name
    name = fresh(name, schemas)
    schemas[name] = merged
    return name


def _agreed(schemas: Schemas, one: Schema, other: Schema) -> Schema:
    if one == other:
        return one
    united = _simple(schemas, {"oneOf": [one, other]}, frozenset())
    objects = [item for item in variants(united) if _kind(schemas, item) in ("object", "union")]
    return united if len(objects) < 2 else {}
