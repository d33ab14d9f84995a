"""The value of a parameter that a model wrote as bare text, by what the tool's schema wants."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.json import Json, encode_json
from victor_fp.core.text_tools.repair import Broken, Repair, repair_json


def convert_parameter(text: str, schema: Json) -> tuple[Json, tuple[Repair, ...]]:
    """The text itself where the schema takes texts or is unknown; else the JSON value that it writes, if it fits.

    >>> typed("3", {"type": "integer"})
    (3, ())
    >>> typed("3", {"type": "string"})
    ('3', ())
    """
    wanted = _kinds(schema)
    if not wanted or "string" in wanted:
        return text, ()
    read = repair_json(text.strip())
    if isinstance(read, Broken) or not wanted & _kinds_of(read.value):
        return text, ()
    return read.value, read.repairs


def strip_line_breaks(text: str) -> str:
    """Without the one line break on either side that chat templates put around a value."""
    return text.removeprefix("\n").removesuffix("\n")


def as_text(value: Json) -> str:
    """The other way round: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else encode_json(value).decode()


def _kinds(schema: Json) -> set[str]:
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
            kinds |= {kind for option in options for kind in _kinds(option)}
    if isinstance(values := schema.get("enum"), list):
        kinds |= {kind for value in values for kind in _kinds_of(value)}
    return kinds


def _kinds_of(value: Json) -> set[str]:
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
