"""One call from its first attempt to its end: retry and breaker composed, so that the shell decides nothing.

Rules of the machine.

`begin` asks the breaker for leave and orders the first attempt. From then on the shell carries out one order at a time
and reports its outcome: Send becomes Answered or Failed, Wait becomes Rested, and Settle ends the call. A stream reports
Committed when its first piece of the answer is about to reach the caller; the order is Deliver, and whatever fails after
that settles the call. Abandoned (the caller cancelled, or left the stream) may come at any time.

Where a rate limiter stands before the sending, its refusal is reported as Refused: nothing was sent, so the breaker
learns nothing, and since the queue has let the call wait as long as it may, it is not tried again.

Where the breaker is open at `begin`, the call settles with CircuitOpen; with `wait_when_open` it waits for the half-open
state instead, if that comes before the deadline. A call that the breaker has let in keeps its retries: where the breaker
opens meanwhile, the rest before the next attempt lasts until the half-open state. It never ends with CircuitOpen: where
the deadline does not allow the rest, it settles with its last fault, at once. With `wait_when_open`, an
open breaker gives the call its retries back: the server is down, and the deadline alone says how long it waits. A refusal
of the rate limiter is the outcome only where nothing was sent.

A rate limit while other calls of the same breaker get answers says "not yet": it does not count against the retries, and the
deadline alone says how long the call waits. Without an answer to anybody it counts, so that a vendor that answers nobody is not
asked until the deadline.

Each attempt has a permit of its own, which goes back with the attempt's verdict before anything else happens; the breaker
hears whether the operation goes on or has ended.

No attempt gets more time than the call has left. An attempt that the deadline cut short, or a deadline that passed during
a rest, settles as DeadlineExceeded with the last fault's message; a rest that does not fit settles with the fault itself.

A caller that leaves a stream after its first piece has seen the server work: that counts as a success. Before it, the
attempt counts as cancelled.

The breaker is shared by many calls, so it is passed in and handed back with every step; None stands for no breaker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Attempt, Cancelled, CircuitOpen, DeadlineExceeded, Fault, RateLimited, TimedOut
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import retry as retrying
from victor_fp.core.resilience.breaker import Breaker, BreakerPermit, Rejected, Verdict
from victor_fp.core.resilience.deadline import build_deadline_fault
from victor_fp.core.resilience.retry import Again, Retry, RetryPolicy, Stop

CallPhase: TypeAlias = Literal["sending", "delivering", "waiting", "settled"]

TRANSITIONS: Mapping[tuple[CallPhase, str], tuple[CallPhase, ...]] = {
    ("sending", "Answered"): ("settled",),
    ("sending", "Failed"): ("waiting", "settled"),
    ("sending", "Refused"): ("settled",),
    ("sending", "Committed"): ("delivering",),
    ("sending", "Abandoned"): ("settled",),
    ("delivering", "Answered"): ("settled",),
    ("delivering", "Failed"): ("settled",),
    ("delivering", "Abandoned"): ("settled",),
    ("waiting", "Rested"): ("sending", "waiting", "settled"),
    ("waiting", "Abandoned"): ("settled",),
}
"""Where each event may lead; an event that is not here for a phase changes nothing and repeats the order."""


_EARLY = 0.05
"""Seconds by which a timer may fire before its time."""
_LATE = 0.25
"""Seconds by which one may fire after it; an attempt that took longer than that waited in the queue first."""


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The attempt brought a whole answer."""

    status: int | None = None


class Failed(msgspec.Struct, frozen=True):
    """The attempt ended in a fault. `luck` is uniform in [0, 1)."""

    fault: Fault
    luck: float


class Refused(msgspec.Struct, frozen=True):
    """The attempt was not sent: the rate limiter, or its queue, refused it."""

    fault: Fault


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The stream's first piece of the answer is about to reach the caller."""


class Rested(msgspec.Struct, frozen=True, gc=False):
    """The rest is over."""


class Abandoned(msgspec.Struct, frozen=True, gc=False):
    """The caller gave up, in whatever way."""


CallEvent: TypeAlias = Answered | Failed | Refused | Committed | Rested | Abandoned


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send the request."""

    timeout: float
    """Seconds for this attempt: all of it for a call, each silence for a stream. Time in the queue does not count, but
    never past the deadline."""
    deadline: float
    """When the whole call must be over, in the clock of `now`."""


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Hand the stream's pieces to the caller."""


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Rest."""

    seconds: float


class Settle(msgspec.Struct, frozen=True):
    """End the call with the answer at hand, or with `fault`."""

    fault: Fault | None
    attempts: tuple[Attempt, ...]
    """Every attempt, oldest first; the same tuple is in the fault."""


CallOrder: TypeAlias = Send | Deliver | Wait | Settle


class CallState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one call."""

    retry: Retry
    timeout: float
    provider: str
    model: str | None
    order: CallOrder
    """What the shell is doing now."""
    permit: BreakerPermit | None = None
    """Of the attempt under way."""
    generation: int | None = None
    """Of the breaker's last permit; None before the breaker has let the call in."""
    wait_when_open: bool = False
    successes: int = 0
    """The breaker's successes when this call last looked at them."""
    sent: float = 0.0
    waited: float = 0.0
    """Seconds of rest since the last attempt."""
    last: Fault | None = None
    attempts: tuple[Attempt, ...] = ()


