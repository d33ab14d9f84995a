"""The circuit breaker as a table of values."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from victor_fp.core.faults import (
    FAULT_TYPES,
    AuthRejected,
    Cancelled,
    CircuitOpen,
    ConnectionFailed,
    ContextLengthExceeded,
    Fault,
    InvalidRequest,
    InvalidResponse,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    StreamInterrupted,
    StreamTruncated,
    TimedOut,
)
from victor_fp.core.resilience.breaker import (
    Breaker,
    BreakerPermit,
    BreakerPolicy,
    BreakerVerdict,
    Rejected,
    admit,
    build_stats,
    compute_time_to_probe,
    is_open,
    judge_fault,
    record,
    reset,
)


def expect_permit(breaker: Breaker, now: float) -> tuple[Breaker, BreakerPermit]:
    breaker, leave = admit(breaker, now)
    assert isinstance(leave, BreakerPermit)
    return breaker, leave


def expect_rejection(breaker: Breaker, now: float) -> tuple[Breaker, float]:
    breaker, leave = admit(breaker, now)
    assert isinstance(leave, Rejected)
    return breaker, leave.retry_after


def repeat_failure(count: int) -> list[BreakerVerdict]:
    return ["failed"] * count


def record_all(breaker: Breaker, now: float, *verdicts: BreakerVerdict) -> Breaker:
    """One call after the other, each ending with a verdict at once."""
    for verdict in verdicts:
        breaker, permit = expect_permit(breaker, now)
        breaker = record(breaker, permit, verdict, now)
    return breaker


OPENED = record_all(Breaker(), 100.0, *repeat_failure(5))
"""Open since 100."""


def test_opens_at_the_fifth_consecutive_failure() -> None:
    assert record_all(Breaker(), 0.0, *repeat_failure(4)).state == "closed"
    assert record_all(Breaker(), 0.0, *repeat_failure(5)).state == "open"


def test_failure_and_success_counts() -> None:
    assert record_all(Breaker(), 0.0, "succeeded", "succeeded").success_count == 2
    assert record_all(OPENED, 130.0, "failed").failure_count == 6
    half_open = record_all(OPENED, 130.0, "succeeded")
    assert (half_open.failure_count, half_open.success_count) == (0, 1)
    assert record_all(half_open, 131.0, "failed").failure_count == 1


def test_opening_time_is_kept_during_recovery() -> None:
    assert OPENED.since == 100.0
    assert record_all(OPENED, 130.0, "succeeded", "succeeded").since == 100.0
    assert compute_time_to_probe(OPENED, 130.0 - 1e-9) == 0.0


def test_rejection_drops_expired_probes() -> None:
    breaker = OPENED
    for moment in (130.0, 130.0, 1000.0):
        breaker, _ = expect_permit(breaker, moment)
    breaker, _ = expect_permit(breaker, 1031.0)
    breaker, _ = expect_permit(breaker, 1031.0)
    breaker, _ = expect_rejection(breaker, 1031.0)
    assert [probe.issued for probe in breaker.probes] == [1000.0, 1031.0, 1031.0]


def test_success_resets_the_failure_count() -> None:
    breaker = record_all(Breaker(), 0.0, *repeat_failure(4), "succeeded", *repeat_failure(4))
    assert (breaker.state, breaker.failure_count) == ("closed", 4)


def test_client_errors_and_cancellations_do_not_change_the_failure_count() -> None:
    breaker = record_all(Breaker(), 0.0, *repeat_failure(4), "ignored", "cancelled", "failed")
    assert breaker.state == "open"


def test_open_breaker_rejects_with_the_remaining_time() -> None:
    breaker, wait = expect_rejection(OPENED, 110.0)
    assert wait == 20.0
    _, wait = expect_rejection(breaker, 129.5)
    assert wait == 0.5
    expect_permit(breaker, 130.0)


def test_waiting_for_retry_after_is_enough_despite_rounding() -> None:
    opened = record_all(Breaker(policy=BreakerPolicy(recovery_timeout=0.1)), 0.7, *repeat_failure(5))
    opened, wait = expect_rejection(opened, 0.7123456789)
    expect_permit(opened, 0.7123456789 + wait)


def test_half_open_admits_three_concurrent_probes() -> None:
    breaker, probe = expect_permit(OPENED, 130.0)
    breaker, _ = expect_permit(breaker, 130.0)
    breaker, _ = expect_permit(breaker, 130.0)
    breaker, wait = expect_rejection(breaker, 130.0)
    assert wait > 0
    assert wait == 1.0
    breaker = record(breaker, probe, "cancelled", 131.0)
    breaker, _ = expect_permit(breaker, 131.0)
    expect_rejection(breaker, 131.0)


def test_two_successful_probes_close_the_breaker() -> None:
    breaker = record_all(OPENED, 130.0, "succeeded")
    assert breaker.state == "half_open"
    breaker = record_all(breaker, 131.0, "succeeded")
    assert (breaker.state, breaker.failure_count, breaker.probes) == ("closed", 0, ())


def test_sequential_probes_close_the_breaker() -> None:
    policy = BreakerPolicy(half_open_probes=1)
    opened = record_all(Breaker(policy=policy), 0.0, *repeat_failure(5))
    assert record_all(opened, 30.0, "succeeded", "succeeded").state == "closed"


def test_failed_probe_opens_the_breaker_for_the_full_timeout() -> None:
    breaker = record_all(OPENED, 130.0, "succeeded", "failed")
    assert breaker.state == "open"
    _, wait = expect_rejection(breaker, 131.0)
    assert wait == 29.0


def test_client_error_of_a_probe_counts_as_success() -> None:
    assert record_all(OPENED, 130.0, "ignored", "succeeded").state == "closed"


def test_cancelled_probe_frees_its_slot() -> None:
    cancellations: list[BreakerVerdict] = ["cancelled"] * 10
    breaker = record_all(OPENED, 130.0, *cancellations)
    assert (breaker.state, breaker.probes) == ("half_open", ())
    assert record_all(breaker, 140.0, "succeeded", "succeeded").state == "closed"


def test_unreported_probe_expires_after_its_lease() -> None:
    breaker = OPENED
    for _ in range(3):
        breaker, _ = expect_permit(breaker, 130.0)
    breaker, _ = expect_rejection(breaker, 1029.0)
    expect_permit(breaker, 1030.0)


def test_late_report_from_before_opening_has_no_effect() -> None:
    breaker, early = expect_permit(Breaker(), 0.0)
    _, early_too = expect_permit(breaker, 0.0)
    breaker = record_all(breaker, 1.0, *repeat_failure(5))
    late = record(breaker, early, "succeeded", 2.0)
    assert replace(late, in_flight=breaker.in_flight, sending=breaker.sending) == breaker
    half_open = record_all(breaker, 31.0, "succeeded")
    after = record(record(half_open, early, "failed", 32.0), early_too, "succeeded", 32.0)
    assert (after.state, after.success_count, after.total_failures) == ("half_open", 1, 6)


def test_late_probe_from_an_earlier_half_open_state_has_no_effect() -> None:
    breaker, slow = expect_permit(OPENED, 130.0)
    breaker = record_all(breaker, 131.0, "failed")
    breaker, _ = expect_permit(breaker, 161.0)
    assert breaker.state == "half_open"
    assert record(breaker, slow, "failed", 162.0).state == "half_open"
    assert record(breaker, slow, "succeeded", 162.0).success_count == 0


def test_probe_reported_twice_counts_once() -> None:
    breaker, probe = expect_permit(OPENED, 130.0)
    breaker = record(record(breaker, probe, "succeeded", 131.0), probe, "succeeded", 131.0)
    assert (breaker.state, breaker.success_count) == ("half_open", 1)


def test_clock_set_back_does_not_extend_the_recovery_timeout() -> None:
    breaker, wait = expect_rejection(OPENED, 3.0)
    assert wait == 30.0
    expect_permit(breaker, 33.0)


def test_reset_closes_and_ignores_attempts_in_flight() -> None:
    breaker, probe = expect_permit(OPENED, 130.0)
    breaker = reset(breaker, 131.0)
    assert (breaker.state, breaker.failure_count, breaker.probes) == ("closed", 0, ())
    assert record(breaker, probe, "failed", 132.0).failure_count == 0


def test_reset_of_a_closed_breaker_is_not_a_state_change() -> None:
    breaker = reset(record_all(Breaker(), 0.0, "failed"), 1.0)
    assert (breaker.failure_count, breaker.state_changes) == (0, 0)


def test_reset_clears_counts_and_keeps_totals() -> None:
    breaker = record_all(Breaker(), 1.0, "succeeded", "failed")
    assert reset(breaker, 9.0) == replace(
        breaker, failure_count=0, success_count=0, failed_attempts=0, ended=0, failed=0
    )
    assert reset(OPENED, 120.0) == replace(OPENED, state="closed", failure_count=0, state_changes=2)


def test_is_open_if_calls_are_rejected() -> None:
    assert not is_open(Breaker(), 0.0)
    assert is_open(OPENED, 129.0)
    assert not is_open(OPENED, 130.0)
    assert (
        compute_time_to_probe(OPENED, 110.0),
        compute_time_to_probe(OPENED, 130.0),
        compute_time_to_probe(Breaker(), 0.0),
    ) == (20.0, 0, 0)


def test_stats_have_the_documented_keys() -> None:
    breaker, _ = expect_rejection(record_all(Breaker(), 1.0, "succeeded", *repeat_failure(5)), 2.0)
    expected = {
        "name": "openai",
        "state": "open",
        "total_calls": 6,
        "total_failures": 5,
        "total_rejected": 1,
        "failure_count": 5,
        "success_count": 0,
        "last_failure_time": 5000.0,
        "state_changes": 1,
    }
    assert build_stats(breaker, "openai", 2.0, wall=5001.0) == expected
    assert build_stats(breaker, "openai", 31.0, wall=5030.0) == expected | {"state": "half_open"}


def test_last_failure_time_is_none_without_failures() -> None:
    assert build_stats(Breaker(), "openai", 2.0, wall=5001.0)["last_failure_time"] is None


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (None, "succeeded"),
        (ServerFailed(status=500), "failed"),
        (RateLimited(status=429), "ignored"),
        (Overloaded(status=529), "failed"),
        (TimedOut(), "failed"),
        (TimedOut(status=408), "failed"),
        (TimedOut(phase="pool"), "cancelled"),
        (ConnectionFailed(), "failed"),
        (InvalidResponse(status=200), "failed"),
        (StreamTruncated(), "failed"),
        (StreamInterrupted(), "failed"),
        (InvalidRequest(status=400), "ignored"),
        (InvalidRequest(), "cancelled"),
        (AuthRejected(status=401), "ignored"),
        (ContextLengthExceeded(status=400), "ignored"),
        (QuotaExhausted(status=429), "ignored"),
        (Cancelled(), "cancelled"),
        (CircuitOpen(), "cancelled"),
    ],
)
def test_verdict_of_a_fault(fault: Fault | None, verdict: BreakerVerdict) -> None:
    assert judge_fault(fault) == verdict


@pytest.mark.parametrize("kind", FAULT_TYPES)
def test_no_fault_is_a_success(kind: type[Fault]) -> None:
    assert judge_fault(kind()) != "succeeded"
