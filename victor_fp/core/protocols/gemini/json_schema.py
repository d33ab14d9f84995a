"""JSON Schema in Google's form for older models: types in upper case, counts as strings, ordered properties.

Schemas are already converted to the accepted subset; see `OLDER_GEMINI_SCHEMAS`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.gemini.request import Schema

from victor_fp.core.json import Json, JsonObject

_COUNTS = frozenset({"minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"})


def to_wire_schema(schema: JsonObject) -> Schema | None:
    """Convert a schema to the wire type; None if the value of a keyword has the wrong type.

    >>> msgspec.json.encode(to_wire_schema({"type": "array", "items": {"type": "string"}, "minItems": 1}))
    b'{"type":"ARRAY","items":{"type":"STRING"},"minItems":"1"}'
    """
    try:
        return msgspec.convert(_respell(schema), Schema)
    except msgspec.ValidationError:
        return None


def _respell(schema: Json) -> dict[str, Json]:
    if not isinstance(schema, Mapping):
        return {}
    node: dict[str, Json] = {}
    for keyword, value in schema.items():
        match keyword, value:
            case "type", str():
                node[keyword] = value.upper()
            case "properties", dict():
                node[keyword] = {name: _respell(inner) for name, inner in value.items()}
            case "anyOf", list():
                node[keyword] = [_respell(inner) for inner in value]
            case "items", _:
                node[keyword] = _respell(value)
            case _ if keyword in _COUNTS:
                node[keyword] = str(value)
            case _:
                node[keyword] = value
    properties = node.get("properties")
    if isinstance(properties, dict) and properties:
        node.setdefault("propertyOrdering", list(properties))
    if "type" not in node and "anyOf" not in node:
        # These keywords apply only to values of that type, which the subset requires to be named.
        node |= {"type": "OBJECT"} if "properties" in node else {"type": "ARRAY"} if "items" in node else {}
    return node
