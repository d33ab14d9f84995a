"""JSON Schema in the form of Google's own that older models take: a subset of OpenAPI's, with upper-case types.

References are put in place, `const` becomes `enum` or bounds, a null among the types becomes `nullable`. A rule that the
subset cannot hold goes into the description, where the model still reads it. Only a schema that contains itself has no
such form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
from victor_fp_wire.gemini.request import Schema

from victor_fp.core.json import Json, JsonObject, encode_json

Node: TypeAlias = dict[str, Json]

_SAME = ("title", "format", "pattern", "minimum", "maximum", "default", "example")
_COUNTS = ("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength")
_MAPPED = ("type", "nullable", "description", "properties", "required", "items", "propertyOrdering")
_RESOLVED = ("enum", "const", "anyOf", "oneOf", "allOf", "$ref")
_READ = frozenset((*_SAME, *_COUNTS, *_MAPPED, *_RESOLVED))
_NAMES = frozenset(("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "deprecated", "readOnly"))
"""They describe the document, not the value."""


class Translated(msgspec.Struct, frozen=True):
    """A schema in the subset, and what of it has no form there."""

    schema: Schema
    lost: tuple[str, ...] = ()


def translate_schema(schema: JsonObject) -> Translated:
    """The schema in the subset."""
    lost: list[str] = []
    node = _node(schema, schema, (), lost)
    try:
        return Translated(msgspec.convert(node, Schema), tuple(lost))
    except msgspec.ValidationError as error:
        return Translated(Schema(type="OBJECT"), (*lost, f"the schema is not understood: {error}"))


def _node(given: Json, root: JsonObject, seen: tuple[str, ...], lost: list[str]) -> Node:
    if not isinstance(given, Mapping):
        # `true` allows anything, and `false`, which allows nothing, has no form.
        return {}
    if "$ref" in given or "allOf" in given:
        given, seen = _put_together(given, root, seen, lost)
    node: Node = {key: given[key] for key in _SAME if key in given}
    node |= {key: str(count) for key in _COUNTS if (count := given.get(key)) is not None}
    words: list[str] = []
    _set_type(node, given)
    _set_enum(node, given, words)
    _alternatives(node, given, root, seen, lost)
    _members(node, given, root, seen, lost)
    words += [f"{key}: {encode_json(value).decode()}" for key, value in given.items() if _unsaid(key, value)]
    if description := "; ".join(text for text in (given.get("description"), *words) if isinstance(text, str) and text):
        node["description"] = description
    return node


def _unsaid(key: str, value: Json) -> bool:
    """Whether a rule still has to be told in words. Models give no properties beside the listed ones anyway."""
    return key not in _READ and key not in _NAMES and not (key == "additionalProperties" and isinstance(value, bool))


def _target(root: JsonObject, ref: str) -> JsonObject | None:
    if not ref.startswith("#"):
        return None
    place: Json = root
    for step in ref.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, Mapping) or name not in place:
            return None
        place = place[name]
    return place if isinstance(place, Mapping) else None


def _put_together(
    given: JsonObject, root: JsonObject, seen: tuple[str, ...], lost: list[str]
) -> tuple[JsonObject, tuple[str, ...]]:
    """The schema with what it refers to and all of its parts in one, and the references that this followed.

    Properties and required add up; of everything else the later wins.
    """
    whole: Node = {}
    ref = given.get("$ref")
    if isinstance(ref, str):
        target = None if ref in seen else _target(root, ref)
        if target is None:
            lost.append(f"{ref} refers to itself" if ref in seen else f"{ref} refers to nothing")
            whole["type"] = "OBJECT"
        else:
            target, seen = _put_together(target, root, (*seen, ref), lost)
            _add_part(whole, target)
    followed = seen
    parts = given.get("allOf")
    for part in parts if isinstance(parts, Sequence) else ():
        if isinstance(part, Mapping):
            inner, used = _put_together(part, root, seen, lost)
            followed = (*followed, *used)
            _add_part(whole, inner)
    _add_part(whole, {key: value for key, value in given.items() if key not in ("$ref", "allOf")})
    return whole, followed


def _add_part(whole: Node, part: JsonObject) -> None:
    for key, value in part.items():
        before = whole.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            whole[key] = {**before, **value}
        elif key == "required" and isinstance(before, list) and isinstance(value, list):
            whole[key] = [*before, *(name for name in value if name not in before)]
        else:
            whole[key] = value


def _set_type(node: Node, given: JsonObject) -> None:
    kind = given.get("type")
    listed = kind if isinstance(kind, Sequence) and not isinstance(kind, str) else (kind,)
    kinds = [name for name in listed if isinstance(name, str)]
    if ("null" in kinds and len(kinds) > 1) or given.get("nullable") is True:
        node["nullable"] = True
        kinds = [k for k in kinds if k != "null"]
    if len(kinds) == 1:
        node["type"] = kinds[0].upper()
    elif kinds:
        node["anyOf"] = [{"type": k.upper()} for k in kinds]
    elif "properties" in given:
        node["type"] = "OBJECT"
    elif "items" in given:
        node["type"] = "ARRAY"


def _set_enum(node: Node, given: JsonObject, words: list[str]) -> None:
    """`enum` holds texts only: one number becomes its own bounds, several numbers alternatives of that kind."""
    values: list[Json]
    if "const" in given:
        values = [given["const"]]
    elif isinstance(listed := given.get("enum"), Sequence) and not isinstance(listed, str):
        values = list(listed)
    else:
        return
    if None in values and len(values) > 1:
        node["nullable"] = True
        values = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in values):
        node |= {"type": "STRING", "enum": values}
    elif all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        exact = [_exactly(value) for value in values]
        if len(exact) == 1:
            node |= exact[0]
        else:
            node.pop("type", None)
            node["anyOf"] = exact
    elif values == [None]:
        node["type"] = "NULL"
    elif not (all(isinstance(value, bool) for value in values) and len(values) == 2):
        words.append(f"one of {encode_json(values).decode()}")


def _exactly(value: Json) -> Node:
    kind = "INTEGER" if isinstance(value, int) else "NUMBER"
    return {"type": kind, "minimum": value, "maximum": value}


def _alternatives(node: Node, given: JsonObject, root: JsonObject, seen: tuple[str, ...], lost: list[str]) -> None:
    either = given.get("anyOf", given.get("oneOf"))
    if not isinstance(either, Sequence) or isinstance(either, str):
        return
    options = [_node(option, root, seen, lost) for option in either]
    if any(option.get("type") == "NULL" for option in options):
        node["nullable"] = True
        options = [option for option in options if option.get("type") != "NULL"]
    if len(options) == 1:
        node |= {key: value for key, value in options[0].items() if key not in node}
    elif options:
        node.pop("type", None)
        node["anyOf"] = options


def _members(node: Node, given: JsonObject, root: JsonObject, seen: tuple[str, ...], lost: list[str]) -> None:
    properties = given.get("properties")
    if isinstance(properties, Mapping) and properties:
        node["properties"] = {name: _node(inner, root, seen, lost) for name, inner in properties.items()}
        order = given.get("propertyOrdering")
        node["propertyOrdering"] = order if isinstance(order, list) else list(properties)
        required = given.get("required")
        if isinstance(required, Sequence) and not isinstance(required, str) and required:
            node["required"] = [name for name in required if isinstance(name, str) and name in properties]
    if "items" in given:
        node["items"] = _node(given["items"], root, seen, lost)
