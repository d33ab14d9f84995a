"""The queue of one key: by priority, first come first served within one, and nobody starves.

Rules of the machine.

Entries stand in the order of their rank, then their priority, then their arrival; what waits is never compared. The rank
is the arrival time plus `ageing` seconds for each level below CRITICAL: a call is overtaken by higher ones only as long
as they come within that time after it, so that under a flood of CRITICAL calls a BATCH call waits four times `ageing`
and no longer. With `ageing=None` priority is strict.

The head is served first, always: a large request at the head is not passed by smaller ones behind it.

The queue holds `max_size` entries; a call after that gets QueueFull. No call waits longer than `max_wait` (TimedOut) or
past the call's own deadline (DeadlineExceeded). A call that leaves, by grant or by cancellation, is removed at once.
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


Standing: TypeAlias = Literal["arriving", "waiting", "granted", "gone", "refused"]

TRANSITIONS: Mapping[tuple[Standing, str], Standing] = {
    ("arriving", "has_room"): "waiting",
    ("arriving", "queue_full"): "refused",
    ("waiting", "head_and_permit"): "granted",
    ("waiting", "cancelled"): "gone",
    ("waiting", "time_over"): "refused",
}
"""What becomes of one entry."""


class QueuePolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many and how long. Times in seconds."""

    max_size: int = 1000
    max_wait: float = 300.0
    ageing: float | None = 30.0
    """By how much a level's difference is made up for by waiting; None is never."""


class QueueEntry(msgspec.Struct, frozen=True, gc=False):
    """One call that waits."""

    rank: float
    priority: Priority
    serial: int
    """Arrival number."""
    ticket: int
    """The caller's name for it."""
    joined: float
    until: float
    """When it stops waiting."""
    tokens: int
    """Estimate for the rate limit."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The state."""

    policy: QueuePolicy = QueuePolicy()
    entries: tuple[QueueEntry, ...] = ()
    """First to be served first."""
    arrivals: int = 0
    provider: str = ""
    model: str | None = None


def join(
    queue: Queue, ticket: int, priority: Priority, tokens: int, now: float, deadline: float = math.inf
) -> tuple[Queue, QueueEntry | QueueFull]:
    """Wait in the queue from `now`, at most until `deadline`."""
    if len(queue.entries) >= queue.policy.max_size:
        full = f"the queue is full ({queue.policy.max_size} calls)"
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
    place = bisect_left(queue.entries, _make_sort_key(entry), key=_make_sort_key)
    entries = (*queue.entries[:place], entry, *queue.entries[place:])
    return replace(queue, entries=entries, arrivals=queue.arrivals + 1), entry


def find_head(queue: Queue) -> QueueEntry | None:
    """Who is next."""
    return queue.entries[0] if queue.entries else None


def leave(queue: Queue, ticket: int) -> tuple[Queue, QueueEntry | None]:
    """Take the entry with this ticket out, if it is there."""
    for place, entry in enumerate(queue.entries):
        if entry.ticket == ticket:
            return replace(queue, entries=queue.entries[:place] + queue.entries[place + 1 :]), entry
    return queue, None


def drop_overdue(queue: Queue, now: float) -> tuple[Queue, tuple[tuple[QueueEntry, Fault], ...]]:
    """Take out who has waited too long, each with the fault that tells it."""
    late = tuple((entry, _build_late_fault(queue, entry)) for entry in queue.entries if entry.until <= now)
    if not late:
        return queue, ()
    return replace(queue, entries=tuple(entry for entry in queue.entries if entry.until > now)), late


def find_next_overdue(queue: Queue) -> float:
    """When the first of those in line stops waiting; infinite where there is none."""
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
        message=f"waited {seconds:g} s for room under the rate limit",
        phase="pool",
        seconds=seconds,
    )
