"""One reading of all the ways to count tokens: the prompt with its cached part, the completion with its reasoning."""

from __future__ import annotations

from victor_fp_wire.openai_chat.response import Usage

from victor_fp.core.deltas import UsageReported
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.usage import NO_USAGE, read_cost, read_raw_counts, to_whole_number


def read_usage(usage: Usage | None) -> UsageReported | None:
    """The counts, None where the vendor gave none. An absent count stays absent."""
    if usage is None:
        return None
    inside = usage.prompt_tokens_details
    outside = usage.completion_tokens_details
    reasoning = None if outside is None else outside.reasoning_tokens
    reported = UsageReported(
        prompt_tokens=to_whole_number(usage.prompt_tokens),
        completion_tokens=to_whole_number(
            _count_completion(usage, reasoning) if reasoning else usage.completion_tokens
        ),
        total_tokens=to_whole_number(usage.total_tokens),
        cache_creation_input_tokens=None
        if inside is None
        else to_whole_number(_find_first(inside.cache_write_tokens, inside.cache_creation_input_tokens)),
        cache_read_input_tokens=to_whole_number(
            _find_first(
                None if inside is None else inside.cached_tokens,
                usage.prompt_cache_hit_tokens,
                usage.cached_tokens,
            )
        ),
        reasoning_tokens=to_whole_number(reasoning),
    )
    return None if reported == NO_USAGE else reported


def _count_completion(usage: Usage, reasoning: float) -> float | None:
    """The completion with its reasoning: where the total shows that the vendor counts them apart (xAI), their sum."""
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if prompt is None or completion is None or total is None:
        return completion
    return completion + reasoning if total == prompt + completion + reasoning else completion


def read_usage_metadata(usage: Usage | None) -> dict[str, Json]:
    """The cost where the vendor names it in US dollars, and the counts as they came where they say more."""
    if usage is None:
        return {}
    raw = read_raw_counts(usage)
    if usage.cost is None and usage.cost_in_usd_ticks is None:
        return raw
    return raw | read_cost(usage.cost, usage.cost_in_usd_ticks)


def _find_first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
