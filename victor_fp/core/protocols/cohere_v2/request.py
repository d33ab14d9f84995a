"""Request bodies of POST /v2/chat."""

from __future__ import annotations

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
from victor_fp.core.protocols.operations import build_chat, replace_none
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported


def write(endpoint: Endpoint, dialect: CohereDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a chat or a stream, or return the fault for what Cohere does not accept."""
    policy, options = dialect.find_policy(request.model), request.options
    messages, in_messages = build_messages(dialect, policy, request)
    sampling = build_sampling(dialect, request)
    thinking, in_thinking = build_thinking(policy, options)
    tooling = build_tools(policy, request)
    unsupported = [*in_messages, *sampling.unsupported, *in_thinking, *tooling.unsupported]
    body = wire.ChatRequest(
        model=request.model,
        messages=messages,
        stream=True if request.stream else UNSET,
        tools=tooling.tools,
        tool_choice=tooling.choice,
        strict_tools=tooling.strict,
        response_format=_format(options),
        max_tokens=replace_none(request.max_tokens),
        stop_sequences=sampling.stop,
        temperature=sampling.temperature,
        seed=replace_none(options.seed),
        frequency_penalty=sampling.frequency_penalty,
        presence_penalty=sampling.presence_penalty,
        k=replace_none(options.top_k),
        p=sampling.top_p,
        logprobs=UNSET if options.logprobs is None or options.logprobs is False else True,
        thinking=thinking,
    )
    # Other fields, such as documents, citation_options and safety_mode, are passed through.
    return resolve_unsupported(endpoint, request, [*unsupported, *_list_unsupported(options)]).map(
        lambda adjustments: build_chat(endpoint, Chat(), body, options, adjustments)
    )


def _format(options: Options) -> wire.ResponseFormat | UnsetType:
    """Return the response format: JSON, with or without a schema. Schemas are always enforced."""
    requested = options.response_format
    if requested is None:
        return UNSET
    return wire.ResponseFormat(
        type="json_object", json_schema=UNSET if requested.kind == "json" else dict(requested.schema)
    )


def _list_unsupported(options: Options) -> list[Adjustment]:
    """List the requested options that /v2/chat has no field for."""
    unsupported: list[Adjustment] = []
    if isinstance(options.logprobs, int) and not isinstance(options.logprobs, bool) and options.logprobs > 0:
        reason = "Cohere returns the chosen tokens only, without alternatives"
        unsupported.append(Adjustment(parameter="logprobs", reason=reason, action="changed"))
    if options.service_tier is not None:
        unsupported.append(
            Adjustment(
                parameter="service_tier", reason="Cohere has no service tiers; pass its numeric priority in extra_body"
            )
        )
    if options.user is not None:
        unsupported.append(Adjustment(parameter="user", reason="Cohere does not accept a user"))
    return unsupported
