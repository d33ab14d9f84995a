"""Admission of requests for one key: combines the rate limit, the queue and the cooldown. The shell makes no decisions.

Rules of the machine.

Arrived requests permission to send. Each arrival gets exactly one Grant or Refuse, immediately or later, unless the
call gives up first. Calls do not overtake the queue: a new call is granted immediately only if the queue is empty and
the limit has capacity. After every event the queue is served from its head while there is capacity, and calls that
have waited too long are refused.

A grant holds a permit, which is returned with Finished (the request was sent) or Unsent. Finished reports the outcome,
the tokens used and the budgets in the response headers; a rate-limit response starts a cooldown. During a cooldown no
call is granted, and a call that cannot wait until its end is refused immediately with the remaining time. The same
applies to the head of the queue while no permit is in use, because then only time frees capacity.

Wake gives the time at which the state may change without an event: send Woken at that time. A later Wake replaces it.

If the limit is shared with other processes, lease.py changes the loan between events; send Woken after each change.
While the loan has a refusal, all waiting and all new calls are refused.
"""

from __future__ import annotations

import math
from typing import TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import ConnectionFailed, Fault, QueueFull, RateLimited
from victor_fp.core.resilience import cooldown as cooling
from victor_fp.core.resilience import queue as waiting
from victor_fp.core.resilience import rate_limit as limiting
from victor_fp.core.resilience.cooldown import Cooldown
from victor_fp.core.resilience.queue import Priority, Queue
from victor_fp.core.resilience.rate_limit import Full, Limiter, Permit
from victor_fp.core.resilience.ratelimit_headers import NOTHING, Reported


class Arrived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call requests permission to send."""

    ticket: int
    """Identifier of the call, chosen by the caller and never reused."""
    priority: Priority = Priority.NORMAL
    tokens: int = 0
    """Estimated tokens of prompt and completion."""
    deadline: float = math.inf


class GaveUp(msgspec.Struct, frozen=True, gc=False):
    """A waiting call was cancelled."""

    ticket: int


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A granted request has ended."""

    permit: Permit
    fault: Fault | None = None
    used: int | None = None
    """Tokens reported by the response; None if it reported none."""
    reported: Reported = NOTHING


class Unsent(msgspec.Struct, frozen=True, gc=False):
    """A granted request was not sent."""

    permit: Permit


class Woken(msgspec.Struct, frozen=True, gc=False):
    """The time of the last Wake was reached."""


AdmissionEvent: TypeAlias = Arrived | GaveUp | Finished | Unsent | Woken


class Grant(msgspec.Struct, frozen=True, gc=False):
    """The call may send its request."""

    ticket: int
    permit: Permit
    waited: float
    """Seconds in the queue."""


class Refuse(msgspec.Struct, frozen=True):
    """The call must not send its request; it ends with `fault`."""

    ticket: int
    fault: Fault


class Wake(msgspec.Struct, frozen=True, gc=False):
    """Send Woken at this time."""

    at: float


