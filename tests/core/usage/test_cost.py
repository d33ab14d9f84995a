"""Cost of a response: the vendor's figure first, then prices, and absent if unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from returns.result import Success

from tests.openai_shapes import build_body, build_chunks
from victor_fp import replay
from victor_fp.core.result import outcome
from victor_fp.core.usage.cost import PricedUsage, build_cost, compute_cost

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def from_body(provider: str, usage: dict[str, Any]) -> Any:
    answer = json.dumps(build_body(usage=usage)).encode()
    match outcome(replay.response(provider, 200, {}, answer)):
        case Success(response):
            return (response.metadata or {}).get("cost")
        case failure:
            raise AssertionError(failure)


def from_stream(provider: str, usage: dict[str, Any]) -> Any:
    *texts, last = build_chunks("Hel", "lo!")
    events = [*texts, last | {"usage": usage}]
    raw = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    *_, final = replay.stream(provider, 200, {"content-type": "text/event-stream"}, [raw])
    match outcome(final):
        case Success(chunk):
            assert chunk.is_final
            return (chunk.metadata or {}).get("cost")
        case failure:
            raise AssertionError(failure)


@pytest.mark.parametrize(
    ("provider", "extra", "amount"),
    [
        ("openrouter", {"cost": 0.00042}, 0.00042),
        ("openrouter", {"cost": 0}, 0.0),
        ("xai", {"cost_in_usd_ticks": 37_756_000}, 0.0037756),
        ("openai", {}, None),
    ],
)
def test_vendor_cost_is_equal_for_body_and_stream(provider: str, extra: dict[str, Any], amount: float | None) -> None:
    expected = None if amount is None else {"amount": amount, "currency": "USD", "source": "vendor"}
    assert from_body(provider, USAGE | extra) == expected
    assert from_stream(provider, USAGE | extra) == expected


def test_price_receives_model_names_counts_and_tier() -> None:
    sales: list[PricedUsage] = []

    def compute_price(sale: PricedUsage) -> float:
        sales.append(sale)
        return 0.5

    cost = compute_cost(compute_price, ("m-1-2026", "m-1"), USAGE, {"service_tier": "flex"})
    assert cost == {"amount": 0.5, "currency": "USD", "source": "genai-prices"}
    assert sales == [PricedUsage(models=("m-1-2026", "m-1"), usage=USAGE, service_tier="flex")]


@pytest.mark.parametrize(
    ("usage", "metadata"),
    [
        (None, {}),
        ({"prompt_tokens": 5}, {}),
        ({"completion_tokens": 5, "total_tokens": 9}, {}),
        (USAGE, {"cost": build_cost(0.0)}),
    ],
)
def test_prices_are_not_used_without_counts_or_with_a_vendor_cost(
    usage: dict[str, Any] | None, metadata: dict[str, Any]
) -> None:
    def refuse_price(sale: PricedUsage) -> float:
        raise AssertionError(sale)

    assert compute_cost(refuse_price, ("m",), usage, metadata) is None


def test_unknown_price_is_absent() -> None:
    assert compute_cost(lambda sale: None, ("m", None), USAGE, {}) is None
