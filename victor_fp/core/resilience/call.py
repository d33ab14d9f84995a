"""One call from its first try to its last word: retry and breaker composed, so that the shell decides nothing.

Rules of the machine.

`begin` asks the breaker for leave and orders the first try. From then on the shell carries out one order at a time and
reports what came of it: Send becomes Answered or Failed, Wait becomes Rested, and Settle ends the call. A stream
reports Committed when its first piece of the answer is about to reach the caller; the order is Deliver, and whatever
fails after that settles the call. Abandoned (the caller cancelled, or left the stream) may come at any time.

Where a rate limit stands before the sending, its refusal is reported as Refused: nothing was sent, so the breaker learns
nothing, and since the line has let the call wait as long as it may, it is not tried again.

Each try has a permit of its own, and the permit goes back with the try's verdict before anything else happens. When the
breaker or the rate limit lets no next try through, the call settles with its last real fault; CircuitOpen, or the
refusal, is the answer only where nothing was tried. A rest that would end while the breaker is still open is not begun.

No try gets more time than the call has left. A try that the deadline cut short, or a deadline that passed during a
rest, settles as DeadlineExceeded with the last fault's words; a rest that does not fit settles with the fault itself,
at once.

A caller who leaves a stream after its first piece has seen the server work: that counts as a success. Before it, the
attempt counts as cancelled.

The breaker is shared by many calls, so it is passed in and handed back with every step; None stands for no breaker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Attempt, Cancelled, CircuitOpen, DeadlineExceeded, Fault, TimedOut
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import retry as retrying
from victor_fp.core.resilience.breaker import Breaker, Permit, Rejected, Verdict
from victor_fp.core.resilience.deadline import deadline_exceeded
from victor_fp.core.resilience.retry import Again, Retry, RetryPolicy, Stop

Phase: TypeAlias = Literal["sending", "delivering", "waiting", "settled"]

TRANSITIONS: Mapping[tuple[Phase, str], tuple[Phase, ...]] = {
    ("sending", "Answered"): ("settled",),
    ("sending", "Failed"): ("waiting", "settled"),
    ("sending", "Refused"): ("settled",),
    ("sending", "Committed"): ("delivering",),
    ("sending", "Abandoned"): ("settled",),
    ("delivering", "Answered"): ("settled",),
    ("delivering", "Failed"): ("settled",),
    ("delivering", "Abandoned"): ("settled",),
    ("waiting", "Rested"): ("sending", "settled"),
    ("waiting", "Abandoned"): ("settled",),
}
"""Where each event may lead; an event that is not here for a phase changes nothing and repeats the order."""


_EARLY = 0.05
"""Seconds by which a timer may ring before its time."""
_LATE = 0.25
"""Seconds by which one may ring behind it; a try that took longer than that stood in line first."""


class Answered(msgspec.Struct, frozen=True, gc=False):
    """The try brought a whole answer."""

    status: int | None = None


class Failed(msgspec.Struct, frozen=True):
    """The try ended in a fault. `luck` is uniform in [0, 1)."""

    fault: Fault
    luck: float


class Refused(msgspec.Struct, frozen=True):
    """The try was not sent: the rate limit, or its waiting line, refused it."""

    fault: Fault


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The stream's first piece of the answer is about to reach the caller."""


class Rested(msgspec.Struct, frozen=True, gc=False):
    """The rest is over."""


class Abandoned(msgspec.Struct, frozen=True, gc=False):
    """The caller gave up, in whatever way."""


Event: TypeAlias = Answered | Failed | Refused | Committed | Rested | Abandoned


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send the request."""

    timeout: float
    """Seconds for this try: all of it for a call, each silence for a stream. Time in line does not count, but never
    past the deadline."""
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
    """Every try, oldest first; the same tuple is in the fault."""


Order: TypeAlias = Send | Deliver | Wait | Settle


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one call."""

    retry: Retry
    timeout: float
    provider: str
    model: str | None
    order: Order
    """What the shell is doing now."""
    permit: Permit | None = None
    sent: float = 0.0
    waited: float = 0.0
    last: Fault | None = None
    attempts: tuple[Attempt, ...] = ()


Step: TypeAlias = tuple[Call, Breaker | None, Order]


def begin(
    policy: RetryPolicy,
    breaker: Breaker | None,
    now: float,
    *,
    timeout: float,
    deadline: float | None = None,
    provider: str = "",
    model: str | None = None,
) -> Step:
    """Begin a call at `now` and order its first try, or settle it where the breaker is open.

    `timeout` bounds one try, in seconds. `deadline` is a point of time in the clock of `now`; where none is given, the
    call has `timeout` for each try that it may make.
    """
    last_moment = now + timeout * (policy.max_retries + 1) if deadline is None else deadline
    call = Call(
        retry=Retry(policy=policy, began=now, deadline=last_moment),
        timeout=timeout,
        provider=provider,
        model=model,
        order=Deliver(),
    )
    return _tried(call, breaker, 0.0, now)


