"""Token counts of Mistral, in every field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.mistral.answers import USAGE, answer, encode_sse, events, read, read_stream


def read_usage(counts: dict[str, Any]) -> Any:
    whole = answer("Hi", usage=counts)
    assert read_stream(encode_sse(*events(whole))) == read(whole)
    return read(whole).get("usage")


@pytest.mark.parametrize(
    "extra",
    [
        {"num_cached_tokens": 4},
        {"prompt_tokens_details": {"cached_tokens": 4}},
        {"prompt_token_details": {"cached_tokens": 4}},
        {"prompt_tokens_details": {}, "num_cached_tokens": 4},
        {"prompt_tokens_details": {"cached_tokens": 4}, "num_cached_tokens": None},
    ],
)
def test_cached_tokens_are_found_in_every_field(extra: dict[str, Any]) -> None:
    assert read_usage({**USAGE, **extra}) == {**USAGE, "cache_read_input_tokens": 4}


def test_unreported_counts_are_absent_and_zero_is_zero() -> None:
    assert read_usage({"prompt_tokens": 3}) == {"prompt_tokens": 3}
    assert read_usage({**USAGE, "num_cached_tokens": 0}) == {**USAGE, "cache_read_input_tokens": 0}
    assert read_usage({}) is None
    assert "usage" not in read(answer("Hi"))


def test_mistral_counts_are_kept_in_metadata() -> None:
    more = {**USAGE, "prompt_audio_seconds": 3, "service_tier": "default"}
    assert read(answer("Hi", usage=more))["metadata"]["usage_raw"] == more
    assert "usage_raw" not in read(answer("Hi", usage=USAGE))["metadata"]


def test_a_total_that_is_missing_is_the_sum() -> None:
    assert read_usage({"prompt_tokens": 12, "completion_tokens": 5}) == USAGE
