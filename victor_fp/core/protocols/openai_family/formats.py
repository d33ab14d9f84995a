"""JSON as the answer's form: any object, or one that a schema describes, which the vendor accepts as it stands."""

from __future__ import annotations

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
    return AnswerFormat(name=asked.name, schema=asked.schema, strict=asked.strict), ()
