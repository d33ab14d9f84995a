"""JSON as the answer's form: any object, or one that a schema describes, closed where strictness asks for it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.requests import Adjustment, ChatRequest


class AnswerFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the answer as far as the vendor accepts it: plain JSON where `schema` is None."""

    name: str = "answer"
    schema: dict[str, Json] | None = None
    strict: bool | UnsetType = UNSET


def accept_format(rules: Rules, request: ChatRequest) -> tuple[AnswerFormat | None, tuple[Adjustment, ...]]:
    """The form of the answer, None for text. A schema becomes plain JSON, visibly, where the vendor knows only that."""
    asked = request.options.response_format
    if asked is None:
        return None, ()
    no_json, no_schema = rules.is_refused("response_format:json"), rules.is_refused("response_format:schema")
    if no_json and no_schema:
        return None, (rules.build_refusal("response_format"),)
    if asked.kind == "json":
        # Where only schemas are accepted, the one that every object fits says the same as plain JSON.
        return AnswerFormat(name=asked.name, schema={"type": "object"} if no_json else None), ()
    if no_schema:
        reason = f"{rules.recipient} knows JSON but no schema"
        return AnswerFormat(), (Adjustment(parameter="response_format", reason=reason),)
    closed = make_strict(asked.schema) if asked.strict and rules.strict_schemas else None
    strict = asked.strict and (closed is not None or not rules.strict_schemas)
    return AnswerFormat(name=asked.name, schema=asked.schema if closed is None else closed, strict=strict), ()


def make_strict(schema: Mapping[str, Json]) -> dict[str, Json] | None:
    """The schema as strict mode wants it: every object closed, every property required. None where that cannot be.

    What fits the result fits the original. Objects with free keys cannot be closed.

    >>> make_strict({"type": "object", "properties": {"a": {"type": "string"}}})["required"]
    ['a']
    >>> make_strict({"type": "object", "additionalProperties": {"type": "string"}}) is None
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
                strict = make_strict(inner) if isinstance(inner, dict) else None
                if strict is None:
                    return None
                schemas[name] = strict
            return schemas
        case dict() if key in ("items", "not"):
            return make_strict(value)
        case list() if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            options = [make_strict(inner) if isinstance(inner, dict) else None for inner in value]
            return None if any(option is None for option in options) else options
        case _:
            return value
