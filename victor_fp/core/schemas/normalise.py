"""Normalisation of older drafts, OpenAPI and type names of programming languages to JSON Schema 2020-12.

The intended meaning is preserved; everything that is not JSON Schema 2020-12 is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from victor_fp.core.json import Json, encode_json
from victor_fp.core.schemas.vocabulary import OF_TYPE, SCHEMA_LISTS, SCHEMA_MAPS, SINGLE_SCHEMAS, Schema, list_types

OTHER_TYPES: Mapping[str, str] = {
    **dict.fromkeys(
        ("dict", "dictionary", "map", "mapping", "hashmap", "hashtable", "hash", "struct", "json"), "object"
    ),
    **dict.fromkeys(("list", "tuple", "set", "arraylist", "sequence", "stack", "queue", "vector", "iterable"), "array"),
    **dict.fromkeys(("float", "double", "decimal", "real", "numeric"), "number"),
    **dict.fromkeys(("int", "int32", "int64", "long", "short", "byte", "bigint", "biginteger", "uint"), "integer"),
    **dict.fromkeys(("str", "char", "text", "varchar"), "string"),
    "bool": "boolean",
    **dict.fromkeys(("none", "nonetype", "void", "undefined", "nil"), "null"),
}
"""JSON Schema type by type name of programming languages, lower case."""
ANY_TYPES = frozenset({"any", "mixed", "unknown", "anytype"})
"""Names for any type, which JSON Schema expresses by omitting the type."""


MAX_DESCRIBED = 400
"""Maximum length of one keyword in a description, in characters."""
_SHOWN = 60
"""Maximum length of a value in a message, in characters."""


class NormalisedLevel(msgspec.Struct, frozen=True):
    """One normalised level of a schema; subschemas are unchanged."""

    schema: Schema
    changes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Dropped parts that can be added to the description."""


def normalise(schema: Mapping[str, Json]) -> NormalisedLevel:
    """Normalise one level of a schema, without subschemas.

    >>> normalise({"type": "dict", "properties": {}}).schema
    {'type': 'object', 'properties': {}}
    """
    out: Schema = {}
    changes: list[str] = []
    texts: tuple[str, ...] = ()
    for keyword, value in schema.items():
        match keyword, value:
            case "type", _:
                types = _read_types(value)
                if types.type is not None:
                    out["type"] = types.type
                changes += types.changes
                texts = types.texts
            case (("properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"), dict()):
                named = {name: _read_schema(inner) for name, inner in value.items()}
                out[keyword] = {name: one for name, (one, _) in named.items()}
                changes += [change for _, change in named.values()]
            case (("anyOf" | "oneOf" | "allOf" | "prefixItems" | "items"), list()):
                listed = [_read_schema(inner) for inner in value]
                # Before 2020-12, a list of schemas under `items` had the meaning of `prefixItems`.
                out["prefixItems" if keyword == "items" else keyword] = [one for one, _ in listed]
                changes += [change for _, change in listed]
                if keyword == "items" and "additionalItems" in schema:
                    out["items"] = schema["additionalItems"]
            case _ if keyword in SINGLE_SCHEMAS:
                out[keyword], change = _read_schema(value)
                changes.append(change)
            case "required", list():
                out[keyword] = list(dict.fromkeys(name for name in value if isinstance(name, str)))
            case (("required" | "exclusiveMinimum" | "exclusiveMaximum" | "nullable"), bool()):
                pass  # expressed by `required` of the parent object, by the bound, and by the type
            case "minimum", _ if schema.get("exclusiveMinimum") is True:
                out["exclusiveMinimum"] = value
            case "maximum", _ if schema.get("exclusiveMaximum") is True:
                out["exclusiveMaximum"] = value
            case "additionalItems", _:
                pass
            case "dependencies", Mapping():
                out = _with_dependencies(out, value)
            case _ if keyword in _VALUE_TYPES and not _has_value_type(value, _VALUE_TYPES[keyword]):
                changes.append(f"{keyword} is not valid in JSON Schema and is not sent")
            case _:
                out[keyword] = value
    if "const" in out and "enum" in out:
        changes.append(_compare_with_const(out.pop("enum"), out["const"]))
    flagged = _list_required_by_flag(out.get("properties"))
    if flagged:
        given = out.get("required")
        out["required"] = list(dict.fromkeys([*(given if isinstance(given, list) else ()), *flagged]))
        changes.append("required: true of a property is moved to its object")
    if schema.get("nullable") is True:
        out, change = _with_null(out)
        changes.append(change)
    return NormalisedLevel(out, tuple(dict.fromkeys(filter(None, changes))), texts)


_VALUE_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys((*SCHEMA_MAPS, "dependentRequired"), dict),
    **dict.fromkeys(SCHEMA_LISTS, list),
    **dict.fromkeys(("pattern", "format", "$ref", "$dynamicRef", "title", "description"), str),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), int),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), (int, float)),
    **dict.fromkeys(("enum", "required"), list),
    "uniqueItems": bool,
}
"""Types of keyword values; others are rejected by all vendors."""


