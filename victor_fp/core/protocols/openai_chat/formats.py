"""JSON as the answer's form: any object, or one that a schema describes, closed where strictness asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp_wire.openai_chat.request import JsonSchemaFormat, ResponseFormat

from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_chat.rules import Rules, Written
from victor_fp.core.requests import Adjustment, ChatRequest

JSON_OBJECT = ResponseFormat(type="json_object")


def response_format(rules: Rules, request: ChatRequest) -> Written:
    """`response_format`. A schema becomes plain JSON, visibly, where the vendor knows only that."""
    asked = request.options.response_format
    if asked is None:
        return Written()
    no_json, no_schema = rules.refused("response_format:json"), rules.refused("response_format:schema")
    if no_json and no_schema:
        return Written(adjustments=(rules.against("response_format"),))
    if asked.kind == "json" and no_json:
        # The schema that every object fits says the same.
        free = JsonSchemaFormat(name=asked.name, schema={"type": "object"})
        return Written(fields={"response_format": ResponseFormat(type="json_schema", json_schema=free)})
    if asked.kind == "json":
        return Written(fields={"response_format": JSON_OBJECT})
    if no_schema:
        reason = f"{rules.taker} knows JSON but no schema"
        dropped = Adjustment(parameter="response_format", reason=reason)
        return Written(fields={"response_format": JSON_OBJECT}, adjustments=(dropped,))
    closed = strict_schema(asked.schema) if asked.strict and rules.dialect.strict_schemas else None
    spec = JsonSchemaFormat(
        name=asked.name,
        schema=dict(asked.schema) if closed is None else closed,
        strict=asked.strict and (closed is not None or not rules.dialect.strict_schemas),
    )
    return Written(fields={"response_format": ResponseFormat(type="json_schema", json_schema=spec)})


def strict_schema(schema: Mapping[str, Json]) -> dict[str, Json] | None:
    """The schema as strict mode wants it: every object closed, every property required. None where that cannot be.

    What fits the result fits the original. Objects with free keys cannot be closed.

    >>> strict_schema({"type": "object", "properties": {"a": {"type": "string"}}})["required"]
    ['a']
    >>> strict_schema({"type": "object", "additionalProperties": {"type": "string"}}) is None
    True
    """
    if "$ref" in schema:
        # OpenAI takes no keyword beside a reference.
        definitions = _strict_under("$defs", schema["$defs"]) if "$defs" in schema else {}
        if definitions is None:
            return None
        return {"$ref": schema["$ref"], **({"$defs": definitions} if definitions else {})}
    out: dict[str, Json] = {}
    for key, value in schema.items():
        if key == "default":
            continue
        strict = _strict_under(key, value)
        if strict is None and value is not None:
            return None
        out[key] = strict
    if schema.get("type") == "object" or "properties" in schema:
        properties = out.get("properties")
        if schema.get("additionalProperties") not in (None, False) or not isinstance(properties, dict):
            return None
        out["additionalProperties"] = False
        out["required"] = list(properties)
    return out


def _strict_under(key: str, value: Json) -> Json:
    """The value of one keyword, with the schemas inside it made strict; None where one cannot be."""
    match value:
        case dict() if key in ("properties", "$defs", "definitions"):
            schemas: dict[str, Json] = {}
            for name, inner in value.items():
                strict = strict_schema(inner) if isinstance(inner, dict) else None
                if strict is None:
                    return None
                schemas[name] = strict
            return schemas
        case dict() if key in ("items", "not"):
            return strict_schema(value)
        case list() if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            options = [strict_schema(inner) if isinstance(inner, dict) else None for inner in value]
            return None if any(option is None for option in options) else options
        case _:
            return value
