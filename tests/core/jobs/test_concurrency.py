"""The limit of rows in flight: growth, reductions, and a simulated vendor with a capacity."""

from __future__ import annotations

import random
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from victor_fp.core.jobs.concurrency import (
    Concurrency,
    ConcurrencyPolicy,
    begin_concurrency,
    count_allowed_rows,
    end_row,
)


def apply_signs(state: Concurrency, *signs: bool) -> Concurrency:
    for under_pressure in signs:
        state = end_row(state, state.reductions, under_pressure=under_pressure)
    return state


def test_successes_add_one_row_each_until_the_maximum() -> None:
    state = begin_concurrency(ConcurrencyPolicy(most=12, start=8))
    assert count_allowed_rows(state) == 8
    assert count_allowed_rows(apply_signs(state, False, False)) == 10
    assert count_allowed_rows(apply_signs(state, *[False] * 50)) == 12


def test_pressure_shrinks_the_limit_and_ends_the_fast_growth() -> None:
    state = apply_signs(begin_concurrency(ConcurrencyPolicy(most=100, start=20)), True)
    assert count_allowed_rows(state) == 14
    assert count_allowed_rows(apply_signs(state, *[False] * 13)) == 14
    assert count_allowed_rows(apply_signs(state, *[False] * 16)) == 15


def test_rows_that_began_before_a_reduction_do_not_shrink_the_limit_again() -> None:
    state = begin_concurrency(ConcurrencyPolicy(most=100, start=20))
    began = state.reductions
    for _ in range(20):
        state = end_row(state, began, under_pressure=True)
    assert count_allowed_rows(state) == 14
    assert count_allowed_rows(end_row(state, state.reductions, under_pressure=True)) == 9


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 64), st.integers(1, 64))
def test_the_limit_stays_within_its_bounds(signs: list[bool], most: int, start: int) -> None:
    state = begin_concurrency(ConcurrencyPolicy(most=most, start=start))
    for sign in signs:
        state = apply_signs(state, sign)
        assert 1 <= count_allowed_rows(state) <= most


def test_the_limit_settles_near_what_a_vendor_can_do() -> None:
    """A vendor that answers 20 rows at a time and turns away the rest."""
    capacity, luck = 20, random.Random(3)
    state = begin_concurrency(ConcurrencyPolicy(most=200, start=8))
    in_flight: deque[int] = deque()
    turned_away, seen = 0, []
    for step in range(20_000):
        while len(in_flight) < count_allowed_rows(state):
            in_flight.append(state.reductions)
        in_flight.rotate(luck.randrange(len(in_flight)))
        is_refused = len(in_flight) > capacity
        turned_away += is_refused
        state = end_row(state, in_flight.popleft(), under_pressure=is_refused)
        if step > 2000:
            seen.append(count_allowed_rows(state))
    assert min(seen) >= 12
    assert max(seen) <= capacity + 2
    assert turned_away < 2000
