"""One reading of all the ways to count tokens: the prompt with its cached part, the completion with its reasoning."""

from __future__ import annotations

from typing import Any

import msgspec
from victor_fp_wire.openai_chat.response import Usage

from victor_fp.core.cost import build_cost
from victor_fp.core.deltas import UsageReported
from victor_fp.core.json import Json

TICKS_PER_DOLLAR = 10_000_000_000
"""xAI counts cost in these."""
STANDARD = {"prompt_tokens", "completion_tokens", "total_tokens"}
STANDARD_DETAILS = {"cached_tokens", "cache_write_tokens", "reasoning_tokens"}


def usage_reported(usage: Usage | None) -> UsageReported | None:
    """The counts, None where the vendor gave none. An absent count stays absent."""
    if usage is None:
        return None
    inside = usage.prompt_tokens_details
    outside = usage.completion_tokens_details
    reasoning = None if outside is None else outside.reasoning_tokens
    reported = UsageReported(
        prompt_tokens=to_whole_number(usage.prompt_tokens),
        completion_tokens=to_whole_number(_completion(usage, reasoning)),
        total_tokens=to_whole_number(usage.total_tokens),
        cache_creation_input_tokens=None
        if inside is None
        else to_whole_number(_first(inside.cache_write_tokens, inside.cache_creation_input_tokens)),
        cache_read_input_tokens=to_whole_number(
            _first(
                None if inside is None else inside.cached_tokens,
                usage.prompt_cache_hit_tokens,
                usage.cached_tokens,
            )
        ),
        reasoning_tokens=to_whole_number(reasoning),
    )
    return None if reported == NOTHING else reported


NOTHING = UsageReported()


def _completion(usage: Usage, reasoning: float | None) -> float | None:
    """The completion with its reasoning: where the total shows that the vendor counts them apart (xAI), their sum."""
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if prompt is None or completion is None or total is None or not reasoning:
        return completion
    return completion + reasoning if total == prompt + completion + reasoning else completion


def usage_notes(usage: Usage | None) -> dict[str, Json]:
    """The cost where the vendor names it in US dollars, and the counts as they came where they say more."""
    if usage is None:
        return {}
    notes = counts_noted(usage)
    if usage.cost is not None:
        notes["cost"] = build_cost(usage.cost)
    elif usage.cost_in_usd_ticks is not None:
        notes["cost"] = build_cost(usage.cost_in_usd_ticks / TICKS_PER_DOLLAR)
    return notes


def counts_noted(usage: msgspec.Struct | None) -> dict[str, Json]:
    """The counts as they came, where they say more than the standard ones."""
    raw = {} if usage is None else to_plain(msgspec.to_builtins(usage))
    return {"usage_raw": raw} if _says_more(raw) else {}


def _says_more(raw: dict[str, Any]) -> bool:
    return any(
        set(value) - STANDARD_DETAILS if isinstance(value, dict) else name not in STANDARD
        for name, value in raw.items()
    )


def to_plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is absent; whole numbers as such."""
    out: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            out[name] = to_plain(item)
        elif isinstance(item, float) and item.is_integer():
            out[name] = int(item)
        elif item is not None:
            out[name] = item
    return out


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def to_whole_number(value: float | None) -> int | None:
    """A count; some servers write 1.0."""
    return None if value is None else int(value)
