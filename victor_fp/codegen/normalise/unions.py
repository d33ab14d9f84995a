"""Simplification of unions to ones that can be decoded: at most one variant per JSON type, except tagged objects."""

from __future__ import annotations

from collections import Counter

from victor_fp.codegen.bounds import CodegenFailed, Work
from victor_fp.codegen.schema import (
    SchemaKind,
    SchemaNode,
    Schemas,
    collect_kinds,
    find_kind,
    find_reference,
    list_constants,
    list_required,
    list_variants,
    make_unique_name,
    map_children,
    read_properties,
    resolve,
    to_list,
    to_schema,
)

MAX_VARIANTS = 1000
"""Maximum number of variants of a union, including nested ones; the largest vendor union has about 60."""
MERGED = "x-merged"
"""Marks, during tagging, a merged component with the names of its origins."""


def simplify_unions(schemas: Schemas) -> Schemas:
    """Flatten nested unions, merge variants of one type, and unwrap unions with one variant.

    Objects with properties are kept, to be distinguished by tags; alongside a map of any values, they become that map.
    """
    work = _Work()
    return {name: _simplify(schemas, schema, frozenset({name}), work) for name, schema in schemas.items()}


def _simplify(schemas: Schemas, schema: SchemaNode, visited: frozenset[str], work: _Work) -> SchemaNode:
    work.spend()
    schema = map_children(schema, lambda inner: _simplify(schemas, inner, visited, work))
    if "oneOf" not in schema:
        return schema
    described: SchemaNode = {"description": schema["description"]} if "description" in schema else {}
    alternatives = _splice(schemas, list_variants(schema), visited, work)
    found = {shape: [item for item in alternatives if _classify(schemas, item) == shape] for shape in _ORDER}
    if found["any"]:
        return described
    united = [
        *_merge_strings(schemas, found["string"]),
        *_merge_numbers(schemas, found["number"]),
        *found["boolean"][:1],
        *_merge_arrays(schemas, found["array"], visited, work),
        *_merge_maps(found["map"], found["object"]),
        *found["null"][:1],
    ]
    unions = [item for item in alternatives if _classify(schemas, item) == "union"]
    united = [*unions, *united]
    if len(united) == 1:
        return {**united[0], **(described if "$ref" not in united[0] else {})}
    kept = {key: schema[key] for key in ("discriminator",) if key in schema and len(found["object"]) > 1}
    return {**described, "oneOf": united, **kept}


_ORDER: tuple[SchemaKind, ...] = ("any", "string", "number", "boolean", "array", "map", "object", "null")


def _classify(schemas: Schemas, schema: SchemaNode) -> SchemaKind | str:
    return "union" if "oneOf" in resolve(schemas, schema) else find_kind(schemas, schema)


def _splice(schemas: Schemas, alternatives: list[SchemaNode], visited: frozenset[str], work: _Work) -> list[SchemaNode]:
    """Replace inline unions by their variants, and named ones if they overlap with other alternatives."""
    result = _flatten(alternatives)
    spliced = visited
    while (index := _find_overlap([work.collect_kinds(schemas, item) for item in result], schemas, result)) is not None:
        work.spend(len(result))
        name = find_reference(result[index]) or ""
        inside = list_variants(resolve(schemas, result[index])) if name not in spliced else []
        spliced |= {name}
        simple = [_simplify(schemas, option, spliced, work) for option in inside]
        result = _flatten([*result[:index], *simple, *result[index + 1 :]])
    return result


def _flatten(alternatives: list[SchemaNode]) -> list[SchemaNode]:
    """Flatten inline unions and remove duplicates."""
    result: list[SchemaNode] = []
    for item in alternatives:
        result.extend(option for option in (_flatten(list_variants(item)) or [item]) if option not in result)
        if len(result) > MAX_VARIANTS:
            raise CodegenFailed(f"a union has more than {MAX_VARIANTS} variants")
    return result


