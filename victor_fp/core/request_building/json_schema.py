"""JSON Schemas of callers, converted to what a vendor accepts without a change of meaning, or with the change named.

Rules: a conversion that allows other values than the original is listed in `Conversion.changes`; spellings of types
from other languages (`dict`, `float`, `tuple`) become JSON Schema's; `discriminator`, which is OpenAPI's and restricts
nothing, is left out; `oneOf` becomes `anyOf` where no value can match two branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.dialects.tools import OPENAI_STRICT_KEYWORDS, SchemaSupport
from victor_fp.core.json import Json

Schema: TypeAlias = dict[str, Json]

SCHEMA_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value maps names to schemas."""
SCHEMA_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
SINGLE_SCHEMAS = frozenset(
    {
        *("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"),
        *("unevaluatedProperties", "unevaluatedItems", "additionalItems"),
    }
)
"""Keywords whose value is a schema, a boolean, or in older drafts a list of schemas."""
ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
)
"""Keywords that restrict nothing."""
TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
OTHER_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("dict", "map", "hashmap", "hashtable", "hash", "struct", "mapping"), "object"),
    **dict.fromkeys(("list", "tuple", "set", "arraylist", "sequence", "stack", "queue", "vector"), "array"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("int", "long", "short", "byte", "bigint"), "integer"),
    **dict.fromkeys(("str", "char", "text"), "string"),
    "bool": "boolean",
    **dict.fromkeys(("none", "nonetype", "void", "undefined"), "null"),
}
"""Names of types in programming languages, lower case, and JSON Schema's name for each."""
ANY_TYPES = frozenset({"any", "object | null", "mixed", "unknown"})
DEEPEST = 100
"""Levels of schemas inside schemas; beyond that a schema is refused."""


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """A schema as it is sent, and what of the original it does not say any more."""

    schema: Schema
    changes: tuple[str, ...] = ()
    """Each with its place, such as `$.a: oneOf is sent as anyOf`."""
    refusal: str = ""
    """Why the vendor accepts no form of the schema; empty where it does."""


class StrictSchema(msgspec.Struct, frozen=True, kw_only=True):
    """A schema in the closed form of OpenAI's strict mode; what fits it fits the original."""

    schema: Schema = {}
    refusal: str = ""
    """Why there is no such form, with the place; empty where there is."""


def convert_schema(schema: Mapping[str, Json], support: SchemaSupport) -> Conversion:
    """The schema as the vendor accepts it.

    >>> convert_schema({"type": "dict", "properties": {"n": {"type": "float"}}}, SchemaSupport()).schema
    {'type': 'object', 'properties': {'n': {'type': 'number'}}}
    """
    if _depth(schema) > DEEPEST:
        return Conversion(schema={}, refusal=f"the schema is nested more than {DEEPEST} levels deep")
    return _Walk(support=support, definitions=_definitions(schema)).convert(schema, "$")


class _Walk(msgspec.Struct, frozen=True, kw_only=True):
    support: SchemaSupport
    definitions: Mapping[str, Json]

    def convert(self, schema: Mapping[str, Json], place: str) -> Conversion:
        out: Schema = {}
        changes: list[str] = []
        for keyword, value in schema.items():
            if keyword == "discriminator":
                continue
            if keyword in self.support.refused:
                if keyword not in ANNOTATIONS:
                    changes.append(f"{place}: {keyword} is not sent")
                continue
            if keyword == "type":
                kind, change = _standard_type(value)
                if kind is not None:
                    out["type"] = kind
                if change:
                    changes.append(f"{place}: {change}")
                continue
            sent_as = keyword
            if keyword == "oneOf" and isinstance(value, list) and not self.support.keeps_one_of:
                sent_as = self._union_keyword(schema, value)
            converted, more = self._convert_value(keyword, value, place)
            out[sent_as] = converted
            changes += more
        if out.get("type") == "array" and "items" not in out and "prefixItems" not in out:
            # Several vendors refuse an array that does not say what is in it; an empty schema says the same.
            out["items"] = {}
        return Conversion(schema=out, changes=tuple(changes))

    def _union_keyword(self, schema: Mapping[str, Json], branches: Sequence[Json]) -> str:
        if "anyOf" not in schema and are_disjoint(branches, self.definitions):
            return "anyOf"
        return "oneOf"

    def _convert_value(self, keyword: str, value: Json, place: str) -> tuple[Json, tuple[str, ...]]:
        match value:
            case dict() if keyword in SCHEMA_MAPS:
                named = {name: self._convert_inner(inner, f"{place}.{name}") for name, inner in value.items()}
                return {name: one for name, (one, _) in named.items()}, _join(more for _, more in named.values())
            case dict() if keyword in SINGLE_SCHEMAS:
                return self._convert_inner(value, f"{place}.{keyword}")
            case list() if keyword in SCHEMA_LISTS or keyword in SINGLE_SCHEMAS:
                inner = [self._convert_inner(one, f"{place}.{keyword}[{n}]") for n, one in enumerate(value)]
                return [one for one, _ in inner], _join(more for _, more in inner)
            case _:
                return value, ()

    def _convert_inner(self, value: Json, place: str) -> tuple[Json, tuple[str, ...]]:
        if not isinstance(value, Mapping):
            return value, ()
        converted = self.convert(value, place)
        return converted.schema, converted.changes


