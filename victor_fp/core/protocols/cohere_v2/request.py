"""A chat as the body of POST /v2/chat."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, UnsetType
from returns.result import Result
from victor_fp_wire.cohere_v2 import request as wire
from victor_fp_wire.cohere_v2.operations import Chat

from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.faults import Fault
from victor_fp.core.options import Options
from victor_fp.core.protocols.cohere_v2.messages import build_messages
from victor_fp.core.protocols.cohere_v2.sampling import build_sampling
from victor_fp.core.protocols.cohere_v2.thinking import build_thinking
from victor_fp.core.protocols.cohere_v2.tools import build_tools
from victor_fp.core.protocols.operations import build_chat
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported

_T = TypeVar("_T")


def write(endpoint: Endpoint, dialect: CohereDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a chat or a stream, or return the fault for what Cohere does not accept."""
    policy, options = dialect.find_policy(request.model), request.options
    messages, of_messages = build_messages(dialect, policy, request)
    sampled = build_sampling(dialect, request)
    thought, of_thinking = build_thinking(policy, options)
    tooled = build_tools(policy, request)
    unsupported = [*of_messages, *sampled.unsupported, *of_thinking, *tooled.unsupported]
    body = wire.ChatRequest(
        model=request.model,
        messages=messages,
        stream=True if request.stream else UNSET,
        tools=tooled.tools,
        tool_choice=tooled.choice,
        strict_tools=tooled.strict,
        response_format=_format(options),
        max_tokens=_replace_none(request.max_tokens),
        stop_sequences=sampled.stop,
        temperature=sampled.temperature,
        seed=_replace_none(options.seed),
        frequency_penalty=sampled.frequency_penalty,
        presence_penalty=sampled.presence_penalty,
        k=_replace_none(options.top_k),
        p=sampled.top_p,
        logprobs=UNSET if options.logprobs is None or options.logprobs is False else True,
        thinking=thought,
    )
    # Fields of the caller's own are documents, citation_options, safety_mode and the like.
    return resolve_unsupported(endpoint, request, [*unsupported, *_list_unsupported(options)]).map(
        lambda adjustments: build_chat(endpoint, Chat(), body, options, adjustments)
    )


def _format(options: Options) -> wire.ResponseFormat | UnsetType:
    """JSON, by a schema or without. There is no strictness to ask for: a schema always binds."""
    asked = options.response_format
    if asked is None:
        return UNSET
    return wire.ResponseFormat(type="json_object", json_schema=UNSET if asked.kind == "json" else dict(asked.schema))


def _replace_none(value: _T | None) -> _T | UnsetType:
    return UNSET if value is None else value


def _list_unsupported(options: Options) -> list[Adjustment]:
    """What was asked for that /v2/chat has no field for."""
    untaken: list[Adjustment] = []
    if isinstance(options.logprobs, int) and not isinstance(options.logprobs, bool) and options.logprobs > 0:
        reason = "Cohere gives the chosen tokens only, without alternatives"
        untaken.append(Adjustment(parameter="logprobs", reason=reason, action="changed"))
    if options.service_tier is not None:
        untaken.append(
            Adjustment(parameter="service_tier", reason="Cohere has no tiers; extra_body takes its priority, a number")
        )
    if options.user is not None:
        untaken.append(Adjustment(parameter="user", reason="Cohere takes no user"))
    return untaken
