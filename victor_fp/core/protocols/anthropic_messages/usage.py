"""Token usage of bodies, message_start and message_delta."""

from __future__ import annotations

import msgspec
from victor_fp_wire.anthropic_messages.response import Usage

from victor_fp.core.deltas import UsageReported
from victor_fp.core.json import Json
from victor_fp.core.usage.cost import build_cost

_STANDARD = frozenset(
    {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens_details"}
)
_APART = frozenset({"service_tier", "cost"})


def merge_usage(old: Usage | None, new: Usage) -> Usage:
    """Merge a later report: its values replace earlier ones."""
    if old is None:
        return new
    given = {name: value for name in new.__struct_fields__ if (value := getattr(new, name)) is not None}
    return msgspec.structs.replace(old, **given)


def report_usage(usage: Usage) -> UsageReported:
    """Return the standard counts. Prompt tokens include cache reads and writes, which the vendor's input_tokens exclude."""
    details = usage.output_tokens_details
    return UsageReported(
        prompt_tokens=None
        if usage.input_tokens is None
        else usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0),
        completion_tokens=usage.output_tokens,
        cache_creation_input_tokens=usage.cache_creation_input_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        reasoning_tokens=None if details is None else details.thinking_tokens,
    )


def describe_usage(usage: Usage) -> dict[str, Json]:
    """Return usage beyond the standard counts, for the response metadata."""
    given: dict[str, Json] = {name: value for name, value in msgspec.to_builtins(usage).items() if value is not None}
    facts: dict[str, Json] = {name: given[name] for name in given if name in _APART}
    if usage.cost is not None:
        facts["cost"] = build_cost(usage.cost)
    if given.keys() - _STANDARD - _APART:
        facts["usage_raw"] = given
    return facts
