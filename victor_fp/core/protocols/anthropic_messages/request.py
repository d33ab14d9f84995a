"""A chat as an HTTP request: one builder for whole answers, streams and token counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET, UnsetType
from returns.result import Failure, Result, Success
from victor_fp_wire.anthropic_messages.operations import CountTokens, CreateMessage, RawPredict, StreamRawPredict
from victor_fp_wire.anthropic_messages.request import (
    CountMessageTokensParams,
    CreateMessageParams,
    JsonOutputFormat,
    Metadata,
    OutputConfig,
    ThinkingConfigEnabled,
)

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.faults import Fault
from victor_fp.core.json import encode_json
from victor_fp.core.models.claude import ClaudePolicy
from victor_fp.core.options import Options
from victor_fp.core.protocols.anthropic_messages.reasoning import build_reasoning
from victor_fp.core.protocols.anthropic_messages.sampling import build_sampling
from victor_fp.core.protocols.anthropic_messages.tools import build_tools
from victor_fp.core.protocols.anthropic_messages.turns import build_turns, limit_cache_marks
from victor_fp.core.protocols.operations import build_chat, build_request
from victor_fp.core.requests import (
    Adjustment,
    ChatRequest,
    Endpoint,
    HttpRequest,
    find_missing_setting,
    resolve_unsupported,
)

SERVICE_TIERS: dict[str, Literal["auto", "standard_only"]] = {
    "auto": "auto",
    "standard_only": "standard_only",
    "standard": "standard_only",
    "default": "standard_only",
}
"""The vendor's tiers, and the words of others that mean the same."""


def write(endpoint: Endpoint, dialect: AnthropicDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """The request for a completion, streamed or whole."""
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    body, unsupported, notes = _build_body(dialect, request)
    operation = _choose_operation(dialect, request)
    return resolve_unsupported(endpoint, request, unsupported).map(
        lambda decided: build_chat(endpoint, operation, body, request.options, (*decided, *notes))
    )


def _choose_operation(dialect: AnthropicDialect, request: ChatRequest) -> CreateMessage | RawPredict | StreamRawPredict:
    """Return the operation: Vertex AI has one for whole messages and one for streams, and both name the model."""
    if dialect.model_in_body:
        return CreateMessage()
    return StreamRawPredict(model=request.model) if request.stream else RawPredict(model=request.model)


def write_count(endpoint: Endpoint, dialect: AnthropicDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """The request that counts the input tokens of the same chat."""
    body, _, _ = _build_body(dialect, request)
    counted = CountMessageTokensParams(
        model=request.model,
        messages=body.messages,
        system=body.system,
        tools=body.tools,
        tool_choice=body.tool_choice,
        thinking=body.thinking,
        output_config=body.output_config,
    )
    return Success(
        build_request(endpoint, CountTokens(), body=encode_json(counted), extra_headers=request.options.extra_headers)
    )


def _build_body(
    dialect: AnthropicDialect, request: ChatRequest
) -> tuple[CreateMessageParams, tuple[Adjustment, ...], tuple[Adjustment, ...]]:
    """The body, what had to be left out of it, and what was changed without a loss."""
    policy, options = dialect.find_policy(request.model), request.options
    request, over_marked = limit_cache_marks(dialect, request)
    said = build_turns(dialect, policy, request.messages)
    reasoned = build_reasoning(policy, request)
    sampled = build_sampling(dialect, policy, request, thinking=reasoned.active or _is_thinking_requested(options))
    tooled = build_tools(policy, request, budgeted=isinstance(reasoned.thinking, ThinkingConfigEnabled))
    form, unformed = _format(policy, options)
    tier, untiered = _choose_service_tier(options)
    config = OutputConfig(effort=reasoned.effort, format=form)
    body = CreateMessageParams(
        model=request.model if dialect.model_in_body else UNSET,
        anthropic_version=dialect.version_in_body or UNSET,
        max_tokens=reasoned.max_tokens,
        system=said.system,
        messages=said.messages,
        tools=tooled.tools,
        tool_choice=tooled.choice,
        thinking=reasoned.thinking,
        output_config=UNSET if config == OutputConfig() else config,
        temperature=sampled.temperature,
        top_p=sampled.top_p,
        top_k=sampled.top_k,
        stop_sequences=list(options.stop) if options.stop else UNSET,
        service_tier=tier,
        metadata=UNSET if options.user is None else Metadata(user_id=options.user),
        stream=True if request.stream else UNSET,
    )
    unsupported = (
        *said.unsupported,
        *reasoned.unsupported,
        *sampled.unsupported,
        *tooled.unsupported,
        *unformed,
        *untiered,
        *over_marked,
        *_list_unsupported(options),
    )
    return body, unsupported, said.notes


def _is_thinking_requested(options: Options) -> bool:
    """The caller's own fields ask for thinking, which our default temperature must not spoil."""
    own = options.extra_body.get("thinking", options.unknown.get("thinking"))
    return isinstance(own, Mapping) and own.get("type") != "disabled"


def _format(policy: ClaudePolicy, options: Options) -> tuple[JsonOutputFormat | UnsetType, tuple[Adjustment, ...]]:
    """The answer's form, and what cannot be asked of it."""
    wanted = options.response_format
    if wanted is None:
        return UNSET, ()
    if wanted.kind == "json":
        reason = "there is no free JSON mode; give a schema"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    if not policy.structured:
        reason = "this model has no structured outputs"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    return JsonOutputFormat(schema=wanted.schema), ()


def _choose_service_tier(
    options: Options,
) -> tuple[Literal["auto", "standard_only"] | UnsetType, tuple[Adjustment, ...]]:
    if options.service_tier is None:
        return UNSET, ()
    tier = SERVICE_TIERS.get(options.service_tier.lower())
    if tier is None:
        reason = f"the tiers are auto and standard_only, not {options.service_tier}"
        return UNSET, (Adjustment(parameter="service_tier", reason=reason),)
    return tier, ()


def _list_unsupported(options: Options) -> tuple[Adjustment, ...]:
    """What was asked for that the protocol has no field for."""
    asked = {
        "seed": options.seed is not None,
        "logprobs": options.logprobs is not None and options.logprobs is not False,
        "presence_penalty": bool(options.presence_penalty),
        "frequency_penalty": bool(options.frequency_penalty),
    }
    return tuple(
        Adjustment(parameter=name, reason="the protocol has no such parameter") for name, is_ in asked.items() if is_
    )
