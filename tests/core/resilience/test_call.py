"""One call as the list of orders that a script of events produces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import pytest

from victor_fp.core.faults import (
    Attempt,
    AuthRejected,
    Cancelled,
    CircuitOpen,
    ConnectionFailed,
    DeadlineExceeded,
    Fault,
    InvalidRequest,
    Overloaded,
    Partial,
    QueueFull,
    RateLimited,
    ServerFailed,
    StreamInterrupted,
    TimedOut,
)
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, BreakerPolicy, admit, record
from victor_fp.core.resilience.call import (
    Abandoned,
    CallEvent,
    CallOrder,
    CallState,
    Committed,
    Deliver,
    Failed,
    Refused,
    Send,
    Settle,
    Succeeded,
    Wait,
    WaitEnded,
    advance,
    begin,
)
from victor_fp.core.resilience.retry import RetryPolicy

EXACT = RetryPolicy(jitter=0.0)
Script: TypeAlias = Sequence[tuple[float, CallEvent]]


def build_failure(fault: Fault) -> Failed:
    return Failed(fault, 0.5)


def build_exhausted_script() -> Script:
    script: list[tuple[float, CallEvent]] = [(1.0, build_failure(ServerFailed(message="1")))]
    for second in (2.0, 3.0, 4.0):
        script += [(second, WaitEnded()), (second, build_failure(ServerFailed(message=f"{second:g}")))]
    return script


def run_events(
    script: Script,
    *,
    breaker: Breaker | None = None,
    policy: RetryPolicy = EXACT,
    deadline: float | None = 100.0,
) -> tuple[list[CallOrder], CallState, Breaker | None]:
    call, breaker, order = begin(policy, breaker, 0.0, timeout=10.0, deadline=deadline, provider="acme", model="m")
    orders = [order]
    for now, event in script:
        call, breaker, order = advance(call, breaker, event, now)
        orders.append(order)
    return orders, call, breaker


@pytest.mark.parametrize(("fault", "failures"), [(ServerFailed(), 1), (RateLimited(retry_after=2.0), 0)])
def test_a_deadline_that_passes_during_a_wait_ends_the_operation_with_the_verdict_of_its_last_attempt(
    fault: Fault, failures: int
) -> None:
    _, call, breaker = run_events([(1.0, build_failure(fault)), (101.0, WaitEnded())], breaker=Breaker())
    assert isinstance(call.order, Settle)
    assert call.permit is None
    assert breaker is not None
    assert (breaker.failure_count, breaker.in_flight, breaker.sending) == (failures, 0, 0)


def test_a_rejected_retry_is_reported_once_during_another_call() -> None:
    breaker, _ = admit(Breaker(), 0.0)
    script: Script = [(1.0, build_failure(ServerFailed())), (2.0, WaitEnded()), (2.0, Refused(QueueFull()))]
    _, call, after = run_events(script, breaker=breaker)
    assert call.permit is None
    assert after is not None
    assert (after.in_flight, after.sending, after.failure_count, after.total_failures) == (1, 1, 1, 1)


def get_settlement(orders: Sequence[CallOrder]) -> Settle:
    last = orders[-1]
    assert isinstance(last, Settle)
    return last


def build_open_breaker(now: float) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker, leave = admit(breaker, now)
        assert isinstance(leave, BreakerPermit)
        breaker = record(breaker, leave, "failed", now)
    assert breaker.state == "open"
    return breaker


def test_first_attempt_succeeds() -> None:
    orders, call, _ = run_events([(2.0, Succeeded(200))])
    assert orders == [
        Send(10.0, 100.0),
        Settle(None, (Attempt(provider="acme", model="m", started=0.0, seconds=2.0, status=200),)),
    ]
    assert call.order.phase == "settled"


def test_retryable_fault_is_retried_after_backoff_and_logged() -> None:
    orders, _, _ = run_events(
        [
            (1.0, build_failure(RateLimited(status=429, message="slow", retry_after=3.0))),
            (4.0, WaitEnded()),
            (6.0, Succeeded(200)),
        ]
    )
    first = Attempt(provider="acme", model="m", seconds=1.0, outcome="RateLimited", status=429, message="slow")
    second = Attempt(provider="acme", model="m", started=4.0, seconds=2.0, status=200, waited=3.0)
    assert orders == [Send(10.0, 100.0), Wait(3.0), Send(10.0, 100.0), Settle(None, (first, second))]


def test_exhausted_retries_settle_with_the_last_fault_and_all_attempts() -> None:
    settle = get_settlement(run_events(build_exhausted_script())[0])
    assert isinstance(settle.fault, ServerFailed)
    assert settle.fault.message == "4"
    assert settle.fault.attempts == settle.attempts
    assert [attempt.message for attempt in settle.attempts] == ["1", "2", "3", "4"]


def test_fault_that_is_not_retryable_settles_at_once() -> None:
    settle = get_settlement(run_events([(1.0, build_failure(AuthRejected(status=401)))])[0])
    assert isinstance(settle.fault, AuthRejected)


def test_attempt_timeout_is_limited_by_the_deadline() -> None:
    orders, _, _ = run_events([(9.0, build_failure(ConnectionFailed())), (9.5, WaitEnded())], deadline=12.0)
    assert orders[-1] == Send(2.5, 12.0)


def test_default_deadline_allows_every_attempt() -> None:
    assert run_events([], deadline=None)[0] == [Send(10.0, 40.0)]


def test_attempt_cut_short_by_the_deadline_settles_as_deadline_exceeded() -> None:
    script: Script = [
        (9.0, build_failure(ServerFailed(message="boom"))),
        (9.5, WaitEnded()),
        (11.99, build_failure(TimedOut(message="silence"))),
    ]
    settle = get_settlement(run_events(script, deadline=12.0)[0])
    assert isinstance(settle.fault, DeadlineExceeded)
    assert settle.fault.message == "the deadline of 12 s passed; last: TimedOut: silence"
    assert settle.fault.seconds == 12.0
    assert [attempt.outcome for attempt in settle.fault.attempts] == ["ServerFailed", "TimedOut"]


def test_the_deadline_is_reported_in_seconds_from_the_start_of_the_operation() -> None:
    call, breaker, _ = begin(RetryPolicy(), None, 100.0002, timeout=10.0, deadline=100.3, began=100.0)
    for fault in (TimedOut(message="silence"), DeadlineExceeded(message="the deadline passed")):
        _, _, order = advance(call, breaker, build_failure(fault), 100.3)
        assert isinstance(order, Settle)
        assert isinstance(order.fault, DeadlineExceeded)
        assert order.fault.seconds == 0.3
    _, _, order = begin(RetryPolicy(), None, 100.0002, timeout=10.0, deadline=100.0, began=100.0)
    assert isinstance(order, Settle)
    assert order.fault is not None
    assert order.fault.message == "the deadline of 0 s passed"


def test_timeout_reported_by_the_server_is_not_the_deadline() -> None:
    settle = get_settlement(run_events([(1.0, build_failure(TimedOut(status=408, retry_after=50.0)))], deadline=5.0)[0])
    assert isinstance(settle.fault, TimedOut)


def test_wait_past_the_deadline_settles_at_once_with_the_fault() -> None:
    settle = get_settlement(run_events([(1.0, build_failure(RateLimited(retry_after=1800.0)))])[0])
    assert isinstance(settle.fault, RateLimited)
    assert settle.fault.retry_after == 1800.0


def test_retryable_fault_after_the_deadline_settles_as_deadline_exceeded() -> None:
    fault = get_settlement(run_events([(101.0, build_failure(ServerFailed(status=500, message="late")))])[0]).fault
    assert isinstance(fault, DeadlineExceeded)
    assert (fault.status, fault.message) == (500, "the deadline of 100 s passed; last: ServerFailed: late")


def test_fault_that_is_not_retryable_is_reported_after_the_deadline() -> None:
    assert isinstance(
        get_settlement(run_events([(101.0, build_failure(InvalidRequest(status=400)))])[0]).fault, InvalidRequest
    )


def test_nothing_is_sent_after_a_wait_past_the_deadline() -> None:
    settle = get_settlement(run_events([(1.0, build_failure(ServerFailed())), (100.0, WaitEnded())])[0])
    assert isinstance(settle.fault, DeadlineExceeded)
    assert len(settle.attempts) == 1


def test_nothing_is_sent_if_the_deadline_has_passed() -> None:
    _, breaker, order = begin(EXACT, Breaker(), 5.0, timeout=10.0, deadline=5.0)
    assert isinstance(order, Settle)
    assert isinstance(order.fault, DeadlineExceeded)
    assert breaker == Breaker()


def test_open_breaker_rejects_a_new_call() -> None:
    settle = get_settlement(run_events([], breaker=build_open_breaker(0.0))[0])
    assert isinstance(settle.fault, CircuitOpen)
    assert settle.fault.retry_after == 30.0
    assert [attempt.outcome for attempt in settle.attempts] == ["CircuitOpen"]


def test_admitted_call_waits_for_the_half_open_state_and_keeps_its_retries() -> None:
    call, _, order = begin(EXACT, Breaker(), 0.0, timeout=10.0, deadline=100.0)
    call, _, order = advance(call, Breaker(), build_failure(ServerFailed(message="mine")), 1.0)
    assert isinstance(order, Wait)
    call, _, order = advance(call, build_open_breaker(1.0), WaitEnded(), 2.0)
    assert order == Wait(29.0)
    call, _, order = advance(call, build_open_breaker(1.0), WaitEnded(), 31.0)
    assert order == Send(10.0, 100.0)


def test_deadline_before_the_half_open_state_settles_with_the_last_fault() -> None:
    call, _, order = begin(EXACT, Breaker(), 0.0, timeout=10.0, deadline=20.0)
    call, _, order = advance(call, Breaker(), build_failure(ServerFailed(message="mine")), 1.0)
    call, _, order = advance(call, build_open_breaker(1.0), WaitEnded(), 2.0)
    assert isinstance(order, Settle)
    assert isinstance(order.fault, ServerFailed)
    assert len(order.attempts) == 1


def test_wait_when_open_waits_within_the_deadline() -> None:
    call, breaker, order = begin(EXACT, build_open_breaker(0.0), 1.0, timeout=10.0, deadline=100.0, wait_when_open=True)
    assert order == Wait(29.0)
    _, _, order = advance(call, breaker, WaitEnded(), 30.0)
    assert order == Send(10.0, 100.0)
    _, _, order = begin(EXACT, build_open_breaker(0.0), 1.0, timeout=10.0, deadline=20.0, wait_when_open=True)
    assert isinstance(order, Settle)
    assert isinstance(order.fault, CircuitOpen)


@pytest.mark.parametrize("waits", [True, False])
def test_wait_when_open_restores_the_retries(waits: bool) -> None:
    call, breaker, order = begin(EXACT, Breaker(), 0.0, timeout=10.0, deadline=1_000.0, wait_when_open=waits)
    now = 0.0
    for _ in range(EXACT.max_retries):
        call, breaker, order = advance(call, breaker, build_failure(ServerFailed()), now)
        assert isinstance(order, Wait)
        now += order.seconds
        call, breaker, order = advance(call, breaker, WaitEnded(), now)
    assert call.permit is not None
    call, breaker, order = advance(call, build_open_breaker(now), build_failure(ServerFailed()), now)
    assert isinstance(order, Wait if waits else Settle)


def test_each_attempt_is_reported_to_the_breaker_once() -> None:
    _, _, breaker = run_events(
        [
            (1.0, build_failure(ServerFailed())),
            (2.0, WaitEnded()),
            (3.0, build_failure(ServerFailed())),
            (5.0, WaitEnded()),
            (6.0, Succeeded()),
        ],
        breaker=Breaker(),
    )
    assert breaker is not None
    assert (breaker.total_calls, breaker.total_failures, breaker.failure_count) == (3, 2, 0)


def test_stream_broken_before_its_first_part_is_retried() -> None:
    assert run_events([(1.0, build_failure(Overloaded()))])[0][-1] == Wait(0.5)


def test_stream_broken_after_its_first_part_is_not_retried() -> None:
    fault = StreamInterrupted(partial=Partial(content="Once upon"))
    orders, _, _ = run_events([(1.0, Committed()), (2.0, build_failure(fault))])
    assert orders[1] == Deliver()
    assert get_settlement(orders).fault == msgspec.structs.replace(fault, attempts=get_settlement(orders).attempts)


def test_complete_stream_settles_without_a_fault() -> None:
    assert get_settlement(run_events([(1.0, Committed()), (9.0, Succeeded(200))])[0]).fault is None


def test_cancelled_call_returns_its_probe() -> None:
    call, breaker, _ = begin(EXACT, build_open_breaker(0.0), 30.0, timeout=10.0)
    assert breaker is not None
    assert len(breaker.probes) == 1
    _, breaker, order = advance(call, breaker, Abandoned(), 31.0)
    assert isinstance(order, Settle)
    assert isinstance(order.fault, Cancelled)
    assert breaker is not None
    assert (breaker.state, breaker.probes, breaker.success_count) == ("half_open", (), 0)


def test_leaving_a_stream_after_its_first_part_counts_as_success() -> None:
    call, breaker, _ = begin(EXACT, build_open_breaker(0.0), 30.0, timeout=10.0)
    call, breaker, _ = advance(call, breaker, Committed(), 31.0)
    _, breaker, _ = advance(call, breaker, Abandoned(), 32.0)
    assert breaker is not None
    assert breaker.success_count == 1


def test_cancellation_during_a_wait_is_reported_once() -> None:
    orders, _, breaker = run_events([(1.0, build_failure(ServerFailed())), (1.2, Abandoned())], breaker=Breaker())
    assert isinstance(get_settlement(orders).fault, Cancelled)
    assert [attempt.outcome for attempt in get_settlement(orders).attempts] == ["ServerFailed"]
    assert breaker is not None
    assert (breaker.failure_count, breaker.in_flight, breaker.total_calls, breaker.total_failures) == (0, 0, 1, 1)


def test_rate_limiter_refusal_is_neither_recorded_nor_retried() -> None:
    breaker = Breaker(policy=BreakerPolicy(failure_threshold=1))
    orders, _, after = run_events([(1.0, Refused(RateLimited(message="the key cools down")))], breaker=breaker)
    assert isinstance(get_settlement(orders).fault, RateLimited)
    assert [attempt.outcome for attempt in get_settlement(orders).attempts] == ["RateLimited"]
    assert after is not None
    assert (after.state, after.total_failures) == ("closed", 0)


def test_refusal_of_a_retry_settles_with_the_last_fault() -> None:
    orders, _, _ = run_events([(1.0, build_failure(ServerFailed())), (1.5, WaitEnded()), (2.0, Refused(QueueFull()))])
    assert isinstance(get_settlement(orders).fault, ServerFailed)
    assert [attempt.outcome for attempt in get_settlement(orders).attempts] == ["ServerFailed", "QueueFull"]


def test_deadline_after_a_wait_in_the_queue_settles_as_deadline_exceeded() -> None:
    settle = get_settlement(run_events([(12.0, build_failure(TimedOut()))], deadline=12.0)[0])
    assert isinstance(settle.fault, DeadlineExceeded)


def test_timeout_of_the_last_attempt_settles_as_timed_out() -> None:
    orders, _, _ = run_events([(10.0, build_failure(TimedOut()))], deadline=10.0, policy=RetryPolicy(max_retries=0))
    assert isinstance(get_settlement(orders).fault, TimedOut)


@pytest.mark.parametrize(
    "event", [Succeeded(), build_failure(ServerFailed()), Refused(QueueFull()), Committed(), WaitEnded(), Abandoned()]
)
def test_settled_call_ignores_events(event: CallEvent) -> None:
    _, call, breaker = run_events([(1.0, Succeeded())], breaker=Breaker())
    assert advance(call, breaker, event, 2.0) == (call, breaker, call.order)


def test_unexpected_event_repeats_the_order() -> None:
    orders, _, _ = run_events([(1.0, build_failure(ServerFailed())), (1.1, Succeeded()), (1.2, Committed())])
    assert orders[1:] == [Wait(0.5)] * 3


def test_without_a_breaker_every_attempt_is_sent() -> None:
    assert [type(order).__name__ for order in run_events(build_exhausted_script())[0]] == ["Send", "Wait"] * 3 + [
        "Send",
        "Settle",
    ]


def run_late_call(
    *script: tuple[float, CallEvent], breaker: Breaker | None = None, deadline: float = 60.0
) -> tuple[Settle, Breaker | None]:
    """A call that begins at 50, so that points of time and spans of it cannot be taken for each other."""
    call, breaker, order = begin(EXACT, breaker, 50.0, timeout=10.0, deadline=deadline, provider="acme", model="m")
    for now, event in script:
        call, breaker, order = advance(call, breaker, event, now)
    assert isinstance(order, Settle)
    assert call.attempts == order.attempts
    return order, breaker


def build_attempt(started: float, seconds: float, outcome: str, message: str = "", waited: float = 0.0) -> Attempt:
    return Attempt(
        provider="acme", model="m", started=started, seconds=seconds, outcome=outcome, message=message, waited=waited
    )


def test_attempts_are_timed_from_the_start_of_the_call() -> None:
    settle, _ = run_late_call((51.0, build_failure(ServerFailed())), (51.5, WaitEnded()), (53.0, Succeeded()))
    assert settle.attempts == (build_attempt(0.0, 1.0, "ServerFailed"), build_attempt(1.5, 1.5, "ok", waited=0.5))


def test_circuit_open_fault_has_target_and_retry_after() -> None:
    settle, _ = run_late_call(breaker=build_open_breaker(40.0))
    message = "the circuit breaker is open after repeated failures of the server; retry after the recovery timeout"
    log = (build_attempt(0.0, 0.0, "CircuitOpen", message),)
    assert settle.attempts == log
    assert settle.fault == CircuitOpen(provider="acme", model="m", message=message, retry_after=20.0, attempts=log)


def test_cancelled_fault_has_the_log() -> None:
    settle, _ = run_late_call((52.0, Abandoned()))
    log = (build_attempt(0.0, 2.0, "Cancelled"),)
    assert settle.fault == Cancelled(provider="acme", model="m", message="the caller cancelled the call", attempts=log)


def test_deadline_passed_during_a_wait_is_reported_with_its_length() -> None:
    settle, _ = run_late_call((51.0, build_failure(ServerFailed(message="boom"))), (60.0, WaitEnded()))
    assert settle.fault == DeadlineExceeded(
        provider="acme",
        model="m",
        message="the deadline of 10 s passed; last: ServerFailed: boom",
        seconds=10.0,
        attempts=(build_attempt(0.0, 1.0, "ServerFailed", "boom"),),
    )


def test_refusal_is_logged_with_its_message() -> None:
    settle, _ = run_late_call((52.0, Refused(RateLimited(status=429, message="cooling"))))
    assert settle.attempts == (msgspec.structs.replace(build_attempt(0.0, 2.0, "RateLimited", "cooling"), status=429),)


def test_breaker_records_the_time_of_a_failure() -> None:
    _, breaker = run_late_call((52.0, build_failure(ServerFailed())), (59.0, Abandoned()), breaker=Breaker())
    assert breaker is not None
    assert breaker.last_failure_time == 52.0


@pytest.mark.parametrize(("left", "timeout"), [(9.0, 9.0), (10.0, 10.0), (10.0 - 1e-7, 10.0), (11.0, 10.0)])
def test_rounding_error_does_not_shorten_the_timeout(left: float, timeout: float) -> None:
    _, _, order = begin(EXACT, None, 50.0, timeout=10.0, deadline=50.0 + left)
    assert isinstance(order, Send)
    assert order.timeout == pytest.approx(timeout, abs=1e-9)


LIMITED = RateLimited(message="slow down", retry_after=1.0)


def run_limited_call(answers: Sequence[int], policy: RetryPolicy = EXACT, deadline: float = 100.0) -> CallOrder:
    """The last order of a call that is rate limited again and again, while others get so many answers before each time."""
    breaker: Breaker | None = Breaker()
    call, breaker, order = begin(policy, breaker, 0.0, timeout=60.0, deadline=deadline)
    for second, answered in enumerate(answers):
        for _ in range(answered):
            assert breaker is not None
            breaker, permit = admit(breaker, float(second))
            assert isinstance(permit, BreakerPermit)
            breaker = record(breaker, permit, "succeeded", float(second))
        call, breaker, order = advance(call, breaker, build_failure(LIMITED), float(second))
        if isinstance(order, Wait):
            call, breaker, order = advance(call, breaker, WaitEnded(), float(second + 1))
    return order


def test_rate_limit_while_other_calls_succeed_is_not_counted() -> None:
    assert isinstance(run_limited_call([1] * 50), Send)
    assert isinstance(run_limited_call([1, 0, 0, 1, 0, 1] * 2), Settle)


def test_rate_limit_without_other_successes_is_counted() -> None:
    assert isinstance(run_limited_call([0, 0, 0]), Send)
    assert isinstance(run_limited_call([0, 0, 0, 0]), Settle)
    assert isinstance(run_limited_call([5, 0, 0, 0]), Send)
    assert isinstance(run_limited_call([5, 0, 0, 0, 0]), Settle)


def test_a_call_without_retries_does_not_wait_for_a_rate_limit() -> None:
    assert isinstance(run_limited_call([1], RetryPolicy(max_retries=0)), Settle)


def test_uncounted_rate_limits_end_at_the_deadline() -> None:
    order = run_limited_call([1] * 20, deadline=10.0)
    assert isinstance(order, Settle)
    assert len(order.attempts) <= 11


def test_backoff_grows_with_rate_limits_without_retry_after() -> None:
    call, breaker, _ = begin(EXACT, Breaker(success_count=1), 0.0, timeout=60.0, deadline=1000.0)
    rests = []
    for second in range(4):
        assert breaker is not None
        breaker = msgspec.structs.replace(breaker, success_count=breaker.success_count + 1)
        call, breaker, order = advance(call, breaker, build_failure(RateLimited(message="slow down")), 10.0 * second)
        assert isinstance(order, Wait)
        rests.append(order.seconds)
        call, breaker, _ = advance(call, breaker, WaitEnded(), 10.0 * second + 9)
    assert rests == [0.5, 1.0, 2.0, 4.0]
