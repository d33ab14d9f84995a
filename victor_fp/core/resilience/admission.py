"""Who may send, for one key: rate limit, queue and cooldown composed, so that the shell decides nothing.

Rules of the machine.

Arrived asks for leave to send. Each arrival gets exactly one Grant or Refuse, at once or later, unless it gives up
first. Nobody passes the line: a newcomer is granted at once only where the line is empty and there is room. After every
event the line is served from its head as long as there is room, and who has waited too long is refused.

A grant comes with a permit, which goes back by Finished (the request was sent) or Unsent. Finished carries how it
ended, the tokens that were used and what the headers said; a rate limit makes the key cool. While it cools nobody is
granted, and who could not wait until it is ready is refused at once with the time that is left. The same holds at the
head of the line while no permit is out, for then nothing but time makes room.

Wake names the time at which something may change without an event: send Woken then. A later Wake replaces it.

Where the limit is shared with other processes, lease.py changes the loan between events; send Woken after each change. While
the loan names a refusal, all that wait are refused, and all that come.
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
    """A call wants to send."""

    ticket: int
    """The caller's name for it, never used twice."""
    priority: Priority = Priority.NORMAL
    tokens: int = 0
    """Estimate: prompt and completion."""
    deadline: float = math.inf


class GaveUp(msgspec.Struct, frozen=True, gc=False):
    """A call that waits does not want to any more."""

    ticket: int


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A granted request is over."""

    permit: Permit
    fault: Fault | None = None
    used: int | None = None
    """Tokens that were reported."""
    reported: Reported = NOTHING


class Unsent(msgspec.Struct, frozen=True, gc=False):
    """A granted request was not sent."""

    permit: Permit


class Woken(msgspec.Struct, frozen=True, gc=False):
    """The time of the last Wake has come."""


AdmissionEvent: TypeAlias = Arrived | GaveUp | Finished | Unsent | Woken


class Grant(msgspec.Struct, frozen=True, gc=False):
    """Let this call send."""

    ticket: int
    permit: Permit
    waited: float
    """Seconds in line."""


class Refuse(msgspec.Struct, frozen=True):
    """Tell this call that it may not."""

    ticket: int
    fault: Fault


class Wake(msgspec.Struct, frozen=True, gc=False):
    """Come back at this time."""

    at: float


AdmissionOrder: TypeAlias = Grant | Refuse | Wake


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The state."""

    limiter: Limiter = Limiter()
    queue: Queue = Queue()
    cooldown: Cooldown = Cooldown()


def advance(admission: Admission, event: AdmissionEvent, now: float) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    """Take in an event and say who may send."""
    match event:
        case Arrived():
            return _on_arrival(admission, event, now)
        case GaveUp(ticket):
            queue, _ = waiting.leave(admission.queue, ticket)
            return _serve(replace(admission, queue=queue), now)
        case Finished():
            return _serve(_on_finish(admission, event, now), now)
        case Unsent(permit):
            return _serve(replace(admission, limiter=limiting.withdraw(admission.limiter, permit, now)), now)
        case Woken():
            return _serve(admission, now)
        case _:
            assert_never(event)


def _on_arrival(admission: Admission, event: Arrived, now: float) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    admission, orders = _serve(admission, now)
    loan = admission.limiter.loan
    if loan is not None and loan.refusal is not None:
        return admission, (*orders, Refuse(event.ticket, _build_loss_fault(admission, loan.refusal)))
    cool = cooling.compute_time_left(admission.cooldown, now)
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
    limiter = limiting.adopt(admission.limiter, event.permit, event.reported, now)
    used = event.used
    if used is None and event.fault is not None and not event.fault.maybe_billed:
        used = 0  # what failed unbilled took no tokens
    return replace(
        admission,
        limiter=limiting.give_back(limiter, event.permit, used, now),
        cooldown=cooling.record_fault(admission.cooldown, event.fault, now),
    )


def _serve(admission: Admission, now: float) -> tuple[Admission, tuple[AdmissionOrder, ...]]:
    """Everything that can be decided now, and when to look again."""
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
        for in_vain in [entry for entry in queue.entries if entry.until <= now + cool]:
            queue, _ = waiting.leave(queue, in_vain.ticket)
            orders.append(Refuse(in_vain.ticket, _build_cooling_fault(admission, now)))
    limiter, room_at = admission.limiter, now + cool
    while cool == 0 and (first := waiting.find_head(queue)) is not None:
        limiter, answer = limiting.take(limiter, first.tokens, now)
        if isinstance(answer, Full):
            room_at = math.inf if answer.retry_after is None else now + answer.retry_after
            if limiter.under_way or answer.retry_after is None or room_at < first.until:
                break
            queue, _ = waiting.leave(queue, first.ticket)
            orders.append(Refuse(first.ticket, _build_queue_full(queue, answer.retry_after)))
            continue
        queue, _ = waiting.leave(queue, first.ticket)
        orders.append(Grant(first.ticket, answer, now - first.joined))
    at = min(room_at, waiting.find_next_overdue(queue), _compute_lease_end(limiter)) if queue.entries else math.inf
    if at < math.inf:
        orders.append(Wake(at))
    return replace(admission, queue=queue, limiter=limiter), tuple(orders)


def _compute_lease_end(limiter: Limiter) -> float:
    """When the oldest permit that is out would be given up."""
    return limiter.under_way[0].issued + limiter.limits.lease if limiter.under_way else math.inf


def _build_queue_full(queue: Queue, seconds: float) -> Fault:
    message = f"no room under the rate limit for {seconds:.3g} s more"
    return RateLimited(provider=queue.provider, model=queue.model, message=message, retry_after=seconds)


def _build_loss_fault(admission: Admission, why: str) -> Fault:
    queue = admission.queue
    return ConnectionFailed(provider=queue.provider, model=queue.model, message=why, phase="pool", retry_after=1.0)


def _build_cooling_fault(admission: Admission, now: float) -> Fault:
    return cooling.build_refusal(admission.cooldown, admission.queue.provider, admission.queue.model, now)