def _join(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(change for part in parts for change in part)


def _standard_type(value: Json) -> tuple[Json, str]:
    """A type in JSON Schema's words, None where any is meant, and what was not understood."""
    if isinstance(value, str):
        return _standard_name(value)
    if isinstance(value, list):
        kinds: list[Json] = []
        changes: list[str] = []
        for one in value:
            kind, change = _standard_name(one) if isinstance(one, str) else (None, f"type {one!r} is not sent")
            if kind is None and not change:
                return None, ""
            kinds += [] if kind is None or kind in kinds else [kind]
            changes += [change] if change else []
        return kinds or None, "; ".join(changes)
    return None, "" if value is None else f"type {value!r} is not sent"


def _standard_name(name: str) -> tuple[Json, str]:
    if name in TYPES:
        return name, ""
    low = name.strip().lower()
    base = low.partition("<")[0].partition("[")[0].strip()
    if low.endswith("[]"):
        return "array", ""
    if low in TYPES:
        return low, ""
    if base in OTHER_TYPES or base in TYPES:
        return OTHER_TYPES.get(base, base), ""
    if base in ANY_TYPES or not base:
        return None, ""
    return None, f"type {name!r} is not one of JSON Schema's and is not sent"


def _definitions(schema: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for keyword in ("$defs", "definitions"):
        held = schema.get(keyword)
        if isinstance(held, Mapping):
            found |= {f"#/{keyword}/{name}": inner for name, inner in held.items()}
    return found


def are_disjoint(branches: Sequence[Json], definitions: Mapping[str, Json]) -> bool:
    """Whether no value can match two of these schemas, as far as their types and constants show.

    >>> card, cash = ({"properties": {"by": {"const": by}}, "required": ["by"]} for by in ("card", "cash"))
    >>> are_disjoint([card, cash], {})
    True
    """
    resolved = [_resolve(branch, definitions) for branch in branches]
    kinds = [_types_of(branch) for branch in resolved]
    if not any(kind is None for kind in kinds) and _pairwise_apart([kind or frozenset() for kind in kinds]):
        return True
    shared = set.intersection(*(_tags_of(branch) for branch in resolved)) if resolved else set()
    return any(_pairwise_apart([_constants(branch, name) for branch in resolved]) for name in shared)


def _resolve(branch: Json, definitions: Mapping[str, Json]) -> Mapping[str, Json]:
    for _ in range(8):
        if not isinstance(branch, Mapping):
            return {}
        target = branch.get("$ref")
        if not isinstance(target, str):
            return branch
        branch = definitions.get(target)
    return {}


def _types_of(branch: Mapping[str, Json]) -> frozenset[str] | None:
    value = branch.get("type")
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []
    kinds = {str(kind) for name in names for kind, _ in [_standard_type(name)] if kind is not None}
    if "number" in kinds:
        kinds.add("integer")
    return frozenset(kinds) or None


def _tags_of(branch: Mapping[str, Json]) -> set[str]:
    """The properties that must be there and are one of a few constants."""
    required = branch.get("required")
    names = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    return {name for name in names if _constants(branch, name)}


def _constants(branch: Mapping[str, Json], name: str) -> frozenset[str]:
    properties = branch.get("properties")
    inner = properties.get(name) if isinstance(properties, Mapping) else None
    if not isinstance(inner, Mapping):
        return frozenset()
    if "const" in inner:
        return frozenset({repr(inner["const"])})
    values = inner.get("enum")
    return frozenset(repr(value) for value in values) if isinstance(values, list) else frozenset()


def _pairwise_apart(sets: Sequence[frozenset[str]]) -> bool:
    return sum(map(len, sets)) == len(frozenset().union(*sets)) and all(sets)


def _depth(schema: Json) -> int:
    """Levels of objects and lists, counted without recursion."""
    deepest = 0
    waiting: list[tuple[Json, int]] = [(schema, 1)]
    while waiting:
        value, level = waiting.pop()
        deepest = max(deepest, level)
        if level > 3 * DEEPEST:
            return level
        if isinstance(value, Mapping):
            waiting += [(inner, level + 1) for inner in value.values() if isinstance(inner, Mapping | list)]
        elif isinstance(value, list):
            waiting += [(inner, level + 1) for inner in value if isinstance(inner, Mapping | list)]
    return (deepest + 2) // 3


def make_strict(schema: Mapping[str, Json]) -> StrictSchema:
    """The schema as OpenAI's strict mode wants it: an object at the root, every object closed, every property required.

    Objects with free keys, and keywords that strict mode does not know, have no such form. `default` is left out, since
    every property has a value then.

        >>> make_strict({"type": "object", "properties": {"a": {"type": "string"}}}).schema["required"]
        ['a']
        >>> make_strict({"type": "object", "additionalProperties": {"type": "string"}}).refusal
        '$: an object with free keys cannot be closed'
    """
    rooted = _inline_root(schema)
    if rooted.get("type") != "object":
        return StrictSchema(refusal="$: the root is not an object")
    if "anyOf" in rooted or "oneOf" in rooted:
        return StrictSchema(refusal="$: the root is a union")
    return _strict(rooted, "$")


def _inline_root(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """The schema with a reference at its root replaced by what it refers to, as recursive models have one."""
    target = schema.get("$ref")
    found = _definitions(schema).get(target) if isinstance(target, str) else None
    if not isinstance(found, Mapping):
        return schema
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def _strict(schema: Mapping[str, Json], place: str) -> StrictSchema:
    alone = schema.get("allOf")
    if isinstance(alone, list) and len(alone) == 1 and isinstance(alone[0], Mapping):
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        if not alone[0].keys() & rest.keys():
            schema = {**rest, **alone[0]}
    if "$ref" in schema:
        return _strict_reference(schema, place)
    out: Schema = {}
    for keyword, value in schema.items():
        if keyword in ANNOTATIONS - {"title", "description"}:
            continue
        if keyword not in OPENAI_STRICT_KEYWORDS:
            return StrictSchema(refusal=f"{place}: {keyword} is not allowed in strict mode")
        if keyword == "additionalProperties":
            continue
        inner = _strict_value(keyword, value, place)
        if isinstance(inner, StrictSchema):
            return inner
        out[keyword] = inner.value
    kinds = schema.get("type")
    is_object = kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in schema
    if is_object:
        properties = out.get("properties")
        if schema.get("additionalProperties") not in (None, False) or not isinstance(properties, dict):
            return StrictSchema(refusal=f"{place}: an object with free keys cannot be closed")
        out["additionalProperties"] = False
        out["required"] = list(properties)
    elif not out.keys() & {"type", "anyOf", "enum", "const", "$ref"}:
        return StrictSchema(refusal=f"{place}: a schema without a type allows objects with free keys")
    return StrictSchema(schema=out)


def _strict_reference(schema: Mapping[str, Json], place: str) -> StrictSchema:
    """OpenAI accepts no keyword beside a reference but the definitions themselves."""
    beside = schema.keys() - ANNOTATIONS - {"$ref", "$defs", "definitions"}
    if beside:
        return StrictSchema(refusal=f"{place}: {min(beside)} beside $ref is not allowed in strict mode")
    out: Schema = {"$ref": schema["$ref"]}
    for keyword in ("$defs", "definitions"):
        if keyword in schema:
            inner = _strict_value(keyword, schema[keyword], place)
            if isinstance(inner, StrictSchema):
                return inner
            out[keyword] = inner.value
    return StrictSchema(schema=out)


class _Value(msgspec.Struct, frozen=True):
    value: Json


def _strict_value(keyword: str, value: Json, place: str) -> _Value | StrictSchema:
    """The value of one keyword with the schemas inside it made strict, or the refusal of the first that cannot be."""
    match value:
        case dict() if keyword in ("properties", "$defs", "definitions"):
            named: Schema = {}
            for name, inner in value.items():
                strict = _strict_inner(inner, f"{place}.{name}")
                if strict.refusal:
                    return strict
                named[name] = strict.schema
            return _Value(named)
        case dict() if keyword == "items":
            strict = _strict_inner(value, f"{place}.items")
            return strict if strict.refusal else _Value(strict.schema)
        case list() if keyword == "anyOf":
            branches: list[Json] = []
            for number, inner in enumerate(value):
                strict = _strict_inner(inner, f"{place}.anyOf[{number}]")
                if strict.refusal:
                    return strict
                branches.append(strict.schema)
            return _Value(branches)
        case _:
            return _Value(value)


def _strict_inner(inner: Json, place: str) -> StrictSchema:
    if not isinstance(inner, Mapping):
        return StrictSchema(refusal=f"{place}: not a schema that strict mode accepts")
    return _strict(inner, place)
