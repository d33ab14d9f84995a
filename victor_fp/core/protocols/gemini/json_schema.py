"""JSON Schema in the form of Google's own that older models take: types in upper case, counts as texts, properties in order.

The schema keeps to the subset already; see `OLDER_GEMINI_SCHEMAS`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.gemini.request import Schema

from victor_fp.core.json import Json, JsonObject

_COUNTS = frozenset({"minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"})


def to_wire_schema(schema: JsonObject) -> Schema | None:
    """The schema as the wire's own type; None where a value is not of the type that its keyword has there.

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
        # These keywords restrict nothing but values of the type, which the subset wants named.
        node |= {"type": "OBJECT"} if "properties" in node else {"type": "ARRAY"} if "items" in node else {}
    return node
