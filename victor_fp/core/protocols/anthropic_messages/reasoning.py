"""`reasoning_effort` and `reasoning_budget` as the vendor's `thinking` and `effort`, within the model's policy."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.anthropic_messages.request import (
    ThinkingConfigAdaptive,
    ThinkingConfigDisabled,
    ThinkingConfigEnabled,
    ThinkingConfigParam,
)

from victor_fp.core.dialects.policies.claude import ClaudePolicy, Effort
from victor_fp.core.options import ReasoningEffort
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import DEFAULT_MAX_TOKENS

MIN_THINKING_BUDGET = 1024
"""The vendor's document: a thinking budget below 1024 tokens is rejected."""

BUDGETS: dict[ReasoningEffort, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}
"""Budget in tokens for each effort, for models that accept only a budget. The values are chosen by this library."""


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Thinking fields of a request, and the `max_tokens` that they require."""

    max_tokens: int
    thinking: ThinkingConfigParam | UnsetType = UNSET
    effort: Effort | UnsetType = UNSET
    unsupported: tuple[Adjustment, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the request enables thinking."""
        return isinstance(self.thinking, (ThinkingConfigEnabled, ThinkingConfigAdaptive))


def build_reasoning(policy: ClaudePolicy, request: ChatRequest) -> Reasoning:
    """Convert `reasoning_effort` and `reasoning_budget` to the fields that the model accepts."""
    effort, budget = request.options.reasoning_effort, request.options.reasoning_budget
    max_tokens = request.max_tokens if request.max_tokens is not None else DEFAULT_MAX_TOKENS
    if budget == 0 and effort in (None, "none"):
        effort, budget = "none", None
    if effort is None and budget is None:
        return Reasoning(max_tokens=max_tokens)
    refused: tuple[Adjustment, ...] = ()
    if effort == "none":
        refused = (
            () if budget is None else (Adjustment(parameter="reasoning_budget", reason="reasoning_effort is none"),)
        )
        return _turn_off(policy, max_tokens, refused)
    if policy.thinking == "none":
        requested = {"reasoning_effort": effort, "reasoning_budget": budget}
        refused = tuple(
            Adjustment(parameter=name, reason="this model does not support thinking")
            for name, value in requested.items()
            if value
        )
        return Reasoning(max_tokens=max_tokens, unsupported=refused)
    level, refused = _choose_effort(policy, effort, by_budget=budget is None)
    if policy.thinking == "adaptive" and budget is not None:
        reason = "this model does not accept a thinking budget; use reasoning_effort"
        refused = (*refused, Adjustment(parameter="reasoning_budget", reason=reason))
        budget = None
    if policy.thinking == "budget" or budget is not None:
        return _build_budget(request, effort, budget, level, refused)
    return Reasoning(max_tokens=max_tokens, thinking=ThinkingConfigAdaptive(), effort=level, unsupported=refused)


def _turn_off(policy: ClaudePolicy, max_tokens: int, refused: tuple[Adjustment, ...]) -> Reasoning:
    match policy.thinks:
        case "asked":
            return Reasoning(max_tokens=max_tokens, unsupported=refused)
        case "default":
            return Reasoning(max_tokens=max_tokens, thinking=ThinkingConfigDisabled(), unsupported=refused)
        case "always":
            reason = "thinking cannot be disabled for this model; a lower effort reduces it"
            return Reasoning(
                max_tokens=max_tokens, unsupported=(*refused, Adjustment(parameter="reasoning_effort", reason=reason))
            )


def _choose_effort(
    policy: ClaudePolicy, effort: ReasoningEffort | None, *, by_budget: bool
) -> tuple[Effort | UnsetType, tuple[Adjustment, ...]]:
    """Choose the effort for output_config; UNSET if only a budget is sent."""
    if effort is None or (not policy.efforts and by_budget):
        return UNSET, ()
    if not policy.efforts:
        return UNSET, (
            Adjustment(parameter="reasoning_effort", reason="this model accepts only a budget, and one is set"),
        )
    if effort in ("none", "minimal"):
        return policy.efforts[0], ()
    if (level := _choose_level(policy, effort)) is not None:
        return level, ()
    best = policy.efforts[-1] if effort == "max" else _lower_effort(policy, "max")
    reason = f"this model accepts {', '.join(policy.efforts)}; sent as {best} instead of {effort}"
    return best, (Adjustment(parameter="reasoning_effort", reason=reason, action="changed"),)


def _choose_level(policy: ClaudePolicy, effort: ReasoningEffort) -> Effort | None:
    return next((level for level in policy.efforts if level == effort), None)


def _lower_effort(policy: ClaudePolicy, ceiling: Literal["max"]) -> Effort:
    return next(level for level in reversed(policy.efforts) if level != ceiling)


def _build_budget(
    request: ChatRequest,
    effort: ReasoningEffort | None,
    requested: int | None,
    level: Effort | UnsetType,
    refused: tuple[Adjustment, ...],
) -> Reasoning:
    """Build a budget of at least 1024 and below max_tokens; max_tokens is raised only if the caller did not set it."""
    parameter = "reasoning_effort" if requested is None else "reasoning_budget"
    budget = requested if requested is not None else BUDGETS[effort or "medium"]
    if budget < MIN_THINKING_BUDGET:
        reason = f"a thinking budget must be at least {MIN_THINKING_BUDGET} tokens"
        refused = (*refused, Adjustment(parameter=parameter, reason=reason, action="changed"))
        budget = MIN_THINKING_BUDGET
    bound = request.max_tokens if request.asks_max_tokens else None
    if bound is None:
        max_tokens, thinking = budget + DEFAULT_MAX_TOKENS, ThinkingConfigEnabled(budget_tokens=budget)
        return Reasoning(max_tokens=max_tokens, thinking=thinking, effort=level, unsupported=refused)
    if bound <= MIN_THINKING_BUDGET:
        reason = f"max_tokens leaves no room for the smallest thinking budget, {MIN_THINKING_BUDGET} tokens"
        return Reasoning(
            max_tokens=bound, effort=level, unsupported=(*refused, Adjustment(parameter=parameter, reason=reason))
        )
    if budget >= bound:
        budget = max(MIN_THINKING_BUDGET, bound // 2)
        if requested is not None:
            reason = f"a thinking budget must be less than max_tokens ({bound})"
            refused = (*refused, Adjustment(parameter=parameter, reason=reason, action="changed"))
    return Reasoning(
        max_tokens=bound,
        thinking=ThinkingConfigEnabled(budget_tokens=budget),
        effort=level,
        unsupported=refused,
    )