def advance(call: Call, breaker: Breaker | None, event: Event, now: float) -> Step:
    """Take in what came of the last order and say what to do next."""
    if (phase_of(call), type(event).__name__) not in TRANSITIONS:
        return call, breaker, call.order
    match event:
        case Answered(status):
            breaker = _reported(call, breaker, "succeeded", now)
            return _settled(call, breaker, None, _logged(call, "ok", status, "", now))
        case Failed(fault, luck):
            return _failed(call, breaker, fault, luck, now)
        case Refused(fault):
            breaker = _reported(call, breaker, "cancelled", now)
            attempts = _logged(call, type(fault).__name__, fault.status, fault.message, now)
            return _settled(call, breaker, call.last if call.last is not None else fault, attempts)
        case Committed():
            deliver = Deliver()
            return replace(call, retry=retrying.commit(call.retry), order=deliver), breaker, deliver
        case Rested():
            return _tried(call, breaker, call.waited, now)
        case Abandoned():
            return _abandoned(call, breaker, now)
        case _:
            assert_never(event)


def phase_of(call: Call) -> Phase:
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


def _tried(call: Call, breaker: Breaker | None, waited: float, now: float) -> Step:
    """A try begins, if the deadline and the breaker allow it."""
    left = call.retry.deadline - now
    if left <= 0:
        return _settled(call, breaker, _too_late(call), call.attempts)
    permit: Permit | None = None
    if breaker is not None:
        breaker, leave = circuit.admit(breaker, now)
        if isinstance(leave, Rejected):
            return _refused(call, breaker, leave, now)
        permit = leave
    # A hair less is a rounding of the clock, not a deadline that is near.
    send = Send(left if left < call.timeout - 1e-6 else call.timeout, call.retry.deadline)
    call = Call(
        retry=call.retry,
        timeout=call.timeout,
        provider=call.provider,
        model=call.model,
        order=send,
        permit=permit,
        sent=now,
        waited=waited,
        last=call.last,
        attempts=call.attempts,
    )
    return call, breaker, send


def _refused(call: Call, breaker: Breaker, leave: Rejected, now: float) -> Step:
    if call.last is not None:
        return _settled(call, breaker, call.last, call.attempts)
    fault = CircuitOpen(
        provider=call.provider,
        model=call.model,
        message="the circuit breaker is open: calls fail fast until the server has had time to recover",
        retry_after=leave.retry_after,
    )
    return _settled(call, breaker, fault, _logged(replace(call, sent=now), "CircuitOpen", None, fault.message, now))


def _failed(call: Call, breaker: Breaker | None, fault: Fault, luck: float, now: float) -> Step:
    breaker = _reported(call, breaker, circuit.verdict_of(fault), now)
    attempts = _logged(call, type(fault).__name__, fault.status, fault.message, now)
    retry, decision = retrying.after(call.retry, fault, luck, now)
    cut_short = _cut_short(call, fault, now)
    call = replace(call, retry=retry, last=fault, permit=None, attempts=attempts)
    if cut_short:
        return _settled(call, breaker, _too_late(call), attempts)
    match decision:
        case Again(wait):
            if breaker is not None and circuit.time_to_probe(breaker, now) > wait:
                return _settled(call, breaker, fault, attempts)
            order = Wait(wait)
            return replace(call, order=order, waited=wait), breaker, order
        case Stop(reason):
            late = reason == "past_deadline" and now >= call.retry.deadline
            return _settled(call, breaker, _too_late(call) if late else fault, attempts)
        case _:
            assert_never(decision)


def _cut_short(call: Call, fault: Fault, now: float) -> bool:
    """Whether the deadline, not the try's own timeout, is what ran out."""
    if not isinstance(fault, TimedOut) or fault.status is not None or not isinstance(call.order, Send):
        return False
    # A try that stood in line first has less time than was ordered, too.
    less = call.order.timeout < call.timeout or now - call.sent > call.timeout + _LATE
    return less and now >= call.retry.deadline - _EARLY


def _abandoned(call: Call, breaker: Breaker | None, now: float) -> Step:
    attempts = call.attempts
    if not isinstance(call.order, Wait):
        breaker = _reported(call, breaker, "succeeded" if call.retry.committed else "cancelled", now)
        attempts = _logged(call, "Cancelled", None, "", now)
    fault = Cancelled(provider=call.provider, model=call.model, message="the caller gave up")
    return _settled(call, breaker, fault, attempts)


def _reported(call: Call, breaker: Breaker | None, verdict: Verdict, now: float) -> Breaker | None:
    if breaker is None or call.permit is None:
        return breaker
    return circuit.record(breaker, call.permit, verdict, now)


def _logged(call: Call, outcome: str, status: int | None, message: str, now: float) -> tuple[Attempt, ...]:
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


def _too_late(call: Call) -> DeadlineExceeded:
    return deadline_exceeded(call.provider, call.model, call.retry.deadline - call.retry.began, call.last)


def _settled(call: Call, breaker: Breaker | None, fault: Fault | None, attempts: tuple[Attempt, ...]) -> Step:
    told: Fault | None = replace(fault, attempts=attempts) if fault is not None else None
    settle = Settle(told, attempts)
    return replace(call, order=settle, permit=None, attempts=attempts), breaker, settle
