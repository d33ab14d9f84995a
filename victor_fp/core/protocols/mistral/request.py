"""A chat as the body of POST /chat/completions: chat and stream share the builder."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from returns.result import Failure, Result, Success
from victor_fp_wire.mistral.operations import CreateChatCompletion
from victor_fp_wire.mistral.request import ChatCompletionRequest

from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, encode_json
from victor_fp.core.options import Options
from victor_fp.core.protocols.mistral.messages import messages_written
from victor_fp.core.protocols.mistral.options import answer_form, effort, temperature, tier, without_counterpart
from victor_fp.core.protocols.mistral.tools import choice, tools_written
from victor_fp.core.protocols.operations import build_url
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, build_headers, resolve_unsupported
from victor_fp.core.result import outcome

_T = TypeVar("_T")


def write(endpoint: Endpoint, dialect: MistralDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """The request for a chat or a stream, or the fault that says what Mistral cannot take."""
    spec, options = endpoint.spec, request.options
    untaken: list[Adjustment] = []
    messages = messages_written(spec, request.messages, untaken)
    tools = tools_written(spec, request, untaken)
    body = ChatCompletionRequest(
        model=request.model,
        messages=messages,
        stream=True if request.stream else UNSET,
        max_tokens=_set(request.max_tokens),
        temperature=temperature(spec, dialect, request, untaken),
        top_p=_set(options.top_p),
        presence_penalty=_set(options.presence_penalty),
        frequency_penalty=_set(options.frequency_penalty),
        random_seed=_set(options.seed),
        stop=UNSET if options.stop is None else list(options.stop),
        response_format=answer_form(spec, options.response_format, untaken),
        tools=tools,
        tool_choice=UNSET if tools is UNSET else choice(options.tool_choice),
        parallel_tool_calls=UNSET if tools is UNSET else _set(options.parallel_tool_calls),
        reasoning_effort=effort(spec, dialect, options, untaken),
        service_tier=tier(spec, dialect, options, untaken),
    )
    match outcome(resolve_unsupported(endpoint, request, [*untaken, *without_counterpart(spec, options)])):
        case Failure(fault):
            return Failure(fault)
        case Success(adjustments):
            pass
    return Success(
        HttpRequest(
            url=build_url(endpoint.base_url, CreateChatCompletion()),
            headers=build_headers(endpoint, options.extra_headers),
            body=encode_json(_with_extras(body, options)),
            adjustments=adjustments,
            signing=spec.auth.kind,
        )
    )


def _set(value: _T | None) -> _T | UnsetType:
    return UNSET if value is None else value


def _with_extras(body: ChatCompletionRequest, options: Options) -> object:
    """The body with the caller's own fields (safe_prompt, prompt_mode, guardrails, prediction ...) over the top."""
    if not options.unknown and not options.extra_body:
        return body
    built: dict[str, Json] = msgspec.to_builtins(body)
    return {**built, **options.unknown, **options.extra_body}
