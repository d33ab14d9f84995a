"""JSON Schemas as the vendor's grammar compiler takes them: closed objects, and bounds said in words.

The vendor's document on structured outputs: every object says `additionalProperties: false`; bounds on numbers, lengths
and item counts are refused, and its own client libraries move them into descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.json import Json, encode_json

_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_NAMED = ("properties", "$defs", "definitions")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")


def close_schema(schema: Mapping[str, Json]) -> dict[str, Json]:
    """The schema with every object closed and its bounds in descriptions. What allows more properties stays as it is.

    >>> closed({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}})["properties"]
    {'age': {'type': 'integer', 'description': 'minimum: 0'}}
    """
    out: dict[str, Json] = {}
    bounds: list[str] = []
    for key, value in schema.items():
        if key in _BOUNDS and not (key == "minItems" and value in (0, 1)):
            bounds.append(f"{key}: {encode_json(value).decode()}")
        elif key in _NAMED and isinstance(value, Mapping):
            out[key] = {name: _close(inner) for name, inner in value.items()}
        elif key in _LISTED and isinstance(value, list):
            out[key] = [_close(inner) for inner in value]
        elif key in _SINGLE:
            out[key] = _close(value)
        else:
            out[key] = value
    if bounds:
        described = out.get("description")
        words = [described] if isinstance(described, str) and described else []
        out["description"] = ". ".join([*words, ", ".join(bounds)])
    if "additionalProperties" not in out and (out.get("type") == "object" or "properties" in out):
        out["additionalProperties"] = False
    return out


def _close(value: Json) -> Json:
    return close_schema(value) if isinstance(value, Mapping) else value


def as_object(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A tool's schema, which must say that it is an object's."""
    return dict(schema) if "type" in schema else {"type": "object", **schema}
