"""The value of a parameter that a model wrote as bare text, by the tool's schema."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.json import Json, encode_json
from victor_fp.core.text_tools.json_repair import BrokenJson, Repair, repair_json


def read_parameter(text: str, schema: Json) -> tuple[Json, tuple[Repair, ...]]:
    """The text itself where the schema accepts texts or is unknown; else the JSON value that it spells, if that fits.

    >>> read_parameter("3", {"type": "integer"})
    (3, ())
    >>> read_parameter("3", {"type": "string"})
    ('3', ())
    """
    wanted = _collect_kinds(schema)
    if not wanted or "string" in wanted:
        return text, ()
    read = repair_json(text.strip())
    if isinstance(read, BrokenJson) or not wanted & _list_kinds(read.value):
        return text, ()
    return read.value, read.repairs


def strip_line_breaks(text: str) -> str:
    """Without the one line break on either side that chat templates put around a value."""
    return text.removeprefix("\n").removesuffix("\n")


def write_parameter(value: Json) -> str:
    """The value as bare text: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else encode_json(value).decode()


def _collect_kinds(schema: Json) -> set[str]:
    """The JSON types that a schema names, in alternatives too."""
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
