"""`temperature`, `top_p` and `top_k`, which newer models and thinking restrict."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.requests import Adjustment, ChatRequest

MIN_TOP_P_THINKING = 0.95
"""The vendor's document: with thinking, top_p must be between 0.95 and 1."""
MIN_TOP_P = 0.99
"""The vendor's document: models without sampling accept 0.99 and above for backward compatibility."""


class AnthropicSampling(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling fields of a request."""

    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    unsupported: tuple[Adjustment, ...] = ()


def build_sampling(
    dialect: AnthropicDialect, policy: ClaudePolicy, request: ChatRequest, *, thinking: bool
) -> AnthropicSampling:
    """Build the sampling fields that the model accepts.

    The default temperature is dropped silently, one set by the caller is reported.
    """
    fixed = "thinking allows only the vendor's default" if thinking else "this model does not accept it"
    requested = request.temperature if request.asks_temperature else None
    top_p, top_k = request.options.top_p, request.options.top_k
    refused: list[Adjustment] = []
    if policy.sampling == "none" or thinking:
        if requested is not None and requested != 1:
            refused.append(Adjustment(parameter="temperature", reason=fixed))
        if top_p is not None and top_p < (MIN_TOP_P if policy.sampling == "none" else MIN_TOP_P_THINKING):
            refused.append(Adjustment(parameter="top_p", reason=fixed))
            top_p = None
        if top_k is not None:
            refused.append(Adjustment(parameter="top_k", reason=fixed))
        return AnthropicSampling(top_p=UNSET if top_p is None else top_p, unsupported=tuple(refused))
    temperature = request.temperature if top_p is None else requested
    if temperature is not None and temperature > dialect.max_temperature:
        reason = f"at most {dialect.max_temperature:g}"
        refused.append(Adjustment(parameter="temperature", reason=reason, action="changed"))
        temperature = dialect.max_temperature
    if policy.sampling == "one" and temperature is not None and top_p is not None:
        refused.append(Adjustment(parameter="top_p", reason="this model accepts temperature or top_p, not both"))
        top_p = None
    return AnthropicSampling(
        temperature=UNSET if temperature is None else temperature,
        top_p=UNSET if top_p is None else top_p,
        top_k=UNSET if top_k is None else top_k,
        unsupported=tuple(refused),
    )
