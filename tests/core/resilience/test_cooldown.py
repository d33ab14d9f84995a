"""The cooldown of a key as a table of values."""

from __future__ import annotations

import pytest

from victor_fp.core.faults import (
    AuthRejected,
    ConnectionFailed,
    Fault,
    InvalidRequest,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.resilience.cooldown import Cooldown, build_refusal, compute_time_left, record_fault


def test_rate_limit_starts_a_cooldown_of_retry_after() -> None:
    cooldown = record_fault(Cooldown(), RateLimited(retry_after=20.0), 100.0)
    assert [compute_time_left(cooldown, now) for now in (100.0, 110.0, 120.0, 130.0)] == [20.0, 10.0, 0.0, 0.0]


def test_consecutive_rate_limits_without_retry_after_extend_the_cooldown() -> None:
    cooldown, now, seconds = Cooldown(), 0.0, list[float]()
    for _ in range(8):
        cooldown = record_fault(cooldown, RateLimited(), now)
        seconds.append(compute_time_left(cooldown, now))
        now += compute_time_left(cooldown, now)
    assert seconds == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    cooldown = record_fault(record_fault(cooldown, None, now), RateLimited(), now)
    assert compute_time_left(cooldown, now) == 1.0


def test_calls_rejected_together_count_once() -> None:
    cooldown = Cooldown()
    for _ in range(10):
        cooldown = record_fault(cooldown, RateLimited(), 0.0)
    assert cooldown.row == 1
    assert compute_time_left(cooldown, 0.0) <= 2.0


def test_later_fault_extends_and_does_not_shorten() -> None:
    cooldown = record_fault(Cooldown(), RateLimited(retry_after=20.0), 0.0)
    assert record_fault(cooldown, RateLimited(retry_after=1.0), 5.0) == cooldown
    assert compute_time_left(record_fault(cooldown, RateLimited(retry_after=30.0), 5.0), 5.0) == 30.0


def test_response_to_an_earlier_request_does_not_end_the_cooldown() -> None:
    cooldown = record_fault(Cooldown(), RateLimited(), 0.0)
    assert record_fault(cooldown, None, 0.5) == cooldown


def test_exhausted_quota_starts_a_cooldown_without_retry_after() -> None:
    cooldown = record_fault(Cooldown(), QuotaExhausted(), 0.0)
    assert compute_time_left(cooldown, 0.0) == 60.0
    assert isinstance(build_refusal(cooldown, "acme", "m", 10.0), QuotaExhausted)


def test_cooldown_is_at_most_an_hour() -> None:
    assert compute_time_left(record_fault(Cooldown(), RateLimited(retry_after=1e9), 0.0), 0.0) == 3600.0


@pytest.mark.parametrize(
    "fault",
    [ServerFailed(retry_after=9.0), TimedOut(), ConnectionFailed(), AuthRejected(), InvalidRequest(), Overloaded()],
)
def test_other_faults_start_no_cooldown(fault: Fault) -> None:
    assert record_fault(Cooldown(), fault, 0.0) == Cooldown()


@pytest.mark.parametrize(
    ("fault", "cause", "kind"),
    [
        (RateLimited(retry_after=8.0), "rate limit", RateLimited),
        (Overloaded(retry_after=8.0), "overload", Overloaded),
        (QuotaExhausted(retry_after=8.0), "exhausted quota", QuotaExhausted),
    ],
)
def test_refusal_has_the_cause_and_the_remaining_time(fault: Fault, cause: str, kind: type[Fault]) -> None:
    reported = build_refusal(record_fault(Cooldown(), fault, 0.0), "acme", "m", 3.0)
    message = f"the key is in cooldown for another 5 s: {cause}"
    assert reported == kind(provider="acme", model="m", message=message, retry_after=5.0)


def test_short_retry_after_is_honoured() -> None:
    assert compute_time_left(record_fault(Cooldown(), RateLimited(retry_after=0.25), 0.0), 0.0) == 0.25


@pytest.mark.parametrize("senseless", [0.0, -5.0])
def test_invalid_retry_after_counts_as_missing(senseless: float) -> None:
    assert compute_time_left(record_fault(Cooldown(), RateLimited(retry_after=senseless), 0.0), 0.0) == 1.0
    assert record_fault(Cooldown(), Overloaded(retry_after=senseless), 0.0) == Cooldown()


def test_equal_time_changes_nothing() -> None:
    cooldown = record_fault(Cooldown(), RateLimited(retry_after=9.0), 1.0)
    assert record_fault(cooldown, QuotaExhausted(retry_after=9.0), 1.0) == cooldown


def test_rate_limit_with_retry_after_is_not_counted() -> None:
    cooldown = record_fault(Cooldown(), RateLimited(retry_after=2.0), 0.0)
    assert compute_time_left(record_fault(cooldown, RateLimited(), 5.0), 5.0) == 1.0
