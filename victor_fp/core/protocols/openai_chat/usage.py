"""One reading of all the ways to count tokens: the prompt with its cached part, the completion with its reasoning."""

from __future__ import annotations

from typing import Any

import msgspec
from victor_fp_wire.openai_chat.response import Usage

from victor_fp.core.cost import cost_note
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
    inside = usage.prompt_tokens_details or usage.prompt_token_details
    outside = usage.completion_tokens_details
    reasoning = None if outside is None else outside.reasoning_tokens
    reported = UsageReported(
        prompt_tokens=_whole(usage.prompt_tokens),
        completion_tokens=_whole(_completion(usage, reasoning)),
        total_tokens=_whole(usage.total_tokens),
        cache_creation_input_tokens=None
        if inside is None
        else _whole(_first(inside.cache_write_tokens, inside.cache_creation_input_tokens)),
        cache_read_input_tokens=_whole(
            _first(
                None if inside is None else inside.cached_tokens,
                usage.prompt_cache_hit_tokens,
                usage.cached_tokens,
                usage.num_cached_tokens,
            )
        ),
        reasoning_tokens=_whole(reasoning),
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
    raw = _plain(msgspec.to_builtins(usage))
    notes: dict[str, Json] = {}
    if usage.cost is not None:
        notes["cost"] = cost_note(usage.cost)
    elif usage.cost_in_usd_ticks is not None:
        notes["cost"] = cost_note(usage.cost_in_usd_ticks / TICKS_PER_DOLLAR)
    if _says_more(raw):
        notes["usage_raw"] = raw
    return notes


def _says_more(raw: dict[str, Any]) -> bool:
    return any(
        set(value) - STANDARD_DETAILS if isinstance(value, dict) else name not in STANDARD
        for name, value in raw.items()
    )


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is absent; whole numbers as such."""
    out: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            out[name] = _plain(item)
        elif isinstance(item, float) and item.is_integer():
            out[name] = int(item)
        elif item is not None:
            out[name] = item
    return out


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