def _find_overlap(shapes: list[frozenset[SchemaKind]], schemas: Schemas, alternatives: list[SchemaNode]) -> int | None:
    """Return the index of the first named union that overlaps with another alternative in a JSON type."""
    counts = Counter(shape for group in shapes for shape in group)
    for index, (item, own) in enumerate(zip(alternatives, shapes, strict=True)):
        if "oneOf" not in resolve(schemas, item):
            continue
        others = {shape for shape, count in counts.items() if count > (shape in own)}
        both = own | others
        if own & others or "any" in own or ("map" in both and "object" in both and others):
            return index
    return None


class _Work(Work):
    """Work counter with a cache of the JSON types of each component."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, frozenset[SchemaKind]] = {}

    def collect_kinds(self, schemas: Schemas, item: SchemaNode) -> frozenset[SchemaKind]:
        """Return the JSON types of an alternative; `schemas` must be the same in all calls."""
        name = find_reference(item)
        if name is None:
            return collect_kinds(schemas, item)
        if name not in self._kinds:
            self._kinds[name] = collect_kinds(schemas, item)
        return self._kinds[name]


def _merge_strings(schemas: Schemas, alternatives: list[SchemaNode]) -> list[SchemaNode]:
    if len(alternatives) < 2:
        return alternatives
    values = [list_constants(resolve(schemas, item)) for item in alternatives]
    if not all(values):
        return [{"type": "string"}]
    return [{"type": "string", "enum": list(dict.fromkeys(value for group in values for value in group))}]


def _merge_numbers(schemas: Schemas, alternatives: list[SchemaNode]) -> list[SchemaNode]:
    if len(alternatives) < 2:
        return alternatives
    whole = all(resolve(schemas, item).get("type") == "integer" for item in alternatives)
    return [{"type": "integer" if whole else "number"}]


def _merge_arrays(
    schemas: Schemas, alternatives: list[SchemaNode], visited: frozenset[str], work: _Work
) -> list[SchemaNode]:
    if len(alternatives) < 2:
        return alternatives
    items = [to_schema(resolve(schemas, item).get("items")) for item in alternatives]
    return [{"type": "array", "items": _simplify(schemas, {"oneOf": items}, visited, work)}]


def _merge_maps(maps: list[SchemaNode], objects: list[SchemaNode]) -> list[SchemaNode]:
    if not maps:
        return objects
    return maps[:1] if len(maps) == 1 and not objects else [{"type": "object", "additionalProperties": {}}]


def merge_objects(schemas: Schemas, alternatives: list[SchemaNode], name: str) -> str:
    """Add a component with the fields of all alternatives to `schemas` and return its name.

    Fields are required if all alternatives require them. A field with conflicting types accepts anything. The same alternatives
    share one component, since a union inside its own variants would otherwise be merged endlessly.
    """
    origins = sorted({origin for item in alternatives for origin in _list_origins(schemas, item)})
    known = [existing for existing, schema in schemas.items() if schema.get(MERGED) == origins]
    if known:
        return known[0]
    resolved = [resolve(schemas, item) for item in alternatives]
    fields: dict[str, SchemaNode] = {}
    for item in resolved:
        for field, schema in read_properties(item).items():
            fields[field] = _intersect(schemas, fields[field], schema) if field in fields else schema
    needed = [field for field in list_required(resolved[0]) if all(field in list_required(item) for item in resolved)]
    name = make_unique_name(name, schemas)
    merged: SchemaNode = {"type": "object", "properties": fields, MERGED: origins}
    schemas[name] = {**merged, "required": needed} if needed else merged
    return name


def _list_origins(schemas: Schemas, schema: SchemaNode) -> list[str]:
    found = to_list(resolve(schemas, schema).get(MERGED))
    return [str(origin) for origin in found] or [find_reference(schema) or repr(schema)]


def _intersect(schemas: Schemas, one: SchemaNode, other: SchemaNode) -> SchemaNode:
    if one == other:
        return one
    united = _simplify(schemas, {"oneOf": [one, other]}, frozenset(), _Work())
    objects = [item for item in list_variants(united) if _classify(schemas, item) in ("object", "union")]
    return united if len(objects) < 2 else {}
