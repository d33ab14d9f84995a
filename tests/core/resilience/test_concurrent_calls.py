"""Many calls at once over one breaker, in virtual time: bursts, partial failure, outages."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import assert_never

import msgspec
import pytest

from victor_fp.core.faults import Fault, RateLimited, ServerFailed
from victor_fp.core.resilience.breaker import Breaker
from victor_fp.core.resilience.call import (
    CallOrder,
    CallState,
    Deliver,
    Failed,
    Send,
    Settle,
    Succeeded,
    Wait,
    WaitEnded,
)
from victor_fp.core.resilience.call import advance as advance_call
from victor_fp.core.resilience.call import begin as begin_call
from victor_fp.core.resilience.retry import RetryPolicy

Vendor = Callable[[float], tuple[float, Fault | None]]
"""From the time of a request: the seconds until its end, and the fault it ends in."""


class Result(msgspec.Struct):
    """What became of the calls of one run."""

    answered: int = 0
    faults: list[Fault] = []
    sent: int = 0
    opened_at: float | None = None


def run(
    calls: int, workers: int, vendor: Vendor, *, seed: int = 1, timeout: float = 60.0, wait_when_open: bool = False
) -> Result:
    """Run `calls` calls on `workers` workers; each worker makes one call after the other."""
    luck, result, breaker = Random(seed), Result(), Breaker()
    events: list[tuple[float, int, CallState | None, Succeeded | Failed | WaitEnded]] = []
    # an entry without a call is a worker that is free
    left, serial = calls, 0

    def begin(now: float) -> None:
        nonlocal left, breaker
        if left > 0:
            left -= 1
            call, current, order = begin_call(
                RetryPolicy(), breaker, now, timeout=timeout, wait_when_open=wait_when_open
            )
            assert current is not None
            breaker = current
            carry_out(call, order, now)

    def carry_out(call: CallState, order: CallOrder, now: float) -> None:
        nonlocal serial
        serial += 1
        match order:
            case Send():
                result.sent += 1
                seconds, fault = vendor(now)
                event = Succeeded(200) if fault is None else Failed(fault, luck.random())
                heapq.heappush(events, (now + seconds, serial, call, event))
            case Wait(seconds=seconds):
                heapq.heappush(events, (now + seconds, serial, call, WaitEnded()))
            case Settle(fault=fault):
                if fault is None:
                    result.answered += 1
                else:
                    result.faults.append(fault)
                heapq.heappush(events, (now + 0.01, serial, None, WaitEnded()))
            case Deliver():
                raise AssertionError("no streams here")
            case _:
                assert_never(order)

    for _ in range(workers):
        begin(0.0)
    while events:
        now, _, call, event = heapq.heappop(events)
        if call is None:
            begin(now)
            continue
        call, current, order = advance_call(call, breaker, event, now)
        assert current is not None
        breaker = current
        if breaker.state == "open" and result.opened_at is None:
            result.opened_at = now
        carry_out(call, order, now)
    assert (breaker.in_flight, breaker.sending) == (0, 0)
    return result


def build_failing_vendor(share: float, fault: Fault, *, seed: int, fast: bool) -> Vendor:
    """A vendor that fails a share of its requests, at once or after the time of an answer."""
    luck = Random(seed)

    def vendor(_: float) -> tuple[float, Fault | None]:
        if luck.random() < share:
            return (0.01 if fast else 1.0), fault
        return 1.0 + luck.random(), None

    return vendor


def test_burst_of_rate_limits_is_retried_with_the_breaker_closed() -> None:
    asked = 0

    def vendor(now: float) -> tuple[float, Fault | None]:
        nonlocal asked
        asked += 1
        return (0.02, RateLimited(status=429, retry_after=1.0)) if asked <= 20 and asked % 3 == 0 else (0.5, None)

    result = run(20, 20, vendor)
    assert (result.answered, result.faults, result.opened_at) == (20, [], None)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("workers", [1, 5, 50, 200])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_partial_failure_fails_no_call_and_keeps_the_breaker_closed(share: float, workers: int, fast: bool) -> None:
    vendor = build_failing_vendor(share, ServerFailed(status=503), seed=workers, fast=fast)
    result = run(1000, workers, vendor)
    allowed = 1000 * share**4 * 4 + 1  # all four attempts of a call may fail by chance
    assert len(result.faults) <= allowed
    assert all(isinstance(fault, ServerFailed) for fault in result.faults)
    assert result.opened_at is None


@pytest.mark.parametrize("workers", [1, 5, 50, 200])
def test_breaker_opens_in_bounded_time_during_an_outage(workers: int) -> None:
    def vendor(_: float) -> tuple[float, Fault | None]:
        return 0.05, ServerFailed(status=500)

    result = run(workers * 20, workers, vendor)
    assert result.opened_at is not None
    assert result.opened_at < 60.0


@pytest.mark.parametrize("workers", [50, 100])
def test_wait_when_open_survives_an_outage_of_a_minute(workers: int) -> None:
    def vendor(now: float) -> tuple[float, Fault | None]:
        return (0.05, ServerFailed(status=500)) if 5.0 <= now < 65.0 else (0.5, None)

    result = run(2000, workers, vendor, timeout=120.0, wait_when_open=True)
    assert (result.answered, result.faults) == (2000, [])
    assert result.opened_at is not None
