"""One call from its first attempt to its end: composes retry and breaker, so that the shell makes no decisions.

Rules of the machine.

`begin` asks the breaker for a permit and orders the first attempt. From then on the shell carries out one order at a
time and reports its outcome: Send is followed by Succeeded or Failed, Wait by WaitEnded, and Settle ends the call. A
stream reports Committed when the first part of the response is about to be delivered to the caller; the order is then
Deliver, and any later failure settles the call. Abandoned (the caller cancelled, or left the stream) may be reported at
any time.

If a rate limiter is in use, its rejection is reported as Refused: nothing was sent, so the breaker records no outcome,
and since the call has already waited in the queue for as long as it may, it is not retried.

If the breaker is open at `begin`, the call settles with CircuitOpen; with `wait_when_open` it waits for the half-open
state instead, if that comes before the deadline. A call that the breaker has admitted keeps its retries: if the breaker
opens meanwhile, the wait before the next attempt lasts until the half-open state. Such a call never ends with
CircuitOpen: if the deadline does not allow the wait, it settles with its last fault, at once. With `wait_when_open`, an
open breaker restores the call's retries: the server is down, and only the deadline limits how long the call waits. A
rejection by the rate limiter is the outcome only if nothing was sent.

A rate limit while other calls of the same breaker get answers means "not yet": it does not count against the retries, and only the
deadline bounds how long the call waits. If no call gets an answer it counts, so that a vendor that rejects every call is not
called until the deadline.

Each attempt has its own permit, which is reported with the attempt's verdict before anything else happens; the report
includes whether the operation continues or has ended.

No attempt gets more time than the call has left. An attempt that was cut short by the deadline, or a deadline that
passed during a wait, settles as DeadlineExceeded with the message of the last fault; a wait that does not fit before
the deadline settles with the fault itself.

If the caller leaves a stream after its first part, the server has shown that it works: this counts as a success. Before
the first part, the attempt counts as cancelled.

The breaker is shared by many calls, so every step accepts and returns it; None means no breaker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Attempt, Cancelled, CircuitOpen, DeadlineExceeded, Fault, RateLimited, TimedOut
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import retry as retrying
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, BreakerVerdict, Rejected
from victor_fp.core.resilience.deadline import build_deadline_fault, drop_rounding_error
from victor_fp.core.resilience.retry import Retry, RetryAfter, RetryPolicy, Stop

CallPhase: TypeAlias = Literal["sending", "delivering", "waiting", "settled"]

TRANSITIONS: Mapping[tuple[CallPhase, str], tuple[CallPhase, ...]] = {
    ("sending", "Succeeded"): ("settled",),
    ("sending", "Failed"): ("waiting", "settled"),
    ("sending", "Refused"): ("settled",),
    ("sending", "Committed"): ("delivering",),
    ("sending", "Abandoned"): ("settled",),
    ("delivering", "Succeeded"): ("settled",),
    ("delivering", "Failed"): ("settled",),
    ("delivering", "Abandoned"): ("settled",),
    ("waiting", "WaitEnded"): ("sending", "waiting", "settled"),
    ("waiting", "Abandoned"): ("settled",),
}
"""Possible next phases of each event. An event that is not listed for a phase is ignored: the order is repeated."""


_TIMER_EARLY = 0.05
"""Seconds by which a timer may fire early."""
_TIMER_LATE = 0.25
"""Seconds by which a timer may fire late; an attempt that exceeds its timeout by more than this waited in the queue."""


class Succeeded(msgspec.Struct, frozen=True, gc=False):
    """The attempt returned a complete response."""

    status: int | None = None


class Failed(msgspec.Struct, frozen=True):
    """The attempt ended in a fault. `random` is uniform in [0, 1)."""

    fault: Fault
    random: float


class Refused(msgspec.Struct, frozen=True):
    """The attempt was not sent: the rate limiter or its queue rejected it."""

    fault: Fault


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The first part of the streamed response is about to be delivered to the caller."""


