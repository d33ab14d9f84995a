"""Sampling within Cohere's bounds, which are narrower than those of others."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.requests import Adjustment, ChatRequest

Number = float | UnsetType


class CohereSampling(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into the body, and what of the caller's wishes does not."""

    temperature: Number
    top_p: Number
    frequency_penalty: Number
    presence_penalty: Number
    stop: list[str] | UnsetType
    unsupported: tuple[Adjustment, ...]


def build_sampling(dialect: CohereDialect, request: ChatRequest) -> CohereSampling:
    """The caller's wishes; one beyond a bound is brought to it, visibly."""
    options = request.options
    changed: list[Adjustment] = []
    stop = UNSET if options.stop is None else list(options.stop[: dialect.stop_limit])
    if options.stop is not None and len(options.stop) > dialect.stop_limit:
        reason = f"Cohere takes {dialect.stop_limit} at most; the first are kept"
        changed.append(Adjustment(parameter="stop", reason=reason, action="changed"))
    temperature, of_temperature = _clamp("temperature", request.temperature, 0, dialect.max_temperature)
    top_p, of_top_p = _clamp("top_p", options.top_p, 0.01, dialect.max_top_p)
    frequency, of_frequency = _clamp("frequency_penalty", options.frequency_penalty, 0, dialect.max_penalty)
    presence, of_presence = _clamp("presence_penalty", options.presence_penalty, 0, dialect.max_penalty)
    return CohereSampling(
        temperature=temperature,
        top_p=top_p,
        frequency_penalty=frequency,
        presence_penalty=presence,
        stop=stop,
        unsupported=(*changed, *of_temperature, *of_top_p, *of_frequency, *of_presence),
    )


def _clamp(name: str, value: float | None, least: float, most: float) -> tuple[Number, tuple[Adjustment, ...]]:
    if value is None:
        return UNSET, ()
    if least <= value <= most:
        return value, ()
    near = min(max(value, least), most)
    reason = f"Cohere takes {least:g} to {most:g}; sent as {near:g}"
    return near, (Adjustment(parameter=name, reason=reason, action="changed"),)
