"""Reasoning, response format and output options in the fields of Responses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.protocols.openai_family.formats import AnswerFormat
from victor_fp.core.protocols.openai_family.rules import AcceptedOptions, Thinking
from victor_fp.core.protocols.openai_responses.rules import ResponseRules

ENCRYPTED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
JSON_OBJECT = wire.TextFormat(type="json_object")
_INVALID_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
"""The vendor's document: a schema name consists of letters, digits, _ and -, at most 64 characters."""


def take_summary(unknown: Mapping[str, object]) -> tuple[str | None, Mapping[str, object]]:
    """Return the untyped option `reasoning_summary`, and the other unknown options."""
    summary = unknown.get("reasoning_summary")
    if not isinstance(summary, str):
        return None, unknown
    return summary, {name: value for name, value in unknown.items() if name != "reasoning_summary"}


def build_reasoning(rules: ResponseRules, thinking: Thinking, summary: str | None) -> wire.Reasoning | UnsetType:
    """Build the reasoning field from effort, budget and summary."""
    if thinking.effort is None and thinking.budget is None and summary is None:
        return UNSET
    return wire.Reasoning(
        effort=UNSET if thinking.effort is None else rules.effort_values.get(thinking.effort, thinking.effort),
        summary=UNSET if summary is None else summary,
        max_tokens=UNSET if thinking.budget is None else thinking.budget,
    )


def build_include(rules: ResponseRules, options: AcceptedOptions) -> list[str] | UnsetType:
    """Build `include`: encrypted reasoning, and log probabilities if requested."""
    include = [ENCRYPTED_REASONING] if rules.encrypts else []
    if options.logprobs is not UNSET and rules.dialect.logprobs_as == "include":
        include.append(LOGPROBS)
    return include or UNSET


def choose_top_logprobs(rules: ResponseRules, options: AcceptedOptions) -> int | UnsetType:
    """Return `top_logprobs`: sent if positive, or if it is the only way to request log probabilities."""
    return options.logprobs if rules.dialect.logprobs_as == "count" else options.logprobs or UNSET


def build_text(answer_format: AnswerFormat) -> wire.TextOptions:
    """Build the response format in OpenAI's field."""
    if answer_format.schema is None:
        return wire.TextOptions(format=JSON_OBJECT)
    name = _INVALID_IN_NAMES.sub("_", answer_format.name)[:64] or "answer"
    return wire.TextOptions(
        format=wire.TextFormat(type="json_schema", name=name, schema=answer_format.schema, strict=answer_format.strict)
    )


def build_chat_format(answer_format: AnswerFormat) -> wire.ChatResponseFormat:
    """Build the response format of Chat Completions, which has the schema one level deeper."""
    if answer_format.schema is None:
        return wire.ChatResponseFormat(type="json_object")
    name = _INVALID_IN_NAMES.sub("_", answer_format.name)[:64] or "answer"
    schema = wire.ChatJsonSchema(name=name, schema=answer_format.schema, strict=answer_format.strict)
    return wire.ChatResponseFormat(type="json_schema", json_schema=schema)
