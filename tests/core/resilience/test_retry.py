"""Retrying as a table of values."""

from __future__ import annotations

import math

import pytest

from victor_fp.core.faults import (
    FAULT_TYPES,
    AuthRejected,
    CircuitOpen,
    ConnectionFailed,
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
from victor_fp.core.resilience.retry import (
    Retry,
    RetryAfter,
    RetryPolicy,
    Stop,
    StopReason,
    begin,
    classify_retryability,
    commit,
    compute_backoff,
    decide_retry,
)

POLICY = RetryPolicy(jitter=1.0)
"""Full jitter, so that luck shows as it is."""


def decided(retry: Retry, fault: Fault, luck: float = 0.5, now: float = 0.0) -> RetryAfter | Stop:
    return decide_retry(retry, fault, luck, now)[1]


def fresh(deadline: float = 1000.0) -> Retry:
    return begin(POLICY, 0.0, deadline)


@pytest.mark.parametrize(
    "fault",
    [
        RateLimited(status=429),
        Overloaded(status=529),
        ServerFailed(status=500),
        TimedOut(),
        TimedOut(status=408),
        ConnectionFailed(),
        StreamTruncated(),
        StreamInterrupted(),
        InvalidResponse(),
        InvalidRequest(status=408),
        InvalidRequest(status=409),
    ],
)
def test_what_may_pass_by_itself_is_tried_again(fault: Fault) -> None:
    assert isinstance(decided(fresh(), fault), RetryAfter)


TRIED_AGAIN = {
    "RateLimited",
    "Overloaded",
    "ServerFailed",
    "TimedOut",
    "ConnectionFailed",
    "StreamTruncated",
    "StreamInterrupted",
    "InvalidResponse",
}


@pytest.mark.parametrize("kind", [kind for kind in FAULT_TYPES if kind.__name__ not in TRIED_AGAIN])
def test_what_lasts_stops_at_once(kind: type[Fault]) -> None:
    assert classify_retryability(kind()) == "never"
    assert decided(fresh(), kind()) == Stop("not_retryable")


def test_a_429_for_an_exhausted_quota_and_a_rejected_key_are_not_tried_again() -> None:
    for fault in (QuotaExhausted(status=429, retry_after=1.0), AuthRejected(status=401), CircuitOpen(retry_after=0.1)):
        assert decided(fresh(), fault) == Stop("not_retryable")


def test_digits_in_prose_decide_nothing() -> None:
    fault = InvalidRequest(status=400, message="max 5000 tokens, error 500, please retry, 429")
    assert decided(fresh(), fault) == Stop("not_retryable")


def test_an_unreadable_answer_is_tried_again_once() -> None:
    retry, first = decide_retry(fresh(), InvalidResponse(), 0.5, 0.0)
    assert isinstance(first, RetryAfter)
    retry, between = decide_retry(retry, ServerFailed(), 0.5, 1.0)
    assert isinstance(between, RetryAfter)
    assert decided(retry, InvalidResponse(), now=2.0) == Stop("not_retryable")


def test_the_budget_is_max_retries_after_the_first_try() -> None:
    retry, decisions = fresh(), list[RetryAfter | Stop]()
    for second in range(4):
        retry, decision = decide_retry(retry, ServerFailed(), 0.0, float(second))
        decisions.append(decision)
    assert decisions == [RetryAfter(0.0), RetryAfter(0.0), RetryAfter(0.0), Stop("retries_exhausted")]
    assert decided(begin(RetryPolicy(max_retries=0), 0.0, 9.0), ServerFailed()) == Stop("retries_exhausted")


def test_the_rest_is_a_random_share_of_a_doubling_bound_with_a_cap() -> None:
    almost = 1.0 - 2**-53
    bounds = [round(compute_backoff(ServerFailed(), POLICY, retries, almost), 6) for retries in range(6)]
    assert bounds == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert compute_backoff(ServerFailed(), POLICY, 3, 0.0) == 0.0
    assert compute_backoff(ServerFailed(), POLICY, 3, 0.5) == 2.0
    assert compute_backoff(ServerFailed(), POLICY, 10_000, 0.5) == 4.0


@pytest.mark.parametrize("lucks", [(0.999, 0.0), (0.0, 0.999), (0.5, 0.5)])
def test_by_default_each_rest_is_longer_than_the_one_before_whatever_the_luck(lucks: tuple[float, float]) -> None:
    rests = [compute_backoff(ServerFailed(), RetryPolicy(), retries, lucks[retries % 2]) for retries in range(4)]
    assert rests == sorted(rests)
    assert 0.3 <= rests[0] <= 0.5


def test_without_jitter_the_rest_is_the_bound_whatever_the_luck() -> None:
    policy = RetryPolicy(jitter=0.0)
    assert {compute_backoff(ServerFailed(), policy, 1, luck / 4) for luck in range(4)} == {1.0}
    assert compute_backoff(ServerFailed(), RetryPolicy(jitter=0.5), 0, 0.0) == 0.25


def test_retry_after_of_the_latest_fault_is_obeyed_and_never_an_older_one() -> None:
    retry, first = decide_retry(fresh(), RateLimited(retry_after=20.0), 0.5, 0.0)
    assert first == RetryAfter(20.0)
    _, second = decide_retry(retry, RateLimited(), 0.5, 20.0)
    assert second == RetryAfter(0.5)


def test_what_may_pass_is_named() -> None:
    assert [
        classify_retryability(fault) for fault in (ServerFailed(), InvalidRequest(status=409), InvalidResponse())
    ] == [
        "always",
        "always",
        "once",
    ]


def test_a_short_retry_after_is_obeyed_too() -> None:
    assert decided(fresh(), RateLimited(retry_after=0.25)) == RetryAfter(0.25)


def test_retry_after_is_not_capped_below_the_deadline() -> None:
    assert decided(fresh(), Overloaded(retry_after=999.0)) == RetryAfter(999.0)


def test_a_rest_of_thirty_minutes_past_the_deadline_is_not_begun() -> None:
    assert decided(fresh(deadline=60.0), RateLimited(retry_after=1800.0)) == Stop("past_deadline")


@pytest.mark.parametrize(
    ("wait", "decision"), [(9.9, RetryAfter(9.9)), (10.0, Stop("past_deadline")), (10.1, Stop("past_deadline"))]
)
def test_a_rest_that_leaves_no_time_to_try_is_not_begun(wait: float, decision: RetryAfter | Stop) -> None:
    assert decided(fresh(deadline=15.0), RateLimited(retry_after=wait), now=5.0) == decision


@pytest.mark.parametrize("senseless", [0.0, -3.0, math.nan])
def test_a_senseless_retry_after_counts_as_none(senseless: float) -> None:
    assert decided(fresh(), RateLimited(retry_after=senseless)) == RetryAfter(0.25)


def test_a_retry_knows_when_it_began() -> None:
    assert begin(POLICY, 3.0, 9.0) == Retry(policy=POLICY, began=3.0, deadline=9.0)


def test_an_endless_retry_after_is_bounded_by_an_hour() -> None:
    assert decided(fresh(deadline=math.inf), RateLimited(retry_after=math.inf)) == RetryAfter(3600.0)
    assert decided(fresh(deadline=3000.0), RateLimited(retry_after=math.inf)) == Stop("past_deadline")


def test_after_the_first_piece_of_the_answer_nothing_is_tried_again() -> None:
    committed = commit(fresh())
    assert commit(committed) is committed
    for fault in (StreamInterrupted(), Overloaded(retry_after=0.1), TimedOut()):
        assert decided(committed, fault) == Stop("committed")


@pytest.mark.parametrize(
    ("retry", "fault", "reason"),
    [
        (commit(fresh()), AuthRejected(), "committed"),
        (Retry(policy=POLICY, began=0.0, deadline=0.0, failed_attempts=9), AuthRejected(), "not_retryable"),
        (Retry(policy=POLICY, began=0.0, deadline=0.0, failed_attempts=9), ServerFailed(), "retries_exhausted"),
    ],
)
def test_the_first_reason_that_holds_is_given(retry: Retry, fault: Fault, reason: StopReason) -> None:
    assert decided(retry, fault, now=1.0) == Stop(reason)