def _with_dependencies(schema: Schema, given: Mapping[str, Json]) -> Schema:
    """Split `dependencies` of draft 7 into the two keywords of 2020-12."""
    names = {name: value for name, value in given.items() if isinstance(value, list)}
    schemas = {name: value for name, value in given.items() if isinstance(value, Mapping | bool)}
    out = dict(schema)
    for keyword, found in (("dependentRequired", names), ("dependentSchemas", schemas)):
        existing = out.get(keyword)
        if found:
            out[keyword] = {**found, **(existing if isinstance(existing, Mapping) else {})}
    return out


def _has_value_type(value: Json, wanted: type | tuple[type, ...]) -> bool:
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _compare_with_const(values: Json, const: Json) -> str:
    """Return the change for an `enum` dropped in favour of `const`; empty if it contains the constant."""
    listed = values if isinstance(values, list) else []
    is_among = any(value == const and type(value) is type(const) for value in listed)
    return "" if is_among else "enum is not sent, since const contradicts it"


def _read_schema(value: Json) -> tuple[Json, str]:
    """Read a schema or a boolean; the bare name of a type is read as a schema of that type."""
    if isinstance(value, Mapping | bool):
        return value, ""
    if isinstance(value, str) and _find_known_type(value) is not None:
        return {"type": value}, f"the type {value!r} in place of a schema is sent as one"
    return {}, "a value that is not a schema is sent as one that accepts anything"


def _list_required_by_flag(properties: Json) -> list[str]:
    """Return the properties with `required: true`, as in draft 3."""
    if not isinstance(properties, Mapping):
        return []
    return [name for name, inner in properties.items() if isinstance(inner, Mapping) and inner.get("required") is True]


def _with_null(schema: Schema) -> tuple[Schema, str]:
    """Convert OpenAPI's `nullable: true`."""
    types = list_types(schema)
    if "null" in types:
        return schema, ""
    if not types:
        return schema, "nullable has no effect without a type and is not sent"
    out: Schema = {**schema, "type": [*types, "null"]}
    values = out.get("enum")
    if isinstance(values, list) and None not in values:
        out["enum"] = [*values, None]
    return out, "nullable is sent as the type null"


class _Types(msgspec.Struct, frozen=True):
    type: Json = None
    """None if any type is accepted."""
    changes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def _read_types(value: Json) -> _Types:
    """Read types as those of JSON Schema."""
    if value is None:
        return _Types()
    names = value if isinstance(value, list) else [value]
    types: list[Json] = []
    changes: list[str] = []
    is_any = False
    for name in names:
        known = _find_known_type(name) if isinstance(name, str) else None
        if known is not None:
            types += [] if known in types else [known]
            if known != name:
                changes.append(f"the type {name!r} is sent as {known!r}")
        elif isinstance(name, str) and name.strip().lower() in ANY_TYPES:
            is_any = True
            changes.append(f"the type {name!r} is omitted, which accepts anything")
        else:
            is_any = True
            changes.append(f"the type {_shorten(name)} is not a JSON Schema type and is moved to the description")
    if is_any or not types:
        # If one type of a union cannot be sent, the others would exclude intended values.
        unknown = [] if not changes else [name for name in names if not _is_any(name)]
        texts = (f"type: {' or '.join(map(str, unknown))[:_SHOWN]}",) if unknown and is_any else ()
        return _Types(None, tuple(changes), texts)
    return _Types(types if len(types) > 1 else types[0], tuple(changes))


def _is_any(name: Json) -> bool:
    return isinstance(name, str) and name.strip().lower() in ANY_TYPES


def _shorten(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _find_known_type(name: str) -> str | None:
    """Return the JSON type for a name such as `String`, `ArrayList` or `List[int]`."""
    low = name.strip().lower()
    base = low.partition("<")[0].partition("[")[0].strip()
    if low.endswith("[]"):
        return "array"
    if base in OF_TYPE:
        return base
    return OTHER_TYPES.get(base)


def describe_keyword(keyword: str, value: Json) -> str:
    """Return a keyword as text for the description.

    >>> describe_keyword("minimum", 1)
    'minimum: 1'
    """
    text = encode_json(value).decode()
    return f"{keyword}: {text if len(text) <= MAX_DESCRIBED else text[: MAX_DESCRIBED - 3] + '...'}"


def describe(schema: Schema, texts: Sequence[str]) -> Schema:
    """Append texts to the description of a schema.

    >>> describe({"description": "Years."}, ["minimum: 0"])
    {'description': 'Years. minimum: 0'}
    """
    if not texts:
        return schema
    given = schema.get("description")
    lead = given.rstrip() if isinstance(given, str) else ""
    joint = "" if not lead else " " if lead.endswith((".", "!", "?")) else ". "
    return {**schema, "description": f"{lead}{joint}{'; '.join(texts)}"}
