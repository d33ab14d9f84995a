"""Traces of shared limits: each state of pool, leases and loans along eight short histories, as snapshots.

The laws in test_lease.py say what must never happen; a change of what does happen is a difference here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.resilience.rendering import render
from tests.core.resilience.simulation.shared_limit import BEGIN, Process, SharedLimit
from victor_fp.core.resilience import lease as leasing
from victor_fp.core.resilience.rate_limit import Limits

RATE = Limits(requests_per_minute=240)
ALL = Limits(requests_per_minute=600, tokens_per_minute=40_000, concurrency=5)


def describe(process: Process) -> str:
    admission = process.admission
    counts = f"sent {len(process.sent)}, in flight {process.in_flight}, waiting {len(admission.queue.entries)}"
    refused = f", refused {process.refused[-1][1].message}" if process.refused else ""
    return (
        f"{process.name}: {counts}{refused} | {render(process.lease, BEGIN)} | {render(admission.limiter.loan, BEGIN)}"
    )


def trace(world: SharedLimit, *, steps: int = 8, seconds: float = 0.75) -> list[str]:
    lines: list[str] = []
    for _ in range(steps):
        world.run(seconds)
        lines += [f"{world.now - BEGIN:.2f} {render(world.pool, BEGIN)}", *map(describe, world.processes)]
    return lines


def drop_connection(world: SharedLimit) -> list[str]:
    world.run(4)
    world.lost_until = world.now + 3
    return trace(world)


def limit_process(world: SharedLimit) -> list[str]:
    world.run(2)
    world.limit(next(process for process in world.processes if process.admission.limiter.under_way), 2.5)
    return trace(world, steps=6)


def drop_pool(world: SharedLimit) -> list[str]:
    world.run(3)
    world.pool = None
    return trace(world, steps=6)


def kill(world: SharedLimit) -> list[str]:
    world.run(3)
    world.processes[1].is_dead = True
    return trace(world, seconds=1.5)


def stop_others(world: SharedLimit) -> list[str]:
    world.run(2)
    for process in world.processes[1:]:
        process.pause = 1e9
    return trace(world)


HISTORIES: dict[str, tuple[Callable[[], SharedLimit], Callable[[SharedLimit], list[str]]]] = {
    "a rate for three": (lambda: SharedLimit(RATE, processes=3, tasks=4), trace),
    "all limits": (lambda: SharedLimit(ALL, processes=2, tasks=4), trace),
    "fewer permits than processes": (lambda: SharedLimit(Limits(concurrency=2), processes=3, tasks=2), trace),
    "an outage": (lambda: SharedLimit(ALL, processes=2, tasks=3), drop_connection),
    "an outage that closes": (lambda: SharedLimit(ALL, processes=2, tasks=3, is_closed=True), drop_connection),
    "a cooldown": (lambda: SharedLimit(ALL, processes=2, tasks=3), limit_process),
    "an empty store": (lambda: SharedLimit(ALL, processes=2, tasks=3), drop_pool),
    "a killed process": (lambda: SharedLimit(ALL, processes=2, tasks=3), kill),
    "idle processes": (lambda: SharedLimit(RATE, processes=3, tasks=2), stop_others),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_trace(name: str, snapshot: SnapshotAssertion) -> None:
    make, go = HISTORIES[name]
    world = make()
    world.use = lambda: 30
    assert go(world) == snapshot


@pytest.mark.parametrize("limits", [RATE, ALL], ids=["rate", "all"])
def test_traces_of_returned_permits(limits: Limits, snapshot: SnapshotAssertion) -> None:
    world = SharedLimit(limits, processes=2, tasks=3)
    process = world.processes[0]
    unused = leasing.give_back(process.lease, process.admission, process.name, world.now)
    assert unused[2] is None
    world.run(2.1)
    lease, admission, borrow = leasing.give_back(process.lease, process.admission, process.name, world.now)
    assert [render(one, BEGIN) for one in (lease, admission.limiter.loan, borrow)] == snapshot
    again = leasing.give_back(lease, admission, process.name, world.now + 1)
    assert render(again[2], BEGIN) == snapshot