class WaitEnded(msgspec.Struct, frozen=True, gc=False):
    """The ordered wait is over."""


class Abandoned(msgspec.Struct, frozen=True, gc=False):
    """The caller cancelled the call or left the stream."""


CallEvent: TypeAlias = Succeeded | Failed | Refused | Committed | WaitEnded | Abandoned


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send the request."""

    phase: ClassVar[CallPhase] = "sending"

    timeout: float
    """Seconds for this attempt: in total for a call, between two reads for a stream. Time in the queue is not counted;
    the deadline applies to both."""
    deadline: float
    """Time by which the call must end, in the clock of `now`."""


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Deliver the stream to the caller."""

    phase: ClassVar[CallPhase] = "delivering"


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Wait before the next attempt."""

    phase: ClassVar[CallPhase] = "waiting"

    seconds: float


class Settle(msgspec.Struct, frozen=True, gc=False):
    """End the call with the response, or with `fault`."""

    phase: ClassVar[CallPhase] = "settled"

    fault: Fault | None
    attempts: tuple[Attempt, ...]
    """All attempts, oldest first; the fault holds the same tuple."""


CallOrder: TypeAlias = Send | Deliver | Wait | Settle


class CallState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one call."""

    retry: Retry
    timeout: float
    provider: str
    model: str | None
    order: CallOrder
    """The current order."""
    began: float
    """Start of the operation, from which the deadline is counted."""
    permit: BreakerPermit | None = None
    """Permit of the attempt in flight."""
    generation: int | None = None
    """Generation of the last permit; None if the breaker has not admitted the call yet."""
    wait_when_open: bool = False
    successes: int = 0
    """The breaker's successes when this call last looked at them."""
    sent: float = 0.0
    """Start of the last attempt, in the clock of `now`."""
    waited: float = 0.0
    """Seconds waited since the last attempt."""
    last: Fault | None = None
    """Fault of the last attempt."""
    attempts: tuple[Attempt, ...] = ()


CallStep: TypeAlias = tuple[CallState, Breaker | None, CallOrder]


def begin(
    policy: RetryPolicy,
    breaker: Breaker | None,
    now: float,
    *,
    timeout: float,
    deadline: float | None = None,
    began: float | None = None,
    provider: str = "",
    model: str | None = None,
    wait_when_open: bool = False,
) -> CallStep:
    """Begin a call at `now` and order its first attempt, or settle it if the breaker is open.

    `timeout` bounds one attempt, in seconds. `deadline` is a time in the clock of `now`; by default the call has
    `timeout` for each of its possible attempts. `began` is the start of the operation, if that was before `now`. With `wait_when_open` the call waits until an open breaker admits it,
    if that happens before the deadline.
    """
    last_moment = now + timeout * (policy.max_retries + 1) if deadline is None else deadline
    call = CallState(
        retry=Retry(policy=policy, began=now, deadline=last_moment),
        timeout=timeout,
        provider=provider,
        model=model,
        order=Deliver(),
        began=now if began is None else began,
        wait_when_open=wait_when_open,
        successes=0 if breaker is None else breaker.success_count,
    )
    return _start_attempt(call, breaker, now)


def advance(call: CallState, breaker: Breaker | None, event: CallEvent, now: float) -> CallStep:
    """Apply the outcome of the last order and return the next order."""
    if (call.order.phase, type(event).__name__) not in TRANSITIONS:
        return call, breaker, call.order
    match event:
        case Succeeded(status):
            return _settle(call, breaker, None, _log(call, "ok", status, "", now), now, "succeeded")
        case Failed(fault, random):
            return _on_failure(call, breaker, fault, random, now)
        case Refused(fault):
            return _on_refusal(call, breaker, fault, now)
        case Committed():
            deliver = Deliver()
            return replace(call, retry=retrying.commit(call.retry), order=deliver), breaker, deliver
        case WaitEnded():
            return _start_attempt(call, breaker, now)
        case Abandoned():
            return _on_abandoned(call, breaker, now)
        case _:
            assert_never(event)