CallStep: TypeAlias = tuple[CallState, Breaker | None, CallOrder]


def begin(
    policy: RetryPolicy,
    breaker: Breaker | None,
    now: float,
    *,
    timeout: float,
    deadline: float | None = None,
    provider: str = "",
    model: str | None = None,
    wait_when_open: bool = False,
) -> CallStep:
    """Begin a call at `now` and order its first attempt, or settle it where the breaker is open.

    `timeout` bounds one attempt, in seconds. `deadline` is a point of time in the clock of `now`; where none is given,
    the call has `timeout` for each attempt that it may make. With `wait_when_open` a call waits for an open breaker to
    let it in, where that comes before the deadline.
    """
    last_moment = now + timeout * (policy.max_retries + 1) if deadline is None else deadline
    call = CallState(
        retry=Retry(policy=policy, began=now, deadline=last_moment),
        timeout=timeout,
        provider=provider,
        model=model,
        order=Deliver(),
        wait_when_open=wait_when_open,
        successes=0 if breaker is None else breaker.success_count,
    )
    return _start_attempt(call, breaker, now)


def advance(call: CallState, breaker: Breaker | None, event: CallEvent, now: float) -> CallStep:
    """Take in the outcome of the last order and say what to do next."""
    if (find_phase(call), type(event).__name__) not in TRANSITIONS:
        return call, breaker, call.order
    match event:
        case Answered(status):
            breaker = _record(call, breaker, "succeeded", now)
            return _settle(call, breaker, None, _log(call, "ok", status, "", now))
        case Failed(fault, luck):
            return _fail(call, breaker, fault, luck, now)
        case Refused(fault):
            return _refuse(call, breaker, fault, now)
        case Committed():
            deliver = Deliver()
            return replace(call, retry=retrying.commit(call.retry), order=deliver), breaker, deliver
        case Rested():
            return _start_attempt(call, breaker, now)
        case Abandoned():
            return _abandon(call, breaker, now)
        case _:
            assert_never(event)


def find_phase(call: CallState) -> CallPhase:
    """Where the call stands."""
    match call.order:
        case Send():
            return "sending"
        case Deliver():
            return "delivering"
        case Wait():
            return "waiting"
        case Settle():
            return "settled"
        case _:
            assert_never(call.order)


