"""Request bodies of Anthropic Messages, for chats, streams and token counts."""

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
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.faults import Fault
from victor_fp.core.json import encode_json
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
    choose_service_tier,
    find_missing_setting,
    list_missing_fields,
    resolve_unsupported,
)

SERVICE_TIERS: dict[str, Literal["auto", "standard_only"]] = {
    "auto": "auto",
    "standard_only": "standard_only",
    "standard": "standard_only",
    "default": "standard_only",
}
"""The vendor's tiers, and equivalent names from other vendors."""


def write(endpoint: Endpoint, dialect: AnthropicDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request for a completion, streaming or not."""
    if (fault := find_missing_setting(endpoint, request.model)) is not None:
        return Failure(fault)
    body, unsupported, notes = _build_body(dialect, request)
    operation = _choose_operation(dialect, request)
    return resolve_unsupported(endpoint, request, unsupported).map(
        lambda decided: build_chat(endpoint, operation, body, request.options, (*decided, *notes))
    )


def _choose_operation(dialect: AnthropicDialect, request: ChatRequest) -> CreateMessage | RawPredict | StreamRawPredict:
    """Return the operation: Vertex AI has separate ones for non-streaming and streaming, both with the model in the URL."""
    if dialect.model_in_body:
        return CreateMessage()
    return StreamRawPredict(model=request.model) if request.stream else RawPredict(model=request.model)


def write_count(endpoint: Endpoint, dialect: AnthropicDialect, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request that counts the input tokens of the same chat."""
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
    """Return the body, the unsupported options, and the lossless changes."""
    policy, options = dialect.find_policy(request.model), request.options
    request, excess_marks = limit_cache_marks(dialect, request)
    turns = build_turns(dialect, policy, request.messages)
    reasoning = build_reasoning(policy, request)
    sampling = build_sampling(dialect, policy, request, thinking=reasoning.active or _is_thinking_requested(options))
    tooling = build_tools(policy, request, budgeted=isinstance(reasoning.thinking, ThinkingConfigEnabled))
    response_format, in_format = _format(policy, options)
    tier, in_tier = choose_service_tier(options, SERVICE_TIERS, "auto and standard_only")
    config = OutputConfig(effort=reasoning.effort, format=response_format)
    body = CreateMessageParams(
        model=request.model if dialect.model_in_body else UNSET,
        anthropic_version=dialect.version_in_body or UNSET,
        max_tokens=reasoning.max_tokens,
        system=turns.system,
        messages=turns.messages,
        tools=tooling.tools,
        tool_choice=tooling.choice,
        thinking=reasoning.thinking,
        output_config=UNSET if config == OutputConfig() else config,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop_sequences=list(options.stop) if options.stop else UNSET,
        service_tier=tier,
        metadata=UNSET if options.user is None else Metadata(user_id=options.user),
        stream=True if request.stream else UNSET,
    )
    unsupported = (
        *turns.unsupported,
        *reasoning.unsupported,
        *sampling.unsupported,
        *tooling.unsupported,
        *in_format,
        *in_tier,
        *excess_marks,
        *_list_unsupported(options),
    )
    return body, unsupported, turns.notes


def _is_thinking_requested(options: Options) -> bool:
    """Return whether `extra_body` requests thinking, which does not allow the default temperature."""
    own = options.extra_body.get("thinking", options.unknown.get("thinking"))
    return isinstance(own, Mapping) and own.get("type") != "disabled"


def _format(policy: ClaudePolicy, options: Options) -> tuple[JsonOutputFormat | UnsetType, tuple[Adjustment, ...]]:
    """Return the response format and the unsupported parts of the requested one."""
    requested = options.response_format
    if requested is None:
        return UNSET, ()
    if requested.kind == "json":
        reason = "there is no JSON mode without a schema; pass a schema"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    if not policy.structured:
        reason = "this model does not support structured outputs"
        return UNSET, (Adjustment(parameter="response_format", reason=reason),)
    return JsonOutputFormat(schema=requested.schema), ()


def _list_unsupported(options: Options) -> tuple[Adjustment, ...]:
    """List the requested options that the protocol has no field for."""
    return list_missing_fields(
        {
            "seed": options.seed is not None,
            "logprobs": options.logprobs is not None and options.logprobs is not False,
            "presence_penalty": bool(options.presence_penalty),
            "frequency_penalty": bool(options.frequency_penalty),
        }
    )
