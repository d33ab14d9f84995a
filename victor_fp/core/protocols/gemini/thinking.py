"""Reasoning options as thinkingConfig: a level or a budget in tokens, by the model's policy."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType
from victor_fp_wire.gemini.request import ThinkingConfig

from victor_fp.core.dialects.policies.gemini import GeminiPolicy
from victor_fp.core.options import Options
from victor_fp.core.requests import Adjustment

Level: TypeAlias = Literal["MINIMAL", "LOW", "MEDIUM", "HIGH"]
LEVELS: dict[str, Level] = {"MINIMAL": "MINIMAL", "LOW": "LOW", "MEDIUM": "MEDIUM", "HIGH": "HIGH"}


def build_thinking_config(
    options: Options, policy: GeminiPolicy
) -> tuple[ThinkingConfig | UnsetType, list[Adjustment]]:
    """Build the thinkingConfig and list unsupported options. Thoughts are included whenever thinking is enabled."""
    effort, budget = options.reasoning_effort, options.reasoning_budget
    if effort is None and budget is None:
        return UNSET, []
    if not policy.efforts:
        if effort in (None, "none") and not budget:
            return UNSET, []
        parameter = "reasoning_effort" if budget is None else "reasoning_budget"
        return UNSET, [Adjustment(parameter=parameter, reason="this model does not support thinking")]
    unsupported: list[Adjustment] = []
    if budget is not None:
        if effort is not None:
            reason = "reasoning_budget is set, and a request accepts only one of the two"
            unsupported.append(Adjustment(parameter="reasoning_effort", reason=reason))
        if budget == 0 and "none" not in policy.efforts:
            unsupported.append(
                Adjustment(parameter="reasoning_budget", reason="thinking cannot be disabled for this model")
            )
            return UNSET, unsupported
        return _build_config(budget), unsupported
    if (size := policy.efforts.get(effort or "")) is not None:
        return _build_config(size), unsupported
    lowest = next(iter(policy.efforts.values()))
    reason = f"thinking cannot be disabled for this model; sent as {lowest}, the lowest level"
    return _build_config(lowest), [Adjustment(parameter="reasoning_effort", reason=reason, action="changed")]


def _build_config(size: int | str) -> ThinkingConfig:
    if isinstance(size, int):
        return ThinkingConfig(thinking_budget=size, include_thoughts=True if size else UNSET)
    return ThinkingConfig(thinking_level=LEVELS.get(size, "HIGH"), include_thoughts=True)
