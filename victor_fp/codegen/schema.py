"""JSON Schemas as plain mappings: access, reference resolution and rewriting without mutation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

SchemaNode: TypeAlias = dict[str, object]
Schemas: TypeAlias = dict[str, SchemaNode]
"""Component name -> schema, as under `components.schemas`."""

SchemaKind: TypeAlias = Literal["any", "null", "string", "number", "boolean", "array", "object", "map"]

COMPONENTS = "#/components/schemas/"


def to_schema(value: object) -> SchemaNode:
    """Read a node as a schema; values other than mappings, such as booleans, accept anything."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def to_list(value: object) -> list[object]:
    """Return the node if it is a list, else an empty list."""
    return list(value) if isinstance(value, list) else []


def make_reference(name: str) -> SchemaNode:
    """Return a reference to a component."""
    return {"$ref": COMPONENTS + name}


def find_reference(schema: SchemaNode) -> str | None:
    """Return the component that a schema references; None if it is not a reference."""
    target = schema.get("$ref")
    return target[len(COMPONENTS) :] if isinstance(target, str) and target.startswith(COMPONENTS) else None


def resolve(schemas: Schemas, schema: SchemaNode) -> SchemaNode:
    """Follow references to their target; a dangling or circular reference accepts anything."""
    seen: set[str] = set()
    while "$ref" in schema:
        name = find_reference(schema)
        if name is None or name in seen or name not in schemas:
            return {}
        seen.add(name)
        schema = schemas[name]
    return schema


def read_properties(schema: SchemaNode) -> dict[str, SchemaNode]:
    """Return the named fields of an object."""
    return {name: to_schema(item) for name, item in to_schema(schema.get("properties")).items()}


def list_required(schema: SchemaNode) -> tuple[str, ...]:
    """Return the names of required fields."""
    return tuple(item for item in to_list(schema.get("required")) if isinstance(item, str))


def list_variants(schema: SchemaNode, keyword: str = "oneOf") -> list[SchemaNode]:
    """Return the alternatives of a union, or the parts of a composition."""
    return [to_schema(item) for item in to_list(schema.get(keyword))]


def list_constants(schema: SchemaNode) -> tuple[str, ...]:
    """Return the strings of `const` or `enum`; empty if there are none, or other values."""
    if isinstance(schema.get("const"), str):
        return (str(schema["const"]),)
    found = to_list(schema.get("enum"))
    if found and all(isinstance(item, str) for item in found):
        return tuple(str(item) for item in found)
    return ()


def find_kind(schemas: Schemas, schema: SchemaNode) -> SchemaKind:
    """Return the JSON type of a schema that is not a union: "object" with named properties, "map" without."""
    schema = resolve(schemas, schema)
    if "properties" in schema:
        return "object"
    match schema.get("type"):
        case "object":
            return "map"
        case "integer" | "number":
            return "number"
        case "string":
            return "string"
        case "boolean":
            return "boolean"
        case "array":
            return "array"
        case "null":
            return "null"
        case _:
            return "any"


def collect_kinds(schemas: Schemas, schema: SchemaNode) -> frozenset[SchemaKind]:
    """Return all JSON types of a schema, through references and unions; each component is visited once."""
    found: set[SchemaKind] = set()
    seen: set[str] = set()
    pending = [schema]
    while pending:
        current = pending.pop()
        name = find_reference(current)
        if name is not None:
            if name in seen:
                continue
            seen.add(name)
        target = resolve(schemas, current)
        if "oneOf" in target:
            pending += list_variants(target)
        else:
            found.add(find_kind(schemas, target))
    return frozenset(found)


def map_children(schema: SchemaNode, change: Callable[[SchemaNode], SchemaNode]) -> SchemaNode:
    """Apply `change` to every direct subschema."""
    result: SchemaNode = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties", "$defs"):
            result[keyword] = {name: change(to_schema(item)) for name, item in to_schema(value).items()}
        elif keyword in ("oneOf", "anyOf", "allOf", "prefixItems"):
            result[keyword] = [change(to_schema(item)) for item in to_list(value)]
        elif keyword in ("items", "additionalProperties", "not") and isinstance(value, dict):
            result[keyword] = change(to_schema(value))
        else:
            result[keyword] = value
    return result


def list_children(schema: SchemaNode) -> list[SchemaNode]:
    """Return the direct subschemas."""
    found: list[SchemaNode] = []

    def collect(inner: SchemaNode) -> SchemaNode:
        found.append(inner)
        return inner

    map_children(schema, collect)
    return found


def rewrite(schema: SchemaNode, step: Callable[[SchemaNode], SchemaNode]) -> SchemaNode:
    """Apply a step to a schema and all its subschemas, innermost first."""
    return step(map_children(schema, lambda inner: rewrite(inner, step)))


def rewrite_all(schemas: Schemas, step: Callable[[SchemaNode], SchemaNode]) -> Schemas:
    """Apply a step to all schemas of all components."""
    return {name: rewrite(schema, step) for name, schema in schemas.items()}


def list_references(schema: SchemaNode) -> Iterator[str]:
    """Yield the components that a schema references directly, in order."""
    name = find_reference(schema)
    if name is not None:
        yield name
    for inner in list_children(schema):
        yield from list_references(inner)


def find_reachable(schemas: Schemas, roots: Iterable[str]) -> tuple[str, ...]:
    """Return the roots and all components reachable from them, each root followed by its references."""
    order: dict[str, None] = {}
    pending = list(reversed(list(roots)))
    while pending:
        name = pending.pop()
        if name in order or name not in schemas:
            continue
        order[name] = None
        pending.extend(reversed(list(list_references(schemas[name]))))
    return tuple(order)


def prune(schemas: Schemas, roots: Iterable[str]) -> Schemas:
    """Return the components reachable from the roots, in reading order."""
    return {name: schemas[name] for name in find_reachable(schemas, roots)}


def to_pascal_case(text: str) -> str:
    """Convert to Pascal case: `tool_calls` -> `ToolCalls`."""
    pieces = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in text).split()
    return "".join(piece[:1].upper() + piece[1:] for piece in pieces)


def make_unique_name(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number from 2 on appended if it is taken."""
    used = taken if isinstance(taken, (dict, set, frozenset)) else set(taken)
    candidate, number = name, 2
    while candidate in used:
        candidate, number = f"{name}{number}", number + 1
    return candidate
