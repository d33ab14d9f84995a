"""Health scores as a table of values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.resilience.breaker import BreakerVerdict
from victor_fp.core.resilience.health import (
    Health,
    HealthPolicy,
    classify_health,
    compute_latency,
    observe,
    score,
    sort_by_preference,
)


def observe_all(*verdicts: BreakerVerdict, seconds: float = 1.0, now: float = 0.0) -> Health:
    health = Health()
    for verdict in verdicts:
        health = observe(health, verdict, seconds, now)
    return health


def test_target_without_traffic_is_healthy() -> None:
    assert (score(Health(), 0.0), classify_health(Health(), 0.0), compute_latency(Health())) == (1.0, "healthy", None)


def test_one_failure_degrades_and_three_are_unhealthy() -> None:
    assert classify_health(observe_all("failed"), 0.0) == "degraded"
    assert classify_health(observe_all("failed", "failed", "failed"), 0.0) == "unhealthy"


def test_rare_failures_keep_a_target_healthy() -> None:
    successes: list[BreakerVerdict] = ["succeeded"] * 9
    health = observe_all(*successes, "failed")
    assert score(health, 0.0) == pytest.approx(10 / 11)
    assert classify_health(health, 0.0) == "healthy"


def test_weights_decay_by_the_half_life() -> None:
    policy = HealthPolicy(half_life=10.0)
    before = Health(policy=policy, at=100.0, successes=4.0, failures=2.0, seconds=8.0, last_failure=90.0)
    assert observe(before, "succeeded", 3.0, 110.0) == Health(
        policy=policy, at=110.0, successes=3.0, failures=1.0, seconds=7.0, last_failure=90.0
    )
    assert observe(before, "failed", 3.0, 110.0) == Health(
        policy=policy, at=110.0, successes=2.0, failures=2.0, seconds=4.0, last_failure=110.0
    )
    assert score(before, 110.0) == (1 + 2) / (1 + 3)


def test_conditions_start_at_their_thresholds() -> None:
    assert classify_health(Health(successes=3.0, failures=1.0), 0.0) == "healthy"
    assert score(Health(successes=3.0, failures=1.0), 0.0) == 0.8
    assert score(observe_all("failed"), 0.0) == 0.5
    assert classify_health(observe_all("failed"), 0.0) == "degraded"


def test_client_errors_and_cancellations_change_nothing() -> None:
    assert observe_all("ignored", "cancelled") == Health()


def test_old_failures_decay() -> None:
    failed = observe_all("failed", "failed", "failed")
    assert classify_health(failed, 60.0) == "unhealthy"
    assert classify_health(failed, 600.0) == "healthy"
    assert failed.last_failure == 0.0


def test_latency_is_the_decayed_mean_of_successes() -> None:
    health = observe(observe(Health(), "succeeded", 2.0, 0.0), "succeeded", 4.0, 0.0)
    assert compute_latency(health) == 3.0
    assert compute_latency(observe(health, "failed", 60.0, 0.0)) == 3.0
    late = compute_latency(observe(health, "succeeded", 9.0, 600.0))
    assert late is not None
    assert late > 8.9


def test_targets_are_sorted_by_condition_then_latency() -> None:
    targets = {
        "unknown": Health(),
        "dead": observe_all("failed", "failed", "failed"),
        "slow": observe_all("succeeded", seconds=9.0),
        "fast": observe_all("succeeded", seconds=1.0),
        "shaky": observe_all("succeeded", "succeeded", "failed", seconds=0.1),
    }
    assert sort_by_preference(targets, 0.0) == ["fast", "slow", "unknown", "shaky"]


VERDICTS: st.SearchStrategy[BreakerVerdict] = st.sampled_from(["succeeded", "failed", "ignored", "cancelled"])


@settings(max_examples=scale_examples(100), deadline=None)
@given(st.lists(st.tuples(VERDICTS, st.floats(0, 100), st.floats(-50, 500)), max_size=30))
def test_score_is_between_zero_and_one(history: list[tuple[BreakerVerdict, float, float]]) -> None:
    health, now = Health(), 0.0
    for verdict, seconds, pause in history:
        now += pause
        before = score(health, now)
        health = observe(health, verdict, seconds, now)
        assert 0.0 < score(health, now) <= 1.0
        if verdict == "failed":
            assert score(health, now) < before
        if verdict == "succeeded":
            assert score(health, now) >= before
