"""Token usage in all vendors' forms: prompt tokens include cached ones, completion tokens include reasoning."""

from __future__ import annotations

from victor_fp_wire.openai_chat.response import Usage

from victor_fp.core.deltas import UsageReported
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.usage import NO_USAGE, read_cost, read_raw_counts, to_int


def read_usage(usage: Usage | None) -> UsageReported | None:
    """Return the counts; None if there are none. Unreported counts stay absent."""
    if usage is None:
        return None
    prompt_details = usage.prompt_tokens_details
    completion_details = usage.completion_tokens_details
    reasoning = None if completion_details is None else completion_details.reasoning_tokens
    reported = UsageReported(
        prompt_tokens=to_int(usage.prompt_tokens),
        completion_tokens=to_int(_count_completion(usage, reasoning) if reasoning else usage.completion_tokens),
        total_tokens=to_int(usage.total_tokens),
        cache_creation_input_tokens=None
        if prompt_details is None
        else to_int(_find_first(prompt_details.cache_write_tokens, prompt_details.cache_creation_input_tokens)),
        cache_read_input_tokens=to_int(
            _find_first(
                None if prompt_details is None else prompt_details.cached_tokens,
                usage.prompt_cache_hit_tokens,
                usage.cached_tokens,
            )
        ),
        reasoning_tokens=to_int(reasoning),
    )
    return None if reported == NO_USAGE else reported


def _count_completion(usage: Usage, reasoning: float) -> float | None:
    """Return completion tokens including reasoning. If the total shows that they are counted apart (xAI), add them."""
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if prompt is None or completion is None or total is None:
        return completion
    return completion + reasoning if total == prompt + completion + reasoning else completion


def read_usage_metadata(usage: Usage | None) -> dict[str, Json]:
    """Return the cost in US dollars if the vendor reports it, and the raw usage if it has more than the standard counts."""
    if usage is None:
        return {}
    raw = read_raw_counts(usage)
    if usage.cost is None and usage.cost_in_usd_ticks is None:
        return raw
    return raw | read_cost(usage.cost, usage.cost_in_usd_ticks)


def _find_first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
