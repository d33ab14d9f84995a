"""The queue of calls that wait for the rate limit of one key: ordered by priority, with ageing against starvation.

Rules of the machine.

Entries are ordered by rank, then priority, then arrival; nothing else of a call is compared. The rank is the arrival
time plus `ageing` seconds for each level below CRITICAL: only calls of a higher priority that arrive within that time
overtake a call, so that under constant CRITICAL load a BATCH call waits for four times `ageing` at most. With
`ageing=None` the priority is strict.

The head is always served first: smaller requests do not overtake a large one at the head.

The queue holds `max_size` entries; further calls get QueueFull. No call waits for longer than `max_wait` (TimedOut) or
beyond its own deadline (DeadlineExceeded). An entry is removed at once when its call is granted a permit or cancelled.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from enum import IntEnum
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import DeadlineExceeded, Fault, QueueFull, TimedOut


class Priority(IntEnum):
    """How urgent a call is; lower is sooner."""

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3
    BATCH = 4


EntryState: TypeAlias = Literal["arriving", "waiting", "granted", "cancelled", "refused"]

TRANSITIONS: Mapping[tuple[EntryState, str], EntryState] = {
    ("arriving", "queue_has_room"): "waiting",
    ("arriving", "queue_full"): "refused",
    ("waiting", "permit_granted"): "granted",
    ("waiting", "cancelled"): "cancelled",
    ("waiting", "wait_expired"): "refused",
}
"""All transitions of one entry."""


class QueuePolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The limits of the queue. Times in seconds."""

    max_size: int = 1000
    max_wait: float = 300.0
    ageing: float | None = 30.0
    """Waiting time that makes up for one priority level; None disables ageing."""


class QueueEntry(msgspec.Struct, frozen=True, gc=False):
    """One waiting call."""

    rank: float
    priority: Priority
    serial: int
    """Arrival number."""
    ticket: int
    """Identifier of the call."""
    joined: float
    until: float
    """Time at which the call stops waiting."""
    tokens: int
    """Estimated tokens, for the rate limit."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The state."""

    policy: QueuePolicy = QueuePolicy()
    entries: tuple[QueueEntry, ...] = ()
    """In the order in which they are served."""
    arrivals: int = 0
    provider: str = ""
    model: str | None = None


def join(
    queue: Queue, ticket: int, priority: Priority, tokens: int, now: float, deadline: float = math.inf
) -> tuple[Queue, QueueEntry | QueueFull]:
    """Add a call at `now`; it waits until `deadline` at most."""
    if len(queue.entries) >= queue.policy.max_size:
        full = f"the queue of the rate limit is full ({queue.policy.max_size} calls)"
        return queue, QueueFull(provider=queue.provider, model=queue.model, message=full)
    ageing = queue.policy.ageing
    entry = QueueEntry(
        rank=float(priority) if ageing is None else now + ageing * priority,
        priority=priority,
        serial=queue.arrivals,
        ticket=ticket,
        joined=now,
        until=min(now + queue.policy.max_wait, deadline),
        tokens=tokens,
    )
    index = bisect_left(queue.entries, _make_sort_key(entry), key=_make_sort_key)
    entries = (*queue.entries[:index], entry, *queue.entries[index:])
    return replace(queue, entries=entries, arrivals=queue.arrivals + 1), entry


def find_head(queue: Queue) -> QueueEntry | None:
    """Return the entry that is served next."""
    return queue.entries[0] if queue.entries else None


def leave(queue: Queue, ticket: int) -> tuple[Queue, QueueEntry | None]:
    """Remove the entry with this ticket, if there is one."""
    for index, entry in enumerate(queue.entries):
        if entry.ticket == ticket:
            return replace(queue, entries=queue.entries[:index] + queue.entries[index + 1 :]), entry
    return queue, None


def drop_overdue(queue: Queue, now: float) -> tuple[Queue, tuple[tuple[QueueEntry, Fault], ...]]:
    """Remove the entries whose wait has expired, each with its fault."""
    late = tuple((entry, _build_late_fault(queue, entry)) for entry in queue.entries if entry.until <= now)
    if not late:
        return queue, ()
    return replace(queue, entries=tuple(entry for entry in queue.entries if entry.until > now)), late


def find_next_overdue(queue: Queue) -> float:
    """Return the time at which the next entry expires; infinite for an empty queue."""
    return min((entry.until for entry in queue.entries), default=math.inf)


def _make_sort_key(entry: QueueEntry) -> tuple[float, int, int]:
    return (entry.rank, entry.priority, entry.serial)


def _build_late_fault(queue: Queue, entry: QueueEntry) -> Fault:
    seconds = max(0.0, entry.until - entry.joined)
    if seconds < queue.policy.max_wait:
        return DeadlineExceeded(
            provider=queue.provider,
            model=queue.model,
            message="the deadline passed in the queue of the rate limit",
            seconds=seconds,
        )
    return TimedOut(
        provider=queue.provider,
        model=queue.model,
        message=f"waited {seconds:g} s in the queue of the rate limit",
        phase="pool",
        seconds=seconds,
    )
