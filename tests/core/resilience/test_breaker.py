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
    Rejected,
    Verdict,
    admit,
    build_stats,
    compute_time_to_probe,
    is_open,
    judge_fault,
    record,
    reset,
)


def admitted(breaker: Breaker, now: float) -> tuple[Breaker, BreakerPermit]:
    breaker, leave = admit(breaker, now)
    assert isinstance(leave, BreakerPermit)
    return breaker, leave


def rejected(breaker: Breaker, now: float) -> tuple[Breaker, float]:
    breaker, leave = admit(breaker, now)
    assert isinstance(leave, Rejected)
    return breaker, leave.retry_after


def failures(count: int) -> list[Verdict]:
    return ["failed"] * count


def told(breaker: Breaker, now: float, *verdicts: Verdict) -> Breaker:
    """One call after the other, each ending with a verdict at once."""
    for verdict in verdicts:
        breaker, permit = admitted(breaker, now)
        breaker = record(breaker, permit, verdict, now)
    return breaker


OPENED = told(Breaker(), 100.0, *failures(5))
"""Open since 100."""


def test_it_opens_at_the_fifth_failure_in_a_row() -> None:
    assert told(Breaker(), 0.0, *failures(4)).state == "closed"
    assert told(Breaker(), 0.0, *failures(5)).state == "open"


def test_the_counts_that_people_see() -> None:
    assert told(Breaker(), 0.0, "succeeded", "succeeded").success_count == 2
    assert told(OPENED, 130.0, "failed").failure_count == 6
    half_open = told(OPENED, 130.0, "succeeded")
    assert (half_open.failure_count, half_open.success_count) == (0, 1)
    assert told(half_open, 131.0, "failed").failure_count == 1


def test_the_time_of_opening_stays_through_recovery() -> None:
    assert OPENED.since == 100.0
    assert told(OPENED, 130.0, "succeeded", "succeeded").since == 100.0
    assert compute_time_to_probe(OPENED, 130.0 - 1e-9) == 0.0


def test_a_rejection_gives_up_probes_whose_lease_is_over() -> None:
    breaker = OPENED
    for moment in (130.0, 130.0, 1000.0):
        breaker, _ = admitted(breaker, moment)
    breaker, _ = admitted(breaker, 1031.0)
    breaker, _ = admitted(breaker, 1031.0)
    breaker, _ = rejected(breaker, 1031.0)
    assert [probe.issued for probe in breaker.probes] == [1000.0, 1031.0, 1031.0]


def test_a_success_starts_the_count_of_failures_again() -> None:
    breaker = told(Breaker(), 0.0, *failures(4), "succeeded", *failures(4))
    assert (breaker.state, breaker.failure_count) == ("closed", 4)


def test_callers_mistakes_and_cancellations_neither_count_nor_start_the_count_again() -> None:
    breaker = told(Breaker(), 0.0, *failures(4), "ignored", "cancelled", "failed")
    assert breaker.state == "open"


def test_an_open_breaker_rejects_with_the_time_left_until_the_recovery_timeout() -> None:
    breaker, wait = rejected(OPENED, 110.0)
    assert wait == 20.0
    _, wait = rejected(breaker, 129.5)
    assert wait == 0.5
    admitted(breaker, 130.0)


def test_waiting_just_as_long_as_told_is_enough_whatever_the_rounding() -> None:
    opened = told(Breaker(policy=BreakerPolicy(recovery_timeout=0.1)), 0.7, *failures(5))
    opened, wait = rejected(opened, 0.7123456789)
    admitted(opened, 0.7123456789 + wait)


def test_half_open_lets_three_probes_out_at_a_time() -> None:
    breaker, probe = admitted(OPENED, 130.0)
    breaker, _ = admitted(breaker, 130.0)
    breaker, _ = admitted(breaker, 130.0)
    breaker, wait = rejected(breaker, 130.0)
    assert wait > 0
    assert wait == 1.0
    breaker = record(breaker, probe, "cancelled", 131.0)
    breaker, _ = admitted(breaker, 131.0)
    rejected(breaker, 131.0)


def test_two_successful_probes_close_it() -> None:
    breaker = told(OPENED, 130.0, "succeeded")
    assert breaker.state == "half_open"
    breaker = told(breaker, 131.0, "succeeded")
    assert (breaker.state, breaker.failure_count, breaker.probes) == ("closed", 0, ())


def test_one_probe_at_a_time_is_enough_to_close() -> None:
    policy = BreakerPolicy(half_open_probes=1)
    opened = told(Breaker(policy=policy), 0.0, *failures(5))
    assert told(opened, 30.0, "succeeded", "succeeded").state == "closed"


