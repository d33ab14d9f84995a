"""Conversion of parameters written as bare text, by the tool's schema."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.json import Json, encode_json
from victor_fp.core.text_tools.json_repair import BrokenJson, Repair, repair_json


def read_parameter(text: str, schema: Json) -> tuple[Json, tuple[Repair, ...]]:
    """Return the text if the schema accepts strings or is unknown, else its JSON value, if that has an accepted type.

    >>> read_parameter("3", {"type": "integer"})
    (3, ())
    >>> read_parameter("3", {"type": "string"})
    ('3', ())
    """
    accepted = _collect_kinds(schema)
    if not accepted or "string" in accepted:
        return text, ()
    read = repair_json(text.strip())
    if isinstance(read, BrokenJson) or not accepted & _list_kinds(read.value):
        return text, ()
    return read.value, read.repairs


def strip_line_breaks(text: str) -> str:
    """Remove one line break on either side, which chat templates put around a value."""
    return text.removeprefix("\n").removesuffix("\n")


def write_parameter(value: Json) -> str:
    """Write a value as bare text: strings unchanged, other values as JSON."""
    return value if isinstance(value, str) else encode_json(value).decode()


def _collect_kinds(schema: Json) -> set[str]:
    """Collect the JSON types of a schema, including alternatives."""
    if not isinstance(schema, Mapping):
        return set()
    named = schema.get("type")
    kinds = (
        {named}
        if isinstance(named, str)
        else {kind for kind in named if isinstance(kind, str)}
        if isinstance(named, list)
        else set()
    )
    for key in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(key), list):
            kinds |= {kind for option in options for kind in _collect_kinds(option)}
    if isinstance(values := schema.get("enum"), list):
        kinds |= {kind for value in values for kind in _list_kinds(value)}
    return kinds


def _list_kinds(value: Json) -> set[str]:
    match value:
        case None:
            return {"null"}
        case bool():
            return {"boolean"}
        case int():
            return {"integer", "number"}
        case float():
            return {"number", "integer"} if value.is_integer() else {"number"}
        case str():
            return {"string"}
        case Mapping():
            return {"object"}
        case _:
            return {"array"}
