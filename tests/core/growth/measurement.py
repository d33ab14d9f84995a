"""How the work of a function grows with its input: calls are counted, and CPU time is compared within one run."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

Make: TypeAlias = Callable[[int], Callable[[], object]]
"""Makes the work for an input of a size; only the work is measured."""

STEPS = (1, 2, 4, 8)
MAX_CALLS_RATIO = 2.8
"""How many times more calls the last doubling adds than the one before: 2 in linear growth, 4 in square growth."""
MAX_TIME_RATIO = 24.0
"""Square growth would take 64 times the time, linear growth 8."""
LEAST_TIME = 0.004
"""Seconds of the smallest input from which on times are compared."""
LARGEST_TIME = 3.0
LARGEST_SIZE = 2_000_000
"""Work that is still not measurable then does not depend on the size."""


def count_calls(work: Callable[[], object]) -> int:
    """The calls of Python and C functions that the work makes."""
    calls = 0

    def on_event(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def check_calls_grow_linearly(make: Make, size: int) -> None:
    """Fail if twice the input needs far more than twice the calls."""
    make(size)()  # what is loaded or compiled once
    counts = [count_calls(make(size * step)) for step in STEPS]
    is_steep = counts[3] - counts[2] > MAX_CALLS_RATIO * max(counts[2] - counts[1], 0) + 1000
    assert not (is_steep and counts[3] > 1.5 * STEPS[-1] * counts[0]), f"calls for 1, 2, 4, 8 times {size}: {counts}"


def measure_time(work: Callable[[], object]) -> float:
    """CPU seconds of this process, the least of three runs."""
    found: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            start = time.process_time()
            work()
            found.append(time.process_time() - start)
            if found[-1] > LARGEST_TIME:
                break
    finally:
        gc.enable()
    return min(found)


def check_time_grows_linearly(make: Make, size: int, *, largest: int | None = None) -> None:
    """Fail if eight times the input needs far more than eight times the time, from a measurable size on.

    `largest` bounds that size, for inputs that are bounded themselves.
    """
    first = measure_time(make(size))
    while first < LEAST_TIME and 16 * size <= (LARGEST_SIZE if largest is None else largest):
        size *= 2
        first = measure_time(make(size))
    times = [first, *(measure_time(make(size * step)) for step in STEPS[1:])]
    assert times[-1] <= MAX_TIME_RATIO * max(first, LEAST_TIME / 4), (
        f"seconds for 1, 2, 4, 8 times {size}: {[round(each, 4) for each in times]}"
    )