AdmissionOrder: TypeAlias = Grant | Refuse | Wake


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The state."""

    limiter: Limiter = Limiter()
    queue: Queue = Queue()
    cooldown: Cooldown = Cooldown()


def advance(admission: Admission, event: AdmissionEvent, now: float) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    """Apply an event and return the calls that are granted or refused."""
    match event:
        case Arrived():
            return _on_arrival(admission, event, now)
        case GaveUp(ticket):
            queue, _ = waiting.leave(admission.queue, ticket)
            return _serve(replace(admission, queue=queue), now)
        case Finished():
            admission = _on_finish(admission, event, now)
            return _serve(admission, now) if admission.queue.entries else (admission, ())
        case Unsent(permit):
            return _serve(replace(admission, limiter=limiting.withdraw(admission.limiter, permit)), now)
        case Woken():
            return _serve(admission, now)
        case _:
            assert_never(event)


def _on_arrival(admission: Admission, event: Arrived, now: float) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    orders: tuple[AdmissionOrder, ...] = ()
    if admission.queue.entries:
        admission, orders = _serve(admission, now)
    loan = admission.limiter.loan
    if loan is not None and loan.refusal is not None:
        return admission, (*orders, Refuse(event.ticket, _build_loss_fault(admission, loan.refusal)))
    cool = cooling.compute_time_left(admission.cooldown, now) if admission.cooldown.until > now else 0.0
    if cool > 0 and cool >= min(event.deadline - now, admission.queue.policy.max_wait):
        return admission, (*orders, Refuse(event.ticket, _build_cooling_fault(admission, now)))
    if cool == 0 and not admission.queue.entries and event.deadline > now:
        limiter, answer = limiting.take(admission.limiter, event.tokens, now)
        if isinstance(answer, Permit):
            return replace(admission, limiter=limiter), (*orders, Grant(event.ticket, answer, 0.0))
    queue, joined = waiting.join(
        admission.queue, event.ticket, event.priority, event.tokens, now, deadline=event.deadline
    )
    if isinstance(joined, QueueFull):
        return admission, (*orders, Refuse(event.ticket, joined))
    admission, further = _serve(replace(admission, queue=queue), now)
    return admission, orders + further


def _on_finish(admission: Admission, event: Finished, now: float) -> Admission:
    limiter, cooldown, used = admission.limiter, admission.cooldown, event.used
    if event.reported is not NOTHING:
        limiter = limiting.adopt(limiter, event.permit, event.reported, now)
    if event.fault is not None or cooldown.row:
        cooldown = cooling.record_fault(cooldown, event.fault, now)
    if used is None and event.fault is not None and not event.fault.maybe_billed:
        used = 0  # a failed request that was not billed used no tokens
    return replace(admission, limiter=limiting.give_back(limiter, event.permit, used), cooldown=cooldown)


def _serve(admission: Admission, now: float) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    """Make every decision that is possible now, and order the next Wake."""
    if not admission.queue.entries:
        return admission, ()
    loan = admission.limiter.loan
    if loan is not None and loan.refusal is not None:
        fault = _build_loss_fault(admission, loan.refusal)
        refused = tuple(Refuse(entry.ticket, fault) for entry in admission.queue.entries)
        return replace(admission, queue=replace(admission.queue, entries=())), refused
    orders: list[AdmissionOrder] = []
    queue, late = waiting.drop_overdue(admission.queue, now)
    orders += [Refuse(entry.ticket, fault) for entry, fault in late]
    cool = cooling.compute_time_left(admission.cooldown, now)
    if cool > 0:
        for expiring in [entry for entry in queue.entries if entry.until <= now + cool]:
            queue, _ = waiting.leave(queue, expiring.ticket)
            orders.append(Refuse(expiring.ticket, _build_cooling_fault(admission, now)))
    limiter, free_at = admission.limiter, now + cool
    while cool == 0 and (first := waiting.find_head(queue)) is not None:
        limiter, answer = limiting.take(limiter, first.tokens, now)
        if isinstance(answer, Full):
            free_at = math.inf if answer.retry_after is None else now + answer.retry_after
            if limiter.under_way or answer.retry_after is None or free_at < first.until:
                break
            queue, _ = waiting.leave(queue, first.ticket)
            orders.append(Refuse(first.ticket, _build_limit_fault(queue, answer.retry_after)))
            continue
        queue, _ = waiting.leave(queue, first.ticket)
        orders.append(Grant(first.ticket, answer, now - first.joined))
    at = min(free_at, waiting.find_next_overdue(queue), _compute_lease_end(limiter)) if queue.entries else math.inf
    if at < math.inf:
        orders.append(Wake(at))
    return replace(admission, queue=queue, limiter=limiter), tuple(orders)


def _compute_lease_end(limiter: Limiter) -> float:
    """Return the time at which the oldest permit in use expires."""
    return limiter.under_way[0].issued + limiter.limits.lease if limiter.under_way else math.inf


def _build_limit_fault(queue: Queue, seconds: float) -> Fault:
    message = f"the rate limit has no capacity for another {seconds:.3g} s"
    return RateLimited(provider=queue.provider, model=queue.model, message=message, retry_after=seconds)


def _build_loss_fault(admission: Admission, why: str) -> Fault:
    queue = admission.queue
    return ConnectionFailed(provider=queue.provider, model=queue.model, message=why, phase="pool", retry_after=1.0)


def _build_cooling_fault(admission: Admission, now: float) -> Fault:
    return cooling.build_refusal(admission.cooldown, admission.queue.provider, admission.queue.model, now)
