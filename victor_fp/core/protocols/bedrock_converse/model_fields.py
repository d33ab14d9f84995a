"""Sampling and reasoning of Converse: inferenceConfig, outputConfig and additionalModelRequestFields."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.anthropic_messages.request import ThinkingConfigEnabled
from victor_fp_wire.bedrock_converse.request import InferenceConfiguration

from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.json import Json
from victor_fp.core.models.bedrock import BedrockPolicy, FieldPath
from victor_fp.core.models.claude import ClaudePolicy
from victor_fp.core.options import Options
from victor_fp.core.protocols.anthropic_messages.reasoning import build_reasoning
from victor_fp.core.protocols.anthropic_messages.sampling import build_sampling
from victor_fp.core.requests import Adjustment, ChatRequest


class Inference(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling, length and reasoning fields of a request."""

    config: InferenceConfiguration
    fields: dict[str, Json] = {}
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
    fields: dict[str, Json] = {}
    if reasoned.thinking is not UNSET:
        fields["thinking"] = msgspec.to_builtins(reasoned.thinking)
    if sampled.top_k is not UNSET:
        fields["top_k"] = sampled.top_k
    bounded = request.max_tokens is not None or reasoned.thinking is not UNSET
    config = InferenceConfiguration(
        max_tokens=reasoned.max_tokens if bounded else UNSET,
        temperature=sampled.temperature,
        top_p=sampled.top_p,
        stop_sequences=list(options.stop) if options.stop else UNSET,
    )
    return Inference(
        config=config,
        fields=fields,
        effort=reasoned.effort,
        budgeted=isinstance(reasoned.thinking, ThinkingConfigEnabled),
        unsupported=(*reasoned.unsupported, *sampled.unsupported),
    )


def _is_thinking_requested(options: Options) -> bool:
    """Return whether `extra_body` requests thinking, which does not allow the default temperature."""
    model_fields = options.extra_body.get("additionalModelRequestFields")
    thinking = model_fields.get("thinking") if isinstance(model_fields, Mapping) else None
    return isinstance(thinking, Mapping) and thinking.get("type") != "disabled"


def _build_other_inference(dialect: BedrockDialect, policy: BedrockPolicy, request: ChatRequest) -> Inference:
    options = request.options
    fields, level, refused = _build_effort_fields(policy, options)
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
        if policy.top_k:
            fields = merge_fields(fields, _nest_at(policy.top_k, options.top_k))
        else:
            refused.append(Adjustment(parameter="top_k", reason="this model has no such parameter"))
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
    return Inference(config=config, fields=fields, unsupported=tuple(refused))


def _build_effort_fields(policy: BedrockPolicy, options: Options) -> tuple[dict[str, Json], str, list[Adjustment]]:
    """Return the model's fields for an effort, and its name for it; empty if no effort is requested or supported."""
    refused: list[Adjustment] = []
    effort, budget = options.reasoning_effort, options.reasoning_budget
    if budget == 0 and effort in (None, "none"):
        effort, budget = "none", None
    if budget is not None:
        reason = "this model does not accept a thinking budget" + ("; use reasoning_effort" if policy.effort else "")
        refused.append(Adjustment(parameter="reasoning_budget", reason=reason))
    if effort is None:
        return {}, "", refused
    if effort == "none":
        if policy.effort and not policy.no_effort_fields:
            refused.append(Adjustment(parameter="reasoning_effort", reason="this model always reasons"))
        return (
            _nest_at(policy.effort[:-1], dict(policy.no_effort_fields)) if policy.no_effort_fields else {},
            "",
            refused,
        )
    level = policy.efforts.get(effort)
    if level is None:
        reason = (
            f"this model accepts {', '.join(policy.efforts)}" if policy.efforts else "this model has no effort levels"
        )
        refused.append(Adjustment(parameter="reasoning_effort", reason=reason))
        return {}, "", refused
    extra = _nest_at(policy.effort[:-1], dict(policy.effort_fields)) if policy.effort_fields else {}
    return merge_fields(extra, _nest_at(policy.effort, level)), level, refused


def _nest_at(path: FieldPath, value: Json) -> dict[str, Json]:
    """Return the value nested at the path."""
    first, *rest = path
    return {first: _nest_at(tuple(rest), value) if rest else value}


def merge_fields(fields: Mapping[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
    """Merge `more` into `fields`: objects are merged recursively, other values replaced."""
    out = dict(fields)
    for name, value in more.items():
        before = out.get(name)
        out[name] = merge_fields(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return out
