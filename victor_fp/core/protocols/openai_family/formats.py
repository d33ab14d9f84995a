"""Response formats: a JSON object, or a JSON Schema that the vendor accepts unchanged."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.schemas.vocabulary import ANY_OBJECT


class AnswerFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The response format as far as the vendor accepts it; any JSON object if `schema` is None."""

    name: str = "answer"
    schema: dict[str, Json] | None = None
    strict: bool | UnsetType = UNSET


def accept_format(rules: Rules, request: ChatRequest) -> tuple[AnswerFormat | None, tuple[Adjustment, ...]]:
    """Return the response format, None for text.

    If the vendor supports only plain JSON, a schema is dropped and reported.
    """
    requested = request.options.response_format
    if requested is None:
        return None, ()
    no_json, no_schema = rules.is_refused("response_format:json"), rules.is_refused("response_format:schema")
    if no_json and no_schema:
        return None, (rules.build_refusal("response_format"),)
    if requested.kind == "json":
        # If only schemas are accepted, one that any object matches is equivalent to plain JSON.
        return AnswerFormat(name=requested.name, schema=dict(ANY_OBJECT) if no_json else None), ()
    if no_schema:
        reason = f"{rules.recipient} supports JSON but no schema"
        return AnswerFormat(), (Adjustment(parameter="response_format", reason=reason),)
    return AnswerFormat(name=requested.name, schema=requested.schema, strict=requested.strict), ()
