"""Sampling options within Cohere's bounds, which are narrower than those of other vendors."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.requests import Adjustment, ChatRequest

Number = float | UnsetType


class CohereSampling(msgspec.Struct, frozen=True, kw_only=True):
    """Sampling fields of the body, and adjusted options."""

    temperature: Number
    top_p: Number
    frequency_penalty: Number
    presence_penalty: Number
    stop: list[str] | UnsetType
    unsupported: tuple[Adjustment, ...]


def build_sampling(dialect: CohereDialect, request: ChatRequest) -> CohereSampling:
    """Build the sampling fields; out-of-range values are clamped and reported."""
    options = request.options
    changed: list[Adjustment] = []
    stop = UNSET if options.stop is None else list(options.stop[: dialect.stop_limit])
    if options.stop is not None and len(options.stop) > dialect.stop_limit:
        reason = f"Cohere accepts at most {dialect.stop_limit}; the first are kept"
        changed.append(Adjustment(parameter="stop", reason=reason, action="changed"))
    temperature, in_temperature = _clamp("temperature", request.temperature, 0, dialect.max_temperature)
    top_p, in_top_p = _clamp("top_p", options.top_p, 0.01, dialect.max_top_p)
    frequency, in_frequency = _clamp("frequency_penalty", options.frequency_penalty, 0, dialect.max_penalty)
    presence, in_presence = _clamp("presence_penalty", options.presence_penalty, 0, dialect.max_penalty)
    return CohereSampling(
        temperature=temperature,
        top_p=top_p,
        frequency_penalty=frequency,
        presence_penalty=presence,
        stop=stop,
        unsupported=(*changed, *in_temperature, *in_top_p, *in_frequency, *in_presence),
    )


def _clamp(name: str, value: float | None, minimum: float, maximum: float) -> tuple[Number, tuple[Adjustment, ...]]:
    if value is None:
        return UNSET, ()
    if minimum <= value <= maximum:
        return value, ()
    clamped = min(max(value, minimum), maximum)
    reason = f"Cohere accepts {minimum:g} to {maximum:g}; sent as {clamped:g}"
    return clamped, (Adjustment(parameter=name, reason=reason, action="changed"),)
