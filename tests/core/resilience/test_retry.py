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
"""Full jitter, so that the backoff is proportional to `random`."""


def decide(retry: Retry, fault: Fault, random: float = 0.5, now: float = 0.0) -> RetryAfter | Stop:
    return decide_retry(retry, fault, random, now)[1]


def begin_retry(deadline: float = 1000.0) -> Retry:
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
def test_retryable_faults_are_retried(fault: Fault) -> None:
    assert isinstance(decide(begin_retry(), fault), RetryAfter)


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
def test_other_faults_stop_at_once(kind: type[Fault]) -> None:
    assert classify_retryability(kind()) == "never"
    assert decide(begin_retry(), kind()) == Stop("not_retryable")


def test_exhausted_quota_and_rejected_key_are_not_retried() -> None:
    for fault in (QuotaExhausted(status=429, retry_after=1.0), AuthRejected(status=401), CircuitOpen(retry_after=0.1)):
        assert decide(begin_retry(), fault) == Stop("not_retryable")


def test_digits_in_a_message_are_ignored() -> None:
    fault = InvalidRequest(status=400, message="max 5000 tokens, error 500, please retry, 429")
    assert decide(begin_retry(), fault) == Stop("not_retryable")


def test_invalid_response_is_retried_once() -> None:
    retry, first = decide_retry(begin_retry(), InvalidResponse(), 0.5, 0.0)
    assert isinstance(first, RetryAfter)
    retry, between = decide_retry(retry, ServerFailed(), 0.5, 1.0)
    assert isinstance(between, RetryAfter)
    assert decide(retry, InvalidResponse(), now=2.0) == Stop("not_retryable")


def test_max_retries_counts_after_the_first_attempt() -> None:
    retry, decisions = begin_retry(), list[RetryAfter | Stop]()
    for second in range(4):
        retry, decision = decide_retry(retry, ServerFailed(), 0.0, float(second))
        decisions.append(decision)
    assert decisions == [RetryAfter(0.0), RetryAfter(0.0), RetryAfter(0.0), Stop("retries_exhausted")]
    assert decide(begin(RetryPolicy(max_retries=0), 0.0, 9.0), ServerFailed()) == Stop("retries_exhausted")


def test_backoff_is_exponential_with_jitter_and_cap() -> None:
    almost = 1.0 - 2**-53
    bounds = [round(compute_backoff(ServerFailed(), POLICY, retries, almost), 6) for retries in range(6)]
    assert bounds == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert compute_backoff(ServerFailed(), POLICY, 3, 0.0) == 0.0
    assert compute_backoff(ServerFailed(), POLICY, 3, 0.5) == 2.0
    assert compute_backoff(ServerFailed(), POLICY, 10_000, 0.5) == 4.0


@pytest.mark.parametrize("randoms", [(0.999, 0.0), (0.0, 0.999), (0.5, 0.5)])
def test_backoff_grows_despite_jitter_by_default(randoms: tuple[float, float]) -> None:
    backoffs = [compute_backoff(ServerFailed(), RetryPolicy(), retries, randoms[retries % 2]) for retries in range(4)]
    assert backoffs == sorted(backoffs)
    assert 0.3 <= backoffs[0] <= 0.5


def test_backoff_without_jitter_is_deterministic() -> None:
    policy = RetryPolicy(jitter=0.0)
    assert {compute_backoff(ServerFailed(), policy, 1, random / 4) for random in range(4)} == {1.0}
    assert compute_backoff(ServerFailed(), RetryPolicy(jitter=0.5), 0, 0.0) == 0.25


def test_retry_after_of_the_latest_fault_is_honoured() -> None:
    retry, first = decide_retry(begin_retry(), RateLimited(retry_after=20.0), 0.5, 0.0)
    assert first == RetryAfter(20.0)
    _, second = decide_retry(retry, RateLimited(), 0.5, 20.0)
    assert second == RetryAfter(0.5)


def test_retryability_of_faults() -> None:
    assert [
        classify_retryability(fault) for fault in (ServerFailed(), InvalidRequest(status=409), InvalidResponse())
    ] == [
        "always",
        "always",
        "once",
    ]


def test_short_retry_after_is_honoured() -> None:
    assert decide(begin_retry(), RateLimited(retry_after=0.25)) == RetryAfter(0.25)


def test_retry_after_is_not_limited_by_cap() -> None:
    assert decide(begin_retry(), Overloaded(retry_after=999.0)) == RetryAfter(999.0)


def test_retry_after_past_the_deadline_stops() -> None:
    assert decide(begin_retry(deadline=60.0), RateLimited(retry_after=1800.0)) == Stop("past_deadline")


@pytest.mark.parametrize(
    ("wait", "decision"), [(9.9, RetryAfter(9.9)), (10.0, Stop("past_deadline")), (10.1, Stop("past_deadline"))]
)
def test_backoff_must_end_before_the_deadline(wait: float, decision: RetryAfter | Stop) -> None:
    assert decide(begin_retry(deadline=15.0), RateLimited(retry_after=wait), now=5.0) == decision


@pytest.mark.parametrize("senseless", [0.0, -3.0, math.nan])
def test_invalid_retry_after_is_ignored(senseless: float) -> None:
    assert decide(begin_retry(), RateLimited(retry_after=senseless)) == RetryAfter(0.25)


def test_retry_keeps_its_start_time() -> None:
    assert begin(POLICY, 3.0, 9.0) == Retry(policy=POLICY, began=3.0, deadline=9.0)


def test_infinite_retry_after_is_limited_to_an_hour() -> None:
    assert decide(begin_retry(deadline=math.inf), RateLimited(retry_after=math.inf)) == RetryAfter(3600.0)
    assert decide(begin_retry(deadline=3000.0), RateLimited(retry_after=math.inf)) == Stop("past_deadline")


def test_nothing_is_retried_after_commit() -> None:
    committed = commit(begin_retry())
    assert commit(committed) is committed
    for fault in (StreamInterrupted(), Overloaded(retry_after=0.1), TimedOut()):
        assert decide(committed, fault) == Stop("committed")


@pytest.mark.parametrize(
    ("retry", "fault", "reason"),
    [
        (commit(begin_retry()), AuthRejected(), "committed"),
        (Retry(policy=POLICY, began=0.0, deadline=0.0, failed_attempts=9), AuthRejected(), "not_retryable"),
        (Retry(policy=POLICY, began=0.0, deadline=0.0, failed_attempts=9), ServerFailed(), "retries_exhausted"),
    ],
)
def test_stop_reasons_have_a_fixed_order(retry: Retry, fault: Fault, reason: StopReason) -> None:
    assert decide(retry, fault, now=1.0) == Stop(reason)
