"""Length, sampling, reasoning, the answer's form and what is to be reported, in the vendor's words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import UNSET
from victor_fp_wire.openai_responses.request import Reasoning, TextFormat, TextOptions

from victor_fp.core.protocols.openai_chat.formats import strict_schema
from victor_fp.core.protocols.openai_chat.rules import Written
from victor_fp.core.protocols.openai_responses.rules import Rules
from victor_fp.core.protocols.support import choose_thinking
from victor_fp.core.requests import Adjustment, ChatRequest

ENCRYPTED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
JSON_OBJECT = TextFormat(type="json_object")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
"""The vendor's document: a schema's name has letters, digits, _ and - only, 64 at most."""


def length(rules: Rules, request: ChatRequest, extras: Mapping[str, object]) -> Written:
    """The bound on the answer; the default one yields where the caller bounds it in the vendor's words."""
    tokens = request.max_tokens
    if tokens is None or (not request.asks_max_tokens and "max_output_tokens" in extras):
        return Written()
    least = rules.dialect.least_tokens
    if tokens >= least:
        return Written(fields={"max_output_tokens": tokens})
    reason = f"{rules.taker} takes {least} at least"
    changed = Adjustment(parameter="max_tokens", reason=reason, action="changed")
    return Written(fields={"max_output_tokens": least}, adjustments=(changed,))


def sampling(rules: Rules, request: ChatRequest) -> Written:
    """Temperature and its kin. A default temperature is left out where the model takes none."""
    options = request.options
    fields: dict[str, object] = {}
    adjustments: list[Adjustment] = []
    if request.temperature is not None:
        if not rules.refused("temperature"):
            fields["temperature"] = request.temperature
        elif request.asks_temperature:
            adjustments.append(rules.against("temperature"))
    asked = {
        "top_p": options.top_p,
        "top_k": options.top_k,
        "presence_penalty": options.presence_penalty,
        "frequency_penalty": options.frequency_penalty,
        "seed": options.seed,
        "stop": options.stop,
        "service_tier": options.service_tier,
        "user": options.user,
    }
    for name, value in asked.items():
        if value is None:
            continue
        if rules.refused(name):
            adjustments.append(rules.against(name))
        else:
            fields[rules.dialect.spelling.get(name, name)] = value
    return Written(fields=fields, adjustments=tuple(adjustments))


def reasoning(rules: Rules, request: ChatRequest) -> Written:
    """`reasoning`: the effort, or a budget where there is one."""
    asked = choose_thinking(rules, request.options)
    if asked.effort is None and asked.budget is None:
        return Written(adjustments=asked.adjustments)
    said = UNSET if asked.effort is None else rules.effort_words.get(asked.effort, asked.effort)
    wanted = Reasoning(effort=said, max_tokens=UNSET if asked.budget is None else asked.budget)
    return Written(fields={"reasoning": wanted}, adjustments=asked.adjustments)


def text_format(rules: Rules, request: ChatRequest) -> Written:
    """The answer's form. A schema becomes plain JSON, visibly, where the vendor knows only that."""
    asked = request.options.response_format
    if asked is None:
        return Written()
    adjustments: tuple[Adjustment, ...] = ()
    kind = asked.kind
    if kind == "schema" and rules.refused("response_format:schema"):
        reason = f"{rules.taker} knows JSON but no schema"
        adjustments = (Adjustment(parameter="response_format", reason=reason),)
        kind = "json"
    if kind == "json":
        if rules.refused("response_format:json"):
            return Written(adjustments=(rules.against("response_format"),))
        return Written(fields=_formed(rules, JSON_OBJECT), adjustments=adjustments)
    closed = strict_schema(asked.schema) if asked.strict and rules.dialect.strict_schemas else None
    form = TextFormat(
        type="json_schema",
        name=_NOT_IN_NAMES.sub("_", asked.name)[:64] or "answer",
        schema=dict(asked.schema) if closed is None else closed,
        strict=asked.strict and (closed is not None or not rules.dialect.strict_schemas),
    )
    return Written(fields=_formed(rules, form))


def _formed(rules: Rules, form: TextFormat) -> dict[str, object]:
    """The form in its place; chats keep a schema one level deeper."""
    if rules.dialect.format_as == "text":
        return {"text": TextOptions(format=form)}
    if form.schema is UNSET:
        return {"response_format": {"type": form.type}}
    schema = {"name": form.name, "schema": form.schema, "strict": form.strict}
    return {"response_format": {"type": form.type, "json_schema": schema}}


def reporting(rules: Rules, request: ChatRequest) -> Written:
    """What is told beside the answer: encrypted reasoning, log probabilities where asked."""
    fields: dict[str, object] = {}
    include = [ENCRYPTED_REASONING] if rules.encrypts else []
    asked = request.options.logprobs
    adjustments: tuple[Adjustment, ...] = ()
    if asked is not None and asked is not False:
        if rules.refused("logprobs"):
            adjustments = (rules.against("logprobs"),)
        else:
            form = rules.dialect.logprobs_as
            if form == "include":
                include.append(LOGPROBS)
            elif form == "switch":
                fields["logprobs"] = True
            if asked is not True or form == "count":
                fields["top_logprobs"] = 0 if asked is True else asked
    if include:
        fields["include"] = include
    return Written(fields=fields, adjustments=adjustments)