def _start_attempt(call: CallState, breaker: Breaker | None, now: float) -> CallStep:
    """An attempt begins, if the deadline and the breaker allow it."""
    left = call.retry.deadline - now
    if left <= 0:
        return _settle(call, _end(call, breaker, now), _build_deadline_fault(call), call.attempts)
    permit: BreakerPermit | None = None
    if breaker is not None:
        breaker, leave = circuit.admit(breaker, now, is_retry=call.generation is not None)
        if isinstance(leave, Rejected):
            return _wait_for_breaker(call, breaker, leave, now)
        permit = leave
    # A hair less is a rounding of the clock, not a deadline that is near.
    send = Send(left if left < call.timeout - 1e-6 else call.timeout, call.retry.deadline)
    call = CallState(
        retry=call.retry,
        timeout=call.timeout,
        provider=call.provider,
        model=call.model,
        order=send,
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


def _wait_for_breaker(call: CallState, breaker: Breaker, leave: Rejected, now: float) -> CallStep:
    """The breaker lets no attempt through now."""
    let_in = call.generation is not None
    if (let_in or call.wait_when_open) and now + leave.retry_after < call.retry.deadline:
        order = Wait(leave.retry_after)
        retry = retrying.restore(call.retry) if call.wait_when_open else call.retry
        return replace(call, retry=retry, order=order, waited=call.waited + leave.retry_after), breaker, order
    if let_in:
        fault = call.last if call.last is not None else _build_deadline_fault(call)
        return _settle(call, _end(call, breaker, now), fault, call.attempts)
    circuit_open = CircuitOpen(
        provider=call.provider,
        model=call.model,
        message="the circuit breaker is open: calls fail fast until the server has had time to recover",
        retry_after=leave.retry_after,
    )
    attempts = _log(replace(call, sent=now), "CircuitOpen", None, circuit_open.message, now)
    return _settle(call, breaker, circuit_open, attempts)


def _fail(call: CallState, breaker: Breaker | None, fault: Fault, luck: float, now: float) -> CallStep:
    verdict = circuit.judge_fault(fault)
    attempts = _log(call, type(fault).__name__, fault.status, fault.message, now)
    if call.wait_when_open and _is_breaker_left_open(call, breaker, verdict, now):
        call = replace(call, retry=retrying.restore(call.retry))
    is_counted = True
    if breaker is not None and breaker.state == "closed" and isinstance(fault, RateLimited) and not fault.is_too_large:
        is_counted = not _has_progress(call, breaker)
        call = replace(call, successes=breaker.success_count)
    retry, decision = retrying.decide_retry(call.retry, fault, luck, now, is_counted=is_counted)
    if _is_cut_short(call, fault, now):
        ended = _record(call, breaker, verdict, now)
        return _settle(replace(call, last=fault), ended, _build_deadline_fault(replace(call, last=fault)), attempts)
    match decision:
        case Again(wait):
            return _rest(replace(call, retry=retry, last=fault, attempts=attempts), breaker, verdict, wait, now)
        case Stop(reason):
            breaker = _record(call, breaker, verdict, now)
            call = replace(call, retry=retry, last=fault)
            late = reason == "past_deadline" and now >= call.retry.deadline
            return _settle(call, breaker, _build_deadline_fault(call) if late else fault, attempts)
        case _:
            assert_never(decision)


def _has_progress(call: CallState, breaker: Breaker) -> bool:
    """Whether other calls got answers since this one last looked. A change of state begins the count anew."""
    is_same = call.permit is not None and call.permit.generation == breaker.state_changes
    return breaker.success_count > (call.successes if is_same else 0)


def _is_breaker_left_open(call: CallState, breaker: Breaker | None, verdict: Verdict, now: float) -> bool:
    """Whether the breaker is open, or is opened by this failure."""
    if breaker is None or call.permit is None:
        return False
    return circuit.record_attempt(breaker, call.permit, verdict, now).state == "open"


def _rest(call: CallState, breaker: Breaker | None, verdict: Verdict, wait: float, now: float) -> CallStep:
    """Rest before the next attempt; where the breaker is open, at least until it lets probes through."""
    if breaker is not None and call.permit is not None:
        breaker = circuit.record_attempt(breaker, call.permit, verdict, now)
        wait = max(wait, circuit.compute_time_to_probe(breaker, now))
    call = replace(call, permit=None)
    if now + wait >= call.retry.deadline:
        return _settle(call, _end(call, breaker, now), call.last, call.attempts)
    order = Wait(wait)
    return replace(call, order=order, waited=wait), breaker, order


def _refuse(call: CallState, breaker: Breaker | None, fault: Fault, now: float) -> CallStep:
    """The attempt was not sent. The operation ends as its earlier attempts did."""
    if breaker is not None and call.permit is not None:
        breaker = circuit.record_attempt(breaker, call.permit, "cancelled", now)
    attempts = _log(call, type(fault).__name__, fault.status, fault.message, now)
    return _settle(call, _end(call, breaker, now), call.last if call.last is not None else fault, attempts)


def _is_cut_short(call: CallState, fault: Fault, now: float) -> bool:
    """Whether the deadline, not the attempt's own timeout, is what ran out."""
    if not isinstance(fault, TimedOut) or fault.status is not None or not isinstance(call.order, Send):
        return False
    # An attempt that waited in the queue first has less time than was ordered, too.
    less = call.order.timeout < call.timeout or now - call.sent > call.timeout + _LATE
    return less and now >= call.retry.deadline - _EARLY


def _abandon(call: CallState, breaker: Breaker | None, now: float) -> CallStep:
    attempts = call.attempts
    if isinstance(call.order, Wait):
        if breaker is not None and call.generation is not None:
            breaker = circuit.end(breaker, call.generation, "cancelled", now)
    else:
        breaker = _record(call, breaker, "succeeded" if call.retry.committed else "cancelled", now)
        attempts = _log(call, "Cancelled", None, "", now)
    fault = Cancelled(provider=call.provider, model=call.model, message="the caller gave up")
    return _settle(call, breaker, fault, attempts)


def _record(call: CallState, breaker: Breaker | None, verdict: Verdict, now: float) -> Breaker | None:
    """The breaker after the operation ended with the attempt that is under way."""
    if breaker is None or call.permit is None:
        return breaker
    return circuit.record(breaker, call.permit, verdict, now)


def _end(call: CallState, breaker: Breaker | None, now: float) -> Breaker | None:
    """The breaker after the operation ended without another attempt: as its last one did."""
    if breaker is None or call.generation is None:
        return breaker
    verdict = "cancelled" if call.last is None else circuit.judge_fault(call.last)
    return circuit.end(breaker, call.generation, verdict, now)


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
    return build_deadline_fault(call.provider, call.model, call.retry.deadline - call.retry.began, call.last)


def _settle(call: CallState, breaker: Breaker | None, fault: Fault | None, attempts: tuple[Attempt, ...]) -> CallStep:
    shown: Fault | None = replace(fault, attempts=attempts) if fault is not None else None
    settle = Settle(shown, attempts)
    return replace(call, order=settle, permit=None, attempts=attempts), breaker, settle
