"""Metrics: samples, totals and percentiles over a bounded window."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.faults import Attempt
from victor_fp.core.telemetry.metrics import (
    Metrics,
    Sample,
    add_up,
    build_sample,
    compute_percentile,
    record_sample,
    summarize,
)

TIMES = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=200)


def sample(seconds: float = 1.0, **facts: object) -> Sample:
    return Sample(**{"provider": "acme", "seconds": seconds, **facts})  # type: ignore[arg-type]  # any facts


def build_call_sample(*attempts: Attempt, **facts: object) -> Sample:
    usual: dict[str, object] = {
        "provider": "acme",
        "model": "m",
        "streamed": False,
        "outcome": "ok",
        "began": 0.0,
        "queued": 0.0,
        "sent": 1.0,
        "ended": 3.0,
        "arrivals": (),
        "usage": None,
    }
    return build_sample(attempts, **{**usual, **facts})  # type: ignore[arg-type]  # any facts


@given(TIMES, st.integers(1, 100))
@settings(max_examples=scale_examples(60))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float], percent: int) -> None:
    found = compute_percentile(sorted(values), percent)
    assert found is not None
    needed = math.ceil(len(values) * percent / 100)
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed


@given(st.lists(st.floats(0.0, 100.0), max_size=150), st.integers(1, 70))
@settings(max_examples=scale_examples(40))
def test_the_window_holds_the_last_ones_in_order_and_totals_count_all(values: list[float], window: int) -> None:
    metrics = Metrics(window=window)
    for value in values:
        metrics = record_sample(metrics, sample(value))
    assert [one.seconds for one in metrics.samples] == values[-window:]
    assert len(metrics.older) <= window
    assert summarize(metrics)["total_requests"] == len(values)


def test_a_window_of_nothing_keeps_totals_only() -> None:
    metrics = Metrics(window=0)
    for _ in range(50):
        metrics = record_sample(metrics, sample())
    assert (metrics.samples, metrics.older, add_up(metrics).operations) == ((), (), 50)


def test_unreported_values_are_absent() -> None:
    reported = summarize(record_sample(Metrics(), sample()))
    assert (reported["time_to_first_token"], reported["tokens_per_second"], reported["chunk_gap"]) == (None, None, None)
    assert reported["seconds"] == {
        "count": 1,
        "mean": 1.0,
        "min": 1.0,
        "max": 1.0,
        "p50": 1.0,
        "p90": 1.0,
        "p95": 1.0,
        "p99": 1.0,
    }
    assert summarize(Metrics())["success_rate"] is None


def test_leaving_and_cancelling_are_not_failures() -> None:
    metrics = Metrics()
    for outcome in ("ok", "left", "Cancelled", "ServerFailed"):
        metrics = record_sample(metrics, sample(outcome=outcome))
    assert summarize(metrics)["total_failures"] == 1
    assert summarize(metrics)["success_rate"] == 0.75
    assert summarize(metrics)["outcomes"] == {"ok": 1, "left": 1, "Cancelled": 1, "ServerFailed": 1}


def test_gaps_between_pieces() -> None:
    seen = build_call_sample(Attempt(provider="acme"), arrivals=(10.0, 10.5, 12.5, 13.0), sent=9.0, streamed=True)
    assert (seen.first_piece, seen.gap, seen.longest_gap) == (1.0, 1.0, 2.0)
    whole = build_call_sample(Attempt(provider="acme"), arrivals=(10.0,), sent=9.0, streamed=True)
    assert (whole.first_piece, whole.gap, whole.longest_gap) == (1.0, None, None)


def test_tokens_per_second_come_from_reported_usage_after_the_first_piece() -> None:
    usage = {"completion_tokens": 40}
    seen = build_call_sample(Attempt(provider="acme"), arrivals=(10.0, 12.0), sent=5.0, ended=12.0, usage=usage)
    assert seen.tokens_per_second == pytest.approx(20.0)
    whole = build_call_sample(Attempt(provider="acme"), sent=1.0, ended=3.0, usage={"completion_tokens": 40})
    assert whole.tokens_per_second == pytest.approx(20.0)
    assert build_call_sample(Attempt(provider="acme"), usage={"prompt_tokens": 4}).tokens_per_second is None


def test_retries_and_fallbacks_are_counted_separately() -> None:
    tries = (
        Attempt(provider="acme", model="a", seconds=1.0, outcome="ServerFailed"),
        Attempt(provider="acme", model="a", seconds=1.0, outcome="ServerFailed", waited=0.5),
        Attempt(provider="globex", model="b", seconds=2.0),
    )
    seen = build_call_sample(*tries, queued=0.25)
    assert (seen.tries, seen.fallbacks, seen.retrying) == (3, 1, 2.25)
    reported = summarize(record_sample(Metrics(), seen))
    assert (reported["retries"], reported["fallbacks"]) == (1, 1)
