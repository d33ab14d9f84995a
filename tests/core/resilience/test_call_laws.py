"""Laws of one call over any run of faults, against a breaker that others use too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.faults import (
    AuthRejected,
    DeadlineExceeded,
    Fault,
    InvalidResponse,
    Overloaded,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, BreakerPolicy, admit, record
from victor_fp.core.resilience.call import (
    TRANSITIONS,
    CallEvent,
    Failed,
    Send,
    Settle,
    Succeeded,
    Wait,
    WaitEnded,
    advance,
    begin,
)
from victor_fp.core.resilience.retry import RetryPolicy, classify_retryability, compute_backoff

waits = st.none() | st.floats(0.01, 40.0)
faults: st.SearchStrategy[Fault] = st.one_of(
    st.builds(RateLimited, retry_after=waits),
    st.builds(Overloaded, retry_after=waits),
    st.builds(ServerFailed),
    st.builds(TimedOut),
    st.builds(InvalidResponse),
    st.builds(AuthRejected, status=st.just(401)),
)
tries = st.lists(st.tuples(st.floats(0.0, 20.0), faults | st.none()), min_size=8, max_size=8)


@settings(max_examples=scale_examples(100), deadline=None)
@given(
    outcomes=tries,
    luck=st.floats(0, 1, exclude_max=True),
    retries=st.integers(0, 5),
    left=st.floats(0.5, 90.0),
    threshold=st.integers(1, 6),
    busy=st.booleans(),
)
def test_every_call_respects_retries_deadline_and_permits(
    outcomes: list[tuple[float, Fault | None]], luck: float, retries: int, left: float, threshold: int, busy: bool
) -> None:
    policy = RetryPolicy(max_retries=retries)
    breaker: Breaker | None = Breaker(policy=BreakerPolicy(failure_threshold=threshold))
    now, sends, reported = 0.0, 0, 0
    call, breaker, order = begin(policy, breaker, now, timeout=10.0, deadline=left)
    last: Fault | None = None
    while not isinstance(order, Settle):
        event: CallEvent
        if isinstance(order, Send):
            assert now < left
            assert order.timeout == pytest.approx(min(10.0, left - now))
            sends += 1
            seconds, last = outcomes[sends - 1]
            if seconds >= order.timeout:
                seconds, last = order.timeout, TimedOut()
            now += seconds
            event = Succeeded(200) if last is None else Failed(last, luck)
            reported += 1
        else:
            assert isinstance(order, Wait)
            assert last is not None
            assert now + order.seconds < left
            if busy:
                assert 0 <= order.seconds <= max(last.retry_after or policy.cap, 30.0)
            elif last.retry_after is not None:
                assert order.seconds == last.retry_after
            else:
                assert 0 <= order.seconds <= policy.cap
            if busy and breaker is not None:
                breaker = _record_other_failure(breaker, now)
            now += order.seconds
            event = WaitEnded()
        before = call.order.phase
        call, breaker, order = advance(call, breaker, event, now)
        assert call.order.phase in TRANSITIONS[before, type(event).__name__]

    assert sends <= retries + 1
    assert len(order.attempts) == sends
    assert breaker is not None
    assert breaker.probes == ()
    assert call.permit is None
    assert [attempt.started for attempt in order.attempts] == sorted(attempt.started for attempt in order.attempts)
    if order.fault is None:
        assert last is None
    else:
        assert order.fault.attempts == order.attempts
        assert isinstance(order.fault, (type(last), DeadlineExceeded))
        if isinstance(order.fault, DeadlineExceeded):
            assert now >= left - 0.05
        elif classify_retryability(order.fault) == "always" and not busy and threshold > sends:
            assert sends == retries + 1 or now + compute_backoff(order.fault, policy, sends - 1, luck) >= left


def _record_other_failure(breaker: Breaker, now: float) -> Breaker:
    breaker, leave = admit(breaker, now)
    return record(breaker, leave, "failed", now) if isinstance(leave, BreakerPermit) else breaker
