"""Request bodies of Mistral's POST /chat/completions, for chats and streams."""

from __future__ import annotations

from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.mistral import request as wire
from victor_fp_wire.mistral.operations import CreateChatCompletion

from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.faults import Fault
from victor_fp.core.protocols.mistral.messages import build_messages
from victor_fp.core.protocols.mistral.tools import build_choice, build_tools
from victor_fp.core.protocols.openai_family.formats import AnswerFormat, accept_format
from victor_fp.core.protocols.openai_family.rules import (
    Rules,
    accept_options,
    accept_thinking,
    list_unsupported,
)
from victor_fp.core.protocols.openai_family.tools import accept_tools
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome

TOKENS_FIELDS = ("max_tokens",)


def write(endpoint: Endpoint, rules: Rules, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a chat or a stream. What Mistral does not accept is a Failure, or an adjustment."""
    body, unsupported = _build_body(rules, request)
    match outcome(resolve_unsupported(endpoint, request, unsupported)):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    # Other fields, such as safe_prompt, prompt_mode, guardrails and prediction, are passed through.
    return Success(build_chat(endpoint, CreateChatCompletion(), body, request.options, adjustments))


def build_rules(endpoint: Endpoint, dialect: MistralDialect) -> Rules:
    """Return the dialect's rules. Schemas are accepted unchanged, strict or not."""
    return Rules(
        provider=endpoint.spec.name,
        recipient=endpoint.spec.title,
        refuses=dialect.refuses | list_unsupported(endpoint.spec.supports),
        result_parts=dialect.result_parts,
        efforts=dialect.efforts,
        max_temperature=dialect.max_temperature,
        service_tiers=dialect.service_tiers,
    )


def _build_body(rules: Rules, request: ChatRequest) -> tuple[wire.ChatCompletionRequest, tuple[Adjustment, ...]]:
    """Build the body and list the unsupported options."""
    messages, in_messages = build_messages(rules, request)
    options = accept_options(rules, request, TOKENS_FIELDS)
    thinking = accept_thinking(rules, request)
    tool_use = accept_tools(rules, request)
    answer_format, in_format = accept_format(rules, request)
    body = wire.ChatCompletionRequest(
        model=request.model,
        messages=messages,
        stream=True if request.stream else UNSET,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        random_seed=options.seed,
        stop=options.stop,
        response_format=UNSET if answer_format is None else _build_format(answer_format),
        tools=build_tools(tool_use),
        tool_choice=build_choice(tool_use),
        parallel_tool_calls=tool_use.parallel,
        reasoning_effort=UNSET if thinking.effort is None else thinking.effort,
        service_tier=options.service_tier,
    )
    unsupported = (
        *in_messages,
        *options.adjustments,
        *thinking.adjustments,
        *tool_use.adjustments,
        *in_format,
    )
    return body, unsupported


def _build_format(answer_format: AnswerFormat) -> wire.ResponseFormat:
    if answer_format.schema is None:
        return wire.ResponseFormat(type="json_object")
    schema = wire.JsonSchemaFormat(name=answer_format.name, schema=answer_format.schema, strict=answer_format.strict)
    return wire.ResponseFormat(type="json_schema", json_schema=schema)
