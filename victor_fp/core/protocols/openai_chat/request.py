"""Requests of Chat Completions, for chats and streams. Unsupported options are never dropped silently."""

from __future__ import annotations

from functools import partial

from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import NO_OPTIONS
from victor_fp.core.protocols.openai_chat.messages import build_messages
from victor_fp.core.protocols.openai_chat.reasoning import NO_REASONING, place_thinking
from victor_fp.core.protocols.openai_chat.routes import ChatRoute, choose_route
from victor_fp.core.protocols.openai_chat.rules import ChatRules, apply_policy
from victor_fp.core.protocols.openai_chat.tools import build_choice, build_tools
from victor_fp.core.protocols.openai_chat.vendors import NO_FIELDS, ChatVendorFields, extend_body
from victor_fp.core.protocols.openai_family.formats import AnswerFormat, accept_format
from victor_fp.core.protocols.openai_family.options import (
    NO_THINKING,
    accept_max_tokens,
    accept_options,
    accept_thinking,
)
from victor_fp.core.protocols.openai_family.tools import NO_TOOLS, accept_tools
from victor_fp.core.protocols.operations import fill_chat
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported

TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")
JSON_OBJECT = wire.ResponseFormat(type="json_object")
WITH_USAGE = wire.StreamOptions(include_usage=True)


def write(
    endpoint: Endpoint, rules: ChatRules, route: ChatRoute | None, request: ChatRequest
) -> Result[HttpRequest, Fault]:
    """Build POST /chat/completions. What the vendor does not accept is a Failure, or an adjustment where allowed.

    `route` is None if it depends on the model.
    """
    found = route or choose_route(endpoint, rules.dialect, request.model)
    if found is None:
        message = f"{endpoint.spec.title} requires endpoint="
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    body, unsupported = _build_body(apply_policy(rules, request), request, names_model=found.names_model)
    if not unsupported:
        return Success(fill_chat(found.request, body, request.options))
    build = partial(fill_chat, found.request, body, request.options)
    return resolve_unsupported(endpoint, request, unsupported).map(build)


def _build_body(
    rules: ChatRules, request: ChatRequest, *, names_model: bool
) -> tuple[wire.ChatCompletionRequest, tuple[Adjustment, ...]]:
    """Build the body and list the unsupported options."""
    dialect = rules.dialect
    messages, in_messages = build_messages(rules, request)
    tokens, in_tokens = accept_max_tokens(rules, request, TOKENS_FIELDS)
    options = accept_options(rules, request)
    thinking, answer_format = NO_THINKING, None
    in_format: tuple[Adjustment, ...] = ()
    if request.options is not NO_OPTIONS:
        thinking = accept_thinking(rules, request)
        answer_format, in_format = accept_format(rules, request)
    reasoning = NO_REASONING if thinking is NO_THINKING else place_thinking(rules, thinking)
    tool_use = accept_tools(rules, request) if request.tools or request.options is not NO_OPTIONS else NO_TOOLS
    counts = dialect.logprobs_as == "count"
    body = wire.ChatCompletionRequest(
        messages=messages,
        model=request.model if names_model else UNSET,
        max_tokens=tokens if rules.tokens_field == "max_tokens" else UNSET,
        max_completion_tokens=tokens if rules.tokens_field == "max_completion_tokens" else UNSET,
        temperature=options.temperature,
        top_p=options.top_p,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        seed=options.seed,
        stop=options.stop,
        logprobs=UNSET if options.logprobs is UNSET else (options.logprobs or 1) if counts else True,
        top_logprobs=UNSET if counts else options.logprobs or UNSET,
        service_tier=options.service_tier,
        user=options.user if dialect.user_field == "user" else UNSET,
        safety_identifier=options.user if dialect.user_field == "safety_identifier" else UNSET,
        reasoning_effort=reasoning.reasoning_effort,
        tools=build_tools(rules, tool_use) if tool_use.tools else UNSET,
        tool_choice=tool_use.choice if tool_use.named is UNSET else build_choice(tool_use),
        parallel_tool_calls=tool_use.parallel,
        response_format=UNSET if answer_format is None else _build_format(answer_format),
        store=UNSET if request.options.store is None else request.options.store,
        stream=True if request.stream else UNSET,
        stream_options=WITH_USAGE if request.stream and dialect.stream_usage else UNSET,
    )
    if request.options is NO_OPTIONS and not tool_use.tools:
        return body, (*in_messages, *in_tokens, *options.adjustments, *tool_use.adjustments)
    vendor_fields = ChatVendorFields(
        top_k=options.top_k,
        user_id=options.user if dialect.user_field == "user_id" else UNSET,
        reasoning=reasoning.reasoning,
        thinking=reasoning.thinking,
        enable_thinking=reasoning.enable_thinking,
        thinking_budget=reasoning.thinking_budget,
        chat_template_kwargs=reasoning.chat_template_kwargs,
        chat_template_args=reasoning.chat_template_args,
        tool_stream=True if dialect.tool_stream and request.stream and tool_use.tools else UNSET,
    )
    in_fields: tuple[Adjustment, ...] = ()
    if vendor_fields != NO_FIELDS:
        body, in_fields = extend_body(rules, body, vendor_fields, thinking)
    unsupported = (
        *in_messages,
        *in_tokens,
        *options.adjustments,
        *thinking.adjustments,
        *tool_use.adjustments,
        *in_format,
        *in_fields,
    )
    return body, unsupported


def _build_format(answer_format: AnswerFormat) -> wire.ResponseFormat:
    if answer_format.schema is None:
        return JSON_OBJECT
    schema = wire.JsonSchemaFormat(name=answer_format.name, schema=answer_format.schema, strict=answer_format.strict)
    return wire.ResponseFormat(type="json_schema", json_schema=schema)
