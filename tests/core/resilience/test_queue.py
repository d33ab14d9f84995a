"""The queue as a table of values, and its order as a law."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp.core.faults import DeadlineExceeded, QueueFull, TimedOut
from victor_fp.core.resilience.queue import (
    Priority,
    Queue,
    QueueEntry,
    QueuePolicy,
    drop_overdue,
    find_head,
    find_next_overdue,
    join,
    leave,
)


def join_queue(queue: Queue, ticket: int, priority: Priority, now: float = 0.0, deadline: float = math.inf) -> Queue:
    queue, entry = join(queue, ticket, priority, 0, now, deadline)
    assert isinstance(entry, QueueEntry)
    return queue


def list_order(queue: Queue) -> list[int]:
    """Tickets in the order in which they would be granted."""
    order: list[int] = []
    while (entry := find_head(queue)) is not None:
        order.append(entry.ticket)
        queue, _ = leave(queue, entry.ticket)
    return order


STRICT = Queue(policy=QueuePolicy(ageing=None))


def test_order_is_by_priority_then_arrival() -> None:
    queue = STRICT
    for ticket, priority in enumerate(
        [Priority.BATCH, Priority.NORMAL, Priority.CRITICAL, Priority.NORMAL, Priority.HIGH]
    ):
        queue = join_queue(queue, ticket, priority)
    assert list_order(queue) == [2, 4, 1, 3, 0]


def test_priority_values() -> None:
    assert [priority.name for priority in sorted(Priority)] == ["CRITICAL", "HIGH", "NORMAL", "LOW", "BATCH"]


def test_ageing_makes_up_for_one_level_in_thirty_seconds() -> None:
    queue = join_queue(Queue(), 0, Priority.NORMAL, now=0.0)
    queue = join_queue(queue, 1, Priority.HIGH, now=29.0)
    queue = join_queue(queue, 2, Priority.HIGH, now=31.0)
    assert list_order(queue) == [1, 0, 2]


def test_batch_call_is_not_starved_by_critical_calls() -> None:
    queue = join_queue(Queue(), 0, Priority.BATCH, now=0.0)
    for second in range(1, 200):
        queue = join_queue(queue, second, Priority.CRITICAL, now=float(second))
    assert list_order(queue).index(0) == 120


def test_without_ageing_priority_is_strict() -> None:
    queue = join_queue(join_queue(STRICT, 0, Priority.BATCH, now=0.0), 1, Priority.CRITICAL, now=1e9)
    assert list_order(queue) == [1, 0]


def test_equal_ranks_are_ordered_by_priority() -> None:
    queue = join_queue(join_queue(Queue(), 0, Priority.HIGH, now=0.0), 1, Priority.CRITICAL, now=30.0)
    assert list_order(queue) == [1, 0]


def test_simultaneous_entries_are_ordered_by_serial() -> None:
    queue = Queue()
    for ticket in [7, 3, 9, 1]:
        queue = join_queue(queue, ticket, Priority.NORMAL)
    assert list_order(queue) == [7, 3, 9, 1]


def test_full_queue_returns_queue_full() -> None:
    queue = join_queue(Queue(policy=QueuePolicy(max_size=1), provider="acme", model="m"), 0, Priority.BATCH)
    after, answer = join(queue, 1, Priority.CRITICAL, 0, 0.0)
    assert after == queue
    assert answer == QueueFull(provider="acme", model="m", message="the queue of the rate limit is full (1 calls)")


def test_cancelled_entry_is_removed_at_once() -> None:
    queue = join_queue(join_queue(Queue(), 0, Priority.NORMAL), 1, Priority.NORMAL)
    queue, entry = leave(queue, 0)
    assert entry is not None
    assert list_order(queue) == [1]
    assert leave(queue, 0) == (queue, None)


def test_entry_times_out_after_max_wait() -> None:
    queue = join_queue(
        Queue(policy=QueuePolicy(max_wait=10.0), provider="acme", model="m"), 0, Priority.NORMAL, now=5.0
    )
    assert find_next_overdue(queue) == 15.0
    assert drop_overdue(queue, 14.9) == (queue, ())
    queue, ((entry, fault),) = drop_overdue(queue, 15.0)
    assert entry.ticket == 0
    assert fault == TimedOut(
        provider="acme", model="m", message="waited 10 s in the queue of the rate limit", phase="pool", seconds=10.0
    )
    assert find_next_overdue(queue) == math.inf


@pytest.mark.parametrize(("deadline", "seconds"), [(8.0, 3.0), (5.5, 0.5), (4.0, 0.0)])
def test_deadline_in_the_queue_is_deadline_exceeded(deadline: float, seconds: float) -> None:
    queue = join_queue(Queue(provider="acme", model="m"), 0, Priority.NORMAL, now=5.0, deadline=deadline)
    _, ((_, fault),) = drop_overdue(queue, max(5.0, deadline))
    assert fault == DeadlineExceeded(
        provider="acme",
        model="m",
        message="the deadline passed in the queue of the rate limit",
        seconds=seconds,
    )


arrivals = st.lists(st.tuples(st.sampled_from(Priority), st.floats(0, 20)), max_size=30)


@settings(max_examples=scale_examples(100), deadline=None)
@given(arrivals=arrivals, ageing=st.none() | st.floats(0, 60))
def test_entries_do_not_overtake_equal_or_higher_priorities(
    arrivals: list[tuple[Priority, float]], ageing: float | None
) -> None:
    queue, now, came = Queue(policy=QueuePolicy(ageing=ageing)), 0.0, dict[int, tuple[Priority, float]]()
    for ticket, (priority, pause) in enumerate(arrivals):
        now += pause
        came[ticket] = (priority, now)
        queue = join_queue(queue, ticket, priority, now)
    order = list_order(queue)
    assert sorted(order) == sorted(came)
    for place, later in enumerate(order):
        for earlier in order[:place]:
            (first, at), (second, then) = came[earlier], came[later]
            if first == second:
                assert earlier < later
            elif first > second:
                assert ageing is not None
                assert then - at >= ageing * (first - second) - 1e-9