def _start_attempt(call: CallState, breaker: Breaker | None, now: float) -> CallStep:
    """Start an attempt, if the deadline and the breaker allow it."""
    left = call.retry.deadline - now
    if left <= 0:
        return _settle(call, breaker, _build_deadline_fault(call), call.attempts, now)
    permit: BreakerPermit | None = None
    if breaker is not None:
        breaker, admission = circuit.admit(breaker, now, is_retry=call.generation is not None)
        if isinstance(admission, Rejected):
            return _on_breaker_rejection(call, breaker, admission, now)
        permit = admission
    # A smaller difference is a rounding error of the clock.
    send = Send(left if left < call.timeout - 1e-6 else call.timeout, call.retry.deadline)
    call = CallState(
        retry=call.retry,
        timeout=call.timeout,
        provider=call.provider,
        model=call.model,
        order=send,
        began=call.began,
        permit=permit,
        generation=None if permit is None else permit.generation,
        wait_when_open=call.wait_when_open,
        successes=call.successes,
        sent=now,
        waited=call.waited,
        last=call.last,
        attempts=call.attempts,
    )
    return call, breaker, send


def _on_breaker_rejection(call: CallState, breaker: Breaker, admission: Rejected, now: float) -> CallStep:
    """Wait for the half-open state, or settle."""
    admitted = call.generation is not None
    if (admitted or call.wait_when_open) and now + admission.retry_after < call.retry.deadline:
        order = Wait(admission.retry_after)
        retry = retrying.reset_retries(call.retry) if call.wait_when_open else call.retry
        return replace(call, retry=retry, order=order, waited=call.waited + admission.retry_after), breaker, order
    if admitted:
        fault = call.last if call.last is not None else _build_deadline_fault(call)
        return _settle(call, breaker, fault, call.attempts, now)
    circuit_open = CircuitOpen(
        provider=call.provider,
        model=call.model,
        message="the circuit breaker is open after repeated failures of the server; retry after the recovery timeout",
        retry_after=admission.retry_after,
    )
    attempts = _log(replace(call, sent=now), "CircuitOpen", None, circuit_open.message, now)
    return _settle(call, breaker, circuit_open, attempts, now)


def _on_failure(call: CallState, breaker: Breaker | None, fault: Fault, random: float, now: float) -> CallStep:
    verdict = circuit.judge_fault(fault)
    attempts = _log(call, type(fault).__name__, fault.status, fault.message, now)
    if call.wait_when_open and _is_breaker_open_after(call, breaker, verdict, now):
        call = replace(call, retry=retrying.reset_retries(call.retry))
    is_counted = True
    if breaker is not None and breaker.state == "closed" and isinstance(fault, RateLimited) and not fault.is_too_large:
        is_counted = not _has_progress(call, breaker)
        call = replace(call, successes=breaker.success_count)
    retry, decision = retrying.decide_retry(call.retry, fault, random, now, is_counted=is_counted)
    if _is_cut_short(call, fault, now):
        call = replace(call, last=fault)
        return _settle(call, breaker, _build_deadline_fault(call), attempts, now)
    match decision:
        case RetryAfter(wait):
            return _schedule_retry(
                replace(call, retry=retry, last=fault, attempts=attempts), breaker, verdict, wait, now
            )
        case Stop(reason):
            call = replace(call, retry=retry, last=fault)
            late = reason == "past_deadline" and now >= call.retry.deadline
            return _settle(call, breaker, _build_deadline_fault(call) if late else fault, attempts, now)
        case _:
            assert_never(decision)


def _has_progress(call: CallState, breaker: Breaker) -> bool:
    """Return whether other calls succeeded since this one last failed. A state change restarts the count."""
    is_same = call.permit is not None and call.permit.generation == breaker.state_changes
    return breaker.success_count > (call.successes if is_same else 0)


