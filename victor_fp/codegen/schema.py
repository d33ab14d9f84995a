"""JSON Schemas as plain mappings: how to read them, follow references and rewrite them without mutation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

Schema: TypeAlias = dict[str, object]
Schemas: TypeAlias = dict[str, Schema]
"""Component name -> schema, as under `components.schemas`."""

SchemaKind: TypeAlias = Literal["any", "null", "string", "number", "boolean", "array", "object", "map"]

COMPONENTS = "#/components/schemas/"


def to_schema(value: object) -> Schema:
    """Read a node of a document as a schema; `true`, `false` and anything else that is no mapping allow everything."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def to_list(value: object) -> list[object]:
    """The list a node is, or an empty one."""
    return list(value) if isinstance(value, list) else []


def make_reference(name: str) -> Schema:
    """A schema that refers to a component."""
    return {"$ref": COMPONENTS + name}


def find_reference(schema: Schema) -> str | None:
    """The component a schema refers to, or None for a schema that stands for itself."""
    target = schema.get("$ref")
    return target[len(COMPONENTS) :] if isinstance(target, str) and target.startswith(COMPONENTS) else None


def resolve(schemas: Schemas, schema: Schema) -> Schema:
    """Follow references to the schema they end at; a dangling or circular reference allows everything."""
    seen: set[str] = set()
    while "$ref" in schema:
        name = find_reference(schema)
        if name is None or name in seen or name not in schemas:
            return {}
        seen.add(name)
        schema = schemas[name]
    return schema


def read_properties(schema: Schema) -> dict[str, Schema]:
    """Named fields of an object."""
    return {name: to_schema(item) for name, item in to_schema(schema.get("properties")).items()}


def list_required(schema: Schema) -> tuple[str, ...]:
    """Names of the fields an object must have."""
    return tuple(item for item in to_list(schema.get("required")) if isinstance(item, str))


def list_variants(schema: Schema, keyword: str = "oneOf") -> list[Schema]:
    """Alternatives of a union, or parts of a composition."""
    return [to_schema(item) for item in to_list(schema.get(keyword))]


def list_constants(schema: Schema) -> tuple[str, ...]:
    """The strings a schema is limited to: of `const`, of `enum`, or of a union of nothing else; empty where open."""
    if isinstance(schema.get("const"), str):
        return (str(schema["const"]),)
    found = to_list(schema.get("enum"))
    if found and all(isinstance(item, str) for item in found):
        return tuple(str(item) for item in found)
    return ()


def find_kind(schemas: Schemas, schema: Schema) -> SchemaKind:
    """What JSON a schema stands for, unions aside: an object with named properties is "object", without them "map"."""
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


def collect_kinds(schemas: Schemas, schema: Schema) -> frozenset[SchemaKind]:
    """Every kind of JSON a schema allows, looking through references and unions; each component is visited once."""
    found: set[SchemaKind] = set()
    seen: set[str] = set()
    waiting = [schema]
    while waiting:
        current = waiting.pop()
        name = find_reference(current)
        if name is not None:
            if name in seen:
                continue
            seen.add(name)
        target = resolve(schemas, current)
        if "oneOf" in target:
            waiting += list_variants(target)
        else:
            found.add(find_kind(schemas, target))
    return frozenset(found)


def map_children(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Apply `change` to every schema directly inside a schema, wherever the keyword keeps schemas."""
    result: Schema = {}
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


def list_children(schema: Schema) -> list[Schema]:
    """The schemas directly inside a schema."""
    found: list[Schema] = []

    def collect(inner: Schema) -> Schema:
        found.append(inner)
        return inner

    map_children(schema, collect)
    return found


def rewrite(schema: Schema, step: Callable[[Schema], Schema]) -> Schema:
    """Apply a step to a schema and everything inside it, innermost first."""
    return step(map_children(schema, lambda inner: rewrite(inner, step)))


def rewrite_all(schemas: Schemas, step: Callable[[Schema], Schema]) -> Schemas:
    """Apply a step everywhere in every component."""
    return {name: rewrite(schema, step) for name, schema in schemas.items()}


def list_references(schema: Schema) -> Iterator[str]:
    """Names of the components a schema refers to directly, in the order they are written."""
    name = find_reference(schema)
    if name is not None:
        yield name
    for inner in list_children(schema):
        yield from list_references(inner)


def find_reachable(schemas: Schemas, roots: Iterable[str]) -> tuple[str, ...]:
    """Names of the roots and of all they lead to, each root followed by what it brings in."""
    order: dict[str, None] = {}
    waiting = list(reversed(list(roots)))
    while waiting:
        name = waiting.pop()
        if name in order or name not in schemas:
            continue
        order[name] = None
        waiting.extend(reversed(list(list_references(schemas[name]))))
    return tuple(order)


def prune(schemas: Schemas, roots: Iterable[str]) -> Schemas:
    """Only the components that the roots reach, in reading order."""
    return {name: schemas[name] for name in find_reachable(schemas, roots)}


def to_pascal_case(text: str) -> str:
    """`tool_calls` -> `ToolCalls`: the pieces between other signs, each with its first letter raised."""
    pieces = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in text).split()
    return "".join(piece[:1].upper() + piece[1:] for piece in pieces)


def make_unique_name(name: str, taken: Iterable[str]) -> str:
    """The name itself, or with the first number from 2 up that makes it new."""
    used = taken if isinstance(taken, (dict, set, frozenset)) else set(taken)
    candidate, number = name, 2
    while candidate in used:
        candidate, number = f"{name}{number}", number + 1
    return candidate