def test_one_failed_probe_opens_it_again_for_the_whole_timeout() -> None:
    breaker = told(OPENED, 130.0, "succeeded", "failed")
    assert breaker.state == "open"
    _, wait = rejected(breaker, 131.0)
    assert wait == 29.0


def test_an_answer_that_blames_the_caller_shows_that_the_server_is_alive() -> None:
    assert told(OPENED, 130.0, "ignored", "succeeded").state == "closed"


def test_a_cancelled_probe_does_not_leave_the_breaker_half_open_for_ever() -> None:
    cancellations: list[Verdict] = ["cancelled"] * 10
    breaker = told(OPENED, 130.0, *cancellations)
    assert (breaker.state, breaker.probes) == ("half_open", ())
    assert told(breaker, 140.0, "succeeded", "succeeded").state == "closed"


def test_a_probe_that_nobody_reports_is_given_up_after_its_lease() -> None:
    breaker = OPENED
    for _ in range(3):
        breaker, _ = admitted(breaker, 130.0)
    breaker, _ = rejected(breaker, 1029.0)
    admitted(breaker, 1030.0)


def test_a_late_report_from_before_the_breaker_opened_moves_nothing() -> None:
    breaker, early = admitted(Breaker(), 0.0)
    _, early_too = admitted(breaker, 0.0)
    breaker = told(breaker, 1.0, *failures(5))
    late = record(breaker, early, "succeeded", 2.0)
    assert replace(late, in_flight=breaker.in_flight, sending=breaker.sending) == breaker
    half_open = told(breaker, 31.0, "succeeded")
    after = record(record(half_open, early, "failed", 32.0), early_too, "succeeded", 32.0)
    assert (after.state, after.success_count, after.total_failures) == ("half_open", 1, 6)


def test_a_late_probe_from_an_earlier_half_open_time_moves_nothing() -> None:
    breaker, slow = admitted(OPENED, 130.0)
    breaker = told(breaker, 131.0, "failed")
    breaker, _ = admitted(breaker, 161.0)
    assert breaker.state == "half_open"
    assert record(breaker, slow, "failed", 162.0).state == "half_open"
    assert record(breaker, slow, "succeeded", 162.0).success_count == 0


def test_a_probe_reported_twice_counts_once() -> None:
    breaker, probe = admitted(OPENED, 130.0)
    breaker = record(record(breaker, probe, "succeeded", 131.0), probe, "succeeded", 131.0)
    assert (breaker.state, breaker.success_count) == ("half_open", 1)


def test_a_clock_that_goes_back_locks_the_door_no_longer_than_the_timeout() -> None:
    breaker, wait = rejected(OPENED, 3.0)
    assert wait == 30.0
    admitted(breaker, 33.0)


def test_reset_closes_and_forgets_attempts_under_way() -> None:
    breaker, probe = admitted(OPENED, 130.0)
    breaker = reset(breaker, 131.0)
    assert (breaker.state, breaker.failure_count, breaker.probes) == ("closed", 0, ())
    assert record(breaker, probe, "failed", 132.0).failure_count == 0


def test_reset_of_a_closed_breaker_is_no_change_of_state() -> None:
    breaker = reset(told(Breaker(), 0.0, "failed"), 1.0)
    assert (breaker.failure_count, breaker.state_changes) == (0, 0)


def test_reset_forgets_the_counts_and_keeps_the_totals() -> None:
    breaker = told(Breaker(), 1.0, "succeeded", "failed")
    assert reset(breaker, 9.0) == replace(
        breaker, failure_count=0, success_count=0, failed_attempts=0, ended=0, failed=0
    )
    assert reset(OPENED, 120.0) == replace(OPENED, state="closed", failure_count=0, state_changes=2)


def test_is_open_means_that_calls_are_rejected() -> None:
    assert not is_open(Breaker(), 0.0)
    assert is_open(OPENED, 129.0)
    assert not is_open(OPENED, 130.0)
    assert (
        compute_time_to_probe(OPENED, 110.0),
        compute_time_to_probe(OPENED, 130.0),
        compute_time_to_probe(Breaker(), 0.0),
    ) == (20.0, 0, 0)


def test_stats_have_the_promised_keys() -> None:
    breaker, _ = rejected(told(Breaker(), 1.0, "succeeded", *failures(5)), 2.0)
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


def test_what_never_failed_has_no_time_of_failure() -> None:
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
def test_what_counts_as_a_failure(fault: Fault | None, verdict: Verdict) -> None:
    assert judge_fault(fault) == verdict


@pytest.mark.parametrize("kind", FAULT_TYPES)
def test_no_fault_is_a_success(kind: type[Fault]) -> None:
    assert judge_fault(kind()) != "succeeded"