def _is_breaker_open_after(call: CallState, breaker: Breaker | None, verdict: BreakerVerdict, now: float) -> bool:
    """Return whether the breaker is open after this failure."""
    if breaker is None or call.permit is None:
        return False
    return circuit.record_attempt(breaker, call.permit, verdict, now).state == "open"


def _schedule_retry(
    call: CallState, breaker: Breaker | None, verdict: BreakerVerdict, wait: float, now: float
) -> CallStep:
    """Wait before the next attempt; if the breaker is open, at least until it admits probes."""
    if breaker is not None and call.permit is not None:
        breaker = circuit.record_attempt(breaker, call.permit, verdict, now)
        wait = max(wait, circuit.compute_time_to_probe(breaker, now))
    call = replace(call, permit=None)
    if now + wait >= call.retry.deadline:
        return _settle(call, breaker, call.last, call.attempts, now)
    order = Wait(wait)
    return replace(call, order=order, waited=wait), breaker, order


def _on_refusal(call: CallState, breaker: Breaker | None, fault: Fault, now: float) -> CallStep:
    """Settle an attempt that was not sent. The operation ends with the outcome of its earlier attempts."""
    if breaker is not None and call.permit is not None:
        breaker = circuit.record_attempt(breaker, call.permit, "cancelled", now)
    attempts = _log(call, type(fault).__name__, fault.status, fault.message, now)
    call = replace(call, permit=None)
    return _settle(call, breaker, fault if call.last is None else call.last, attempts, now)


def _is_cut_short(call: CallState, fault: Fault, now: float) -> bool:
    """Return whether the deadline ended the attempt, and not the attempt's own timeout."""
    if not isinstance(fault, TimedOut) or fault.status is not None or not isinstance(call.order, Send):
        return False
    # An attempt that waited in the queue also has less time than was ordered.
    shortened = call.order.timeout < call.timeout or now - call.sent > call.timeout + _TIMER_LATE
    return shortened and now >= call.retry.deadline - _TIMER_EARLY


def _on_abandoned(call: CallState, breaker: Breaker | None, now: float) -> CallStep:
    attempts = call.attempts if isinstance(call.order, Wait) else _log(call, "Cancelled", None, "", now)
    fault = Cancelled(provider=call.provider, model=call.model, message="the caller cancelled the call")
    return _settle(call, breaker, fault, attempts, now, "succeeded" if call.retry.committed else "cancelled")


def _log(call: CallState, outcome: str, status: int | None, message: str, now: float) -> tuple[Attempt, ...]:
    attempt = Attempt(
        provider=call.provider,
        model=call.model,
        started=call.sent - call.retry.began,
        seconds=now - call.sent,
        outcome=outcome,
        status=status,
        message=message,
        waited=call.waited,
    )
    return (*call.attempts, attempt)


def _build_deadline_fault(call: CallState) -> DeadlineExceeded:
    return build_deadline_fault(call.provider, call.model, call.retry.deadline - call.began, call.last)


def _settle(
    call: CallState,
    breaker: Breaker | None,
    fault: Fault | None,
    attempts: tuple[Attempt, ...],
    now: float,
    verdict: BreakerVerdict | None = None,
) -> CallStep:
    """End the call, and record the end of the operation together with the attempt in flight, if there is one.

    Without a verdict it is that of the last attempt.
    """
    if breaker is not None:
        if verdict is None:
            verdict = "cancelled" if call.last is None else circuit.judge_fault(call.last)
        if call.permit is not None:
            breaker = circuit.record(breaker, call.permit, verdict, now)
        elif call.generation is not None:
            breaker = circuit.end(breaker, call.generation, verdict, now)
    if isinstance(fault, DeadlineExceeded) and fault.seconds is None:
        fault = replace(fault, seconds=drop_rounding_error(call.retry.deadline - call.began))
    shown: Fault | None = replace(fault, attempts=attempts) if fault is not None else None
    settle = Settle(shown, attempts)
    return replace(call, order=settle, permit=None, attempts=attempts), breaker, settle
