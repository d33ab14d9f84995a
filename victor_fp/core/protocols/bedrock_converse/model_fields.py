"""Sampling and reasoning of Converse: inferenceConfig, outputConfig and additionalModelRequestFields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.anthropic_messages.request import (
    ThinkingConfigAdaptive,
    ThinkingConfigDisabled,
    ThinkingConfigEnabled,
    ThinkingConfigParam,
)
from victor_fp_wire.bedrock_converse.request import (
    ClaudeThinking,
    InferenceConfiguration,
    ModelFields,
    NovaInference,
    NovaReasoning,
    OpenAIReasoning,
)

from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.dialects.policies.bedrock import BedrockPolicy
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.options import Options
from victor_fp.core.protocols.anthropic_messages.reasoning import build_reasoning
from victor_fp.core.protocols.anthropic_messages.sampling import build_sampling
from victor_fp.core.requests import Adjustment, ChatRequest

NO_FIELDS = ModelFields()


class Inference(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling, length and reasoning fields of a request."""

    config: InferenceConfiguration
    fields: ModelFields = NO_FIELDS
    """For additionalModelRequestFields."""
    effort: str | UnsetType = UNSET
    """For outputConfig."""
    budgeted: bool = False
    """Whether there is a thinking budget."""
    unsupported: tuple[Adjustment, ...] = ()


def build_inference(
    dialect: BedrockDialect, policy: BedrockPolicy, claude: ClaudePolicy | None, request: ChatRequest
) -> Inference:
    """Build the options that the model accepts."""
    return (
        _build_other_inference(dialect, policy, request)
        if claude is None
        else _build_claude_inference(dialect, claude, request)
    )


def _build_claude_inference(dialect: BedrockDialect, claude: ClaudePolicy, request: ChatRequest) -> Inference:
    """Build thinking, effort and sampling of a Claude model, which depend on each other as with Anthropic's API."""
    options = request.options
    reasoned = build_reasoning(claude, request)
    sampled = build_sampling(
        dialect.claude, claude, request, thinking=reasoned.active or _is_thinking_requested(options)
    )
    bounded = request.max_tokens is not None or reasoned.thinking is not UNSET
    config = InferenceConfiguration(
        max_tokens=reasoned.max_tokens if bounded else UNSET,
        temperature=sampled.temperature,
        top_p=sampled.top_p,
        stop_sequences=list(options.stop) if options.stop else UNSET,
    )
    thinking = UNSET if reasoned.thinking is UNSET else _build_thinking(reasoned.thinking)
    return Inference(
        config=config,
        fields=ModelFields(thinking=thinking, top_k=sampled.top_k),
        effort=reasoned.effort,
        budgeted=isinstance(reasoned.thinking, ThinkingConfigEnabled),
        unsupported=(*reasoned.unsupported, *sampled.unsupported),
    )


def _build_thinking(thinking: ThinkingConfigParam) -> ClaudeThinking:
    match thinking:
        case ThinkingConfigEnabled():
            return ClaudeThinking(type="enabled", budget_tokens=thinking.budget_tokens)
        case ThinkingConfigAdaptive():
            return ClaudeThinking(type="adaptive")
        case ThinkingConfigDisabled():
            return ClaudeThinking(type="disabled")
        case _:
            assert_never(thinking)


def _is_thinking_requested(options: Options) -> bool:
    """Return whether `extra_body` requests thinking, which does not allow the default temperature."""
    model_fields = options.extra_body.get("additionalModelRequestFields")
    thinking = model_fields.get("thinking") if isinstance(model_fields, Mapping) else None
    return isinstance(thinking, Mapping) and thinking.get("type") != "disabled"


def _build_other_inference(dialect: BedrockDialect, policy: BedrockPolicy, request: ChatRequest) -> Inference:
    options = request.options
    level, refused = _choose_effort(policy, options)
    top_k: int | None = None
    asked_bound = request.max_tokens if request.asks_max_tokens else None
    bound = request.max_tokens if policy.accepts_default_max_tokens else asked_bound
    temperature, top_p = request.temperature, options.top_p
    if level in policy.unbounded_at:
        requested = {
            "temperature": temperature if request.asks_temperature else None,
            "top_p": top_p,
            "max_tokens": asked_bound,
            "top_k": options.top_k,
        }
        reason = f"this model does not accept it at reasoning effort {level}"
        refused += [Adjustment(parameter=name, reason=reason) for name, value in requested.items() if value is not None]
        temperature = top_p = bound = None
    elif options.top_k is not None:
        top_k = options.top_k if policy.top_k else None
        if top_k is None:
            refused.append(Adjustment(parameter="top_k", reason="this model does not support it"))
    if temperature is not None and temperature > dialect.max_temperature:
        reason = f"at most {dialect.max_temperature:g}"
        refused.append(Adjustment(parameter="temperature", reason=reason, action="changed"))
        temperature = dialect.max_temperature
    config = InferenceConfiguration(
        max_tokens=UNSET if bound is None else bound,
        temperature=UNSET if temperature is None else temperature,
        top_p=UNSET if top_p is None else top_p,
        stop_sequences=list(options.stop) if options.stop else UNSET,
    )
    return Inference(config=config, fields=_build_fields(policy, level, top_k), unsupported=tuple(refused))


def _choose_effort(policy: BedrockPolicy, options: Options) -> tuple[str | None, list[Adjustment]]:
    """Return the model's name for the effort, "none" to disable reasoning; None if none is requested or supported."""
    refused: list[Adjustment] = []
    effort, budget = options.reasoning_effort, options.reasoning_budget
    if budget == 0 and effort in (None, "none"):
        effort, budget = "none", None
    if budget is not None:
        reason = "this model does not accept a thinking budget" + ("; use reasoning_effort" if policy.effort else "")
        refused.append(Adjustment(parameter="reasoning_budget", reason=reason))
    if effort is None:
        return None, refused
    if effort == "none":
        if policy.effort == "reasoningConfig":
            return effort, refused
        if policy.effort:
            refused.append(Adjustment(parameter="reasoning_effort", reason="this model always reasons"))
        return None, refused
    level = policy.efforts.get(effort) if policy.effort else None
    if level is None:
        reason = (
            f"this model accepts {', '.join(policy.efforts)}" if policy.efforts else "this model has no effort levels"
        )
        refused.append(Adjustment(parameter="reasoning_effort", reason=reason))
    return level, refused


def _build_fields(policy: BedrockPolicy, level: str | None, top_k: int | None) -> ModelFields:
    """Build the fields that the model has for an effort and for top_k."""
    limit = UNSET if top_k is None else top_k
    effort = UNSET if level is None else level
    return ModelFields(
        top_k=limit if policy.top_k == "top_k" else UNSET,
        k=limit if policy.top_k == "k" else UNSET,
        inference_config=NovaInference(top_k=limit)
        if policy.top_k == "inferenceConfig" and limit is not UNSET
        else UNSET,
        reasoning_effort=effort if policy.effort == "reasoning_effort" else UNSET,
        reasoning=OpenAIReasoning(effort=effort) if policy.effort == "reasoning" and effort is not UNSET else UNSET,
        reasoning_config=_build_nova_reasoning(effort)
        if policy.effort == "reasoningConfig" and effort is not UNSET
        else UNSET,
    )


def _build_nova_reasoning(effort: str) -> NovaReasoning:
    return (
        NovaReasoning(type="disabled")
        if effort == "none"
        else NovaReasoning(type="enabled", max_reasoning_effort=effort)
    )
