"""Token usage of Responses."""

from __future__ import annotations

from typing import Any

import msgspec
from victor_fp_wire.openai_responses.response import ResponseUsage

from victor_fp.core.deltas import UsageReported
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.completions import read_cost

STANDARD = {"input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details"}


def read_usage(usage: ResponseUsage) -> UsageReported:
    """Return the counts. As in the protocol, input includes cached tokens and output includes reasoning."""
    input_details, output_details = usage.input_tokens_details, usage.output_tokens_details
    return UsageReported(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cache_creation_input_tokens=None if input_details is None else input_details.cache_write_tokens,
        cache_read_input_tokens=None if input_details is None else input_details.cached_tokens,
        reasoning_tokens=None if output_details is None else output_details.reasoning_tokens,
    )


def read_usage_metadata(usage: ResponseUsage) -> dict[str, Json]:
    """Return the cost in US dollars if the vendor reports it, and the raw usage if it has more than the standard counts."""
    notes = read_cost(usage.cost, usage.cost_in_usd_ticks)
    raw = _drop_unset(msgspec.to_builtins(usage))
    if set(raw) - STANDARD:
        notes["usage_raw"] = raw
    return notes


def _drop_unset(counts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _drop_unset(value) if isinstance(value, dict) else value
        for name, value in counts.items()
        if value is not None
    }
