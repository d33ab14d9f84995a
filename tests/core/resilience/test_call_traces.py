"""Traces of calls, admission and breaker: what each event changes along random histories, as snapshots.

The laws say what must never happen; a change of what does happen is a difference here.
"""

from __future__ import annotations

import random

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.resilience.rendering import render
from victor_fp.core.faults import (
    Fault,
    InvalidRequest,
    InvalidResponse,
    QueueFull,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.resilience import admission as admitting
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import call as calling
from victor_fp.core.resilience.admission import Admission, Arrived, Finished, GaveUp, Grant, Unsent, Woken
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy
from victor_fp.core.resilience.queue import Queue, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limiter, Limits, Permit
from victor_fp.core.resilience.ratelimit_headers import read_budgets
from victor_fp.core.resilience.retry import RetryPolicy

FAULTS: tuple[Fault, ...] = (
    ServerFailed(status=500, message="down"),
    ServerFailed(status=503, message="busy", retry_after=0.5),
    RateLimited(status=429, message="slow down", retry_after=1.0),
    RateLimited(status=429, message="slow down"),
    TimedOut(phase="read", seconds=1.0, message="silence"),
    InvalidResponse(status=200, message="not JSON"),
    InvalidRequest(status=400, message="no such model"),
)
HEADERS: tuple[dict[str, str], ...] = (
    {"x-ratelimit-remaining-requests": "1", "x-ratelimit-limit-requests": "60", "x-ratelimit-reset-requests": "2s"},
    {"x-ratelimit-remaining-tokens": "500", "x-ratelimit-limit-tokens": "6000", "x-ratelimit-reset-tokens": "30s"},
    {},
)


def show_change(before: object, after: object) -> str:
    """The fields that differ."""
    names = getattr(type(after), "__struct_fields__", ())
    changed = {
        name: render(getattr(after, name)) for name in names if getattr(after, name) != getattr(before, name, None)
    }
    return " ".join(f"{name}={found}" for name, found in changed.items()) or "-"


def choose_event(luck: random.Random, state: calling.CallState) -> calling.CallEvent:
    match state.order:
        case calling.Send():
            return luck.choice(
                (
                    calling.Failed(luck.choice(FAULTS), luck.random()),
                    calling.Failed(luck.choice(FAULTS), luck.random()),
                    calling.Succeeded(200),
                    calling.Refused(QueueFull(message="no room")),
                    calling.Committed(),
                    calling.Abandoned(),
                )
            )
        case calling.Wait():
            return calling.WaitEnded() if luck.random() < 0.9 else calling.Abandoned()
        case calling.Deliver():
            return luck.choice((calling.Succeeded(200), calling.Failed(FAULTS[0], 0.5), calling.Abandoned()))
        case calling.Settle():
            return calling.Succeeded(200)  # changes nothing


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("waits", [False, True], ids=["fails", "waits"])
def test_calls_that_share_a_breaker(waits: bool, seed: int, snapshot: SnapshotAssertion) -> None:
    luck = random.Random(seed)
    policy = BreakerPolicy(failure_threshold=2, success_threshold=2, recovery_timeout=4.0, window=10.0)
    breaker: Breaker | None = Breaker(policy=policy) if seed else None
    retries = RetryPolicy(max_retries=3, base=0.5, cap=4.0)
    calls: dict[int, calling.CallState] = {}
    lines: list[str] = []
    now = 0.0
    for turn in range(40):
        now += luck.choice((0.0, 0.25, 1.0, 2.5))
        number = luck.randrange(3)
        state, was = calls.get(number), breaker
        if state is None or isinstance(state.order, calling.Settle):
            deadline = luck.choice((None, now + 3.0, now + 20.0))
            state, breaker, order = calling.begin(
                retries, breaker, now, timeout=1.0, deadline=deadline, provider="p", model="m", wait_when_open=waits
            )
            what = "begin"
        else:
            event = choose_event(luck, state)
            if isinstance(event, calling.WaitEnded) and isinstance(state.order, calling.Wait):
                now += state.order.seconds
            state, breaker, order = calling.advance(state, breaker, event, now)
            what = str(render(event))
        calls[number] = state
        shown = (
            f"Settle({render(order.attempts[-1:])}, {type(order.fault).__name__})"
            if isinstance(order, calling.Settle)
            else render(order)
        )
        counts = (state.retry.failed_attempts, state.retry.invalid_responses, state.retry.uncounted_attempts)
        lines.append(f"{now:.2f} {turn} call {number}: {what} -> {shown} | {show_change(was, breaker)}")
        lines.append(
            f"      {counts} waited={state.waited:.2f} successes={state.successes} last={type(state.last).__name__}"
        )
    if breaker is not None:
        lines += [str(circuit.build_stats(breaker, "p:m", now, 1000.0)), str(render(circuit.reset(breaker, now)))]
    assert lines == snapshot


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "limits",
    [
        Limits(requests_per_minute=6),
        Limits(tokens_per_minute=1000, concurrency=3),
        Limits(requests_per_minute=20, tokens_per_minute=2000, concurrency=2),
    ],
    ids=["requests", "tokens", "all"],
)
def test_calls_that_wait_for_a_limit(limits: Limits, seed: int, snapshot: SnapshotAssertion) -> None:
    luck = random.Random(seed)
    queue = Queue(policy=QueuePolicy(max_size=3, max_wait=30.0), provider="p", model="m")
    admission = Admission(limiter=Limiter(limits=limits), queue=queue)
    permits: list[Permit] = []
    lines: list[str] = []
    now = 100.0
    for ticket in range(40):
        now += luck.choice((0.0, 0.1, 1.0, 7.0))
        event: admitting.AdmissionEvent
        if permits and luck.random() < 0.45:
            permit = permits.pop(luck.randrange(len(permits)))
            reported = read_budgets(luck.choice(HEADERS), now)
            event = luck.choice(
                (
                    Finished(permit=permit, used=luck.choice((None, 50, 400)), reported=reported),
                    Finished(permit=permit, fault=luck.choice(FAULTS), reported=reported),
                    Unsent(permit),
                )
            )
        else:
            event = luck.choice(
                (
                    Arrived(ticket=ticket, tokens=luck.choice((0, 100, 300)), deadline=now + luck.choice((1.0, 60.0))),
                    Arrived(ticket=ticket, tokens=100, deadline=now + 40.0),
                    Woken(),
                    GaveUp(ticket - 2),
                )
            )
        was = admission
        admission, orders = admitting.advance(admission, event, now)
        permits += [order.permit for order in orders if isinstance(order, Grant)]
        changed = (
            show_change(was.limiter, admission.limiter),
            show_change(was.queue, admission.queue),
            show_change(was.cooldown, admission.cooldown),
        )
        lines += [f"{now:.1f} {render(event)} -> {render(orders)}", f"      {' | '.join(changed)}"]
    assert lines == snapshot
