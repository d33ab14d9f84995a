"""Thinking of Cohere models: a switch, with an optional budget."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from victor_fp_wire.cohere_v2.request import Thinking

from victor_fp.core.dialects.policies.cohere import CoherePolicy
from victor_fp.core.options import Options
from victor_fp.core.requests import Adjustment

LEVEL = "high"
"""The effort that corresponds to thinking without a budget."""


def build_thinking(policy: CoherePolicy, options: Options) -> tuple[Thinking | UnsetType, list[Adjustment]]:
    """Build the thinking field from effort and budget. A budget takes precedence over an effort."""
    effort, budget = options.reasoning_effort, options.reasoning_budget
    if not policy.thinks:
        requested = {"reasoning_effort": effort not in (None, "none"), "reasoning_budget": bool(budget)}
        refused = [
            Adjustment(parameter=name, reason="this model does not support thinking")
            for name, given in requested.items()
            if given
        ]
        return UNSET, refused
    if effort == "none":
        contrary = (
            [Adjustment(parameter="reasoning_budget", reason="thinking is disabled by reasoning_effort")]
            if budget
            else []
        )
        return Thinking(type="disabled"), contrary
    if budget is not None:
        # A budget must be positive; zero disables thinking.
        return (Thinking(type="enabled", token_budget=budget) if budget > 0 else Thinking(type="disabled")), []
    if effort is None:
        return UNSET, []
    reason = "Cohere has no effort levels; sent as enabled"
    changed = [] if effort == LEVEL else [Adjustment(parameter="reasoning_effort", reason=reason, action="changed")]
    return Thinking(type="enabled"), changed
