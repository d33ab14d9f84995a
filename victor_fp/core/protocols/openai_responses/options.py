"""Reasoning, the answer's form and what is to be reported, in the fields of Responses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.protocols.openai_family.formats import AnswerFormat
from victor_fp.core.protocols.openai_family.options import AcceptedOptions, Thinking
from victor_fp.core.protocols.openai_responses.rules import ResponseRules

ENCRYPTED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
JSON_OBJECT = wire.TextFormat(type="json_object")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
"""The vendor's document: a schema's name has letters, digits, _ and - only, 64 at most."""


def take_summary(unknown: Mapping[str, object]) -> tuple[str | None, Mapping[str, object]]:
    """The option `reasoning_summary`, which the library has no type for, and the other options of that kind."""
    summary = unknown.get("reasoning_summary")
    if not isinstance(summary, str):
        return None, unknown
    return summary, {name: value for name, value in unknown.items() if name != "reasoning_summary"}


def build_reasoning(rules: ResponseRules, asked: Thinking, summary: str | None) -> wire.Reasoning | UnsetType:
    """The effort, or a budget where there is one, and whether the thinking is to be summarised."""
    if asked.effort is None and asked.budget is None and summary is None:
        return UNSET
    return wire.Reasoning(
        effort=UNSET if asked.effort is None else rules.effort_values.get(asked.effort, asked.effort),
        summary=UNSET if summary is None else summary,
        max_tokens=UNSET if asked.budget is None else asked.budget,
    )


def build_include(rules: ResponseRules, options: AcceptedOptions) -> list[str] | UnsetType:
    """What the response is to hold besides its text: encrypted reasoning, and log probabilities where asked for."""
    include = [ENCRYPTED_REASONING] if rules.encrypts else []
    if options.logprobs is not UNSET and rules.dialect.logprobs_as == "include":
        include.append(LOGPROBS)
    return include or UNSET


def choose_top_logprobs(rules: ResponseRules, options: AcceptedOptions) -> int | UnsetType:
    """How many alternatives per token, where some are asked for or the count is the only way to ask."""
    return options.logprobs if rules.dialect.logprobs_as == "count" else options.logprobs or UNSET


def build_text(form: AnswerFormat) -> wire.TextOptions:
    """The form of the answer where OpenAI has it."""
    if form.schema is None:
        return wire.TextOptions(format=JSON_OBJECT)
    name = _NOT_IN_NAMES.sub("_", form.name)[:64] or "answer"
    return wire.TextOptions(
        format=wire.TextFormat(type="json_schema", name=name, schema=form.schema, strict=form.strict)
    )


def build_chat_format(form: AnswerFormat) -> wire.ChatResponseFormat:
    """The form of the answer as Chat Completions have it, which keep a schema one level deeper."""
    if form.schema is None:
        return wire.ChatResponseFormat(type="json_object")
    name = _NOT_IN_NAMES.sub("_", form.name)[:64] or "answer"
    schema = wire.ChatJsonSchema(name=name, schema=form.schema, strict=form.strict)
    return wire.ChatResponseFormat(type="json_schema", json_schema=schema)
