"""Counts in one meaning, whatever the vendor's: cached tokens inside the prompt, reasoning inside the completion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.protocols.openai_chat.answers import encode_completion, read
from victor_fp import replay

BASE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def read_usage(provider: str, counts: dict[str, Any]) -> dict[str, Any] | None:
    counted: dict[str, Any] | None = read(provider, encode_completion({"content": "Hi"}, usage=counts)).get("usage")
    return counted


def test_unreported_counts_are_absent() -> None:
    assert read_usage("openai", BASE) == BASE
    assert read_usage("openai", {"prompt_tokens": 3, "completion_tokens": None}) == {"prompt_tokens": 3}
    assert read_usage("openai", {"prompt_tokens": None}) is None
    assert "usage" not in read("openai", encode_completion({"content": "Hi"}))


def test_input_and_output_tokens_are_other_names_of_the_counts() -> None:
    counts = {"input_tokens": 3, "output_tokens": 4.0}
    assert read_usage("openai", counts) == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert read_usage("openai", BASE | counts) == BASE
    apart = {"total_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 3}}
    assert read_usage("openai", counts | apart) == {
        "prompt_tokens": 3,
        "completion_tokens": 7,
        "total_tokens": 10,
        "reasoning_tokens": 3,
    }


def test_zero_that_was_reported_is_zero() -> None:
    counts = {
        **BASE,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert read_usage("openai", counts) == {**BASE, "cache_read_input_tokens": 0, "reasoning_tokens": 0}


@pytest.mark.parametrize(
    ("provider", "extra"),
    [
        ("openai", {"prompt_tokens_details": {"cached_tokens": 64}}),
        ("deepseek", {"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}),
        ("moonshot", {"cached_tokens": 64}),
        ("together", {"cached_tokens": 64.0}),
        ("huggingface", {"cached_tokens": 1, "prompt_tokens_details": {"cached_tokens": 64}}),
    ],
)
def test_cached_tokens_are_found_in_every_field(provider: str, extra: dict[str, Any]) -> None:
    assert read_usage(provider, BASE | extra) == {**BASE, "cache_read_input_tokens": 64}


def test_cache_writes_are_counted() -> None:
    assert read_usage("openrouter", BASE | {"prompt_tokens_details": {"cache_write_tokens": 9}}) == {
        **BASE,
        "cache_creation_input_tokens": 9,
    }
    assert read_usage("qwen", BASE | {"prompt_tokens_details": {"cache_creation_input_tokens": 9}}) == {
        **BASE,
        "cache_creation_input_tokens": 9,
    }


def test_reasoning_that_is_counted_apart_is_added() -> None:
    apart = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 150,
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    assert read_usage("xai", apart) == {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "reasoning_tokens": 30,
    }


def test_reasoning_inside_the_completion_is_not_added_again() -> None:
    inside = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    assert read_usage("openai", inside) == {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "reasoning_tokens": 30,
    }


@pytest.mark.parametrize(
    ("extra", "cost"), [({"cost": 0.25}, 0.25), ({"cost_in_usd_ticks": 5_000_000_000}, 0.5), ({}, None)]
)
def test_the_cost_is_in_dollars_where_the_vendor_names_it(extra: dict[str, Any], cost: float | None) -> None:
    metadata = read("openrouter", encode_completion({"content": "Hi"}, usage=BASE | extra))["metadata"]
    assert metadata.get("cost") == (None if cost is None else {"amount": cost, "currency": "USD", "source": "vendor"})
    assert ("usage_raw" in metadata) == bool(extra)


def test_counts_beyond_the_standard_ones_are_kept_as_they_came() -> None:
    raw = {**BASE, "queue_time": 0.5, "prompt_tokens_details": {"audio_tokens": 4}}
    assert read("groq", encode_completion({"content": "Hi"}, usage=raw))["metadata"]["usage_raw"] == raw


def test_the_cost_of_perplexity_is_an_object() -> None:
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": {"total_cost": 0.006}}
    data = {"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}], "usage": counts}
    response = replay.response("perplexity", 200, {}, json.dumps(data).encode()).unwrap()
    assert response.metadata is not None
    assert response.metadata["cost"] == {"amount": 0.006, "currency": "USD", "source": "vendor"}
    assert response.metadata["usage_raw"]["cost"] == {"total_cost": 0.006}
    assert response.usage == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
