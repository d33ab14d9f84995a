"""How many rows are asked at a time: grow while the vendor answers, shrink when it pushes back.

Rules of the machine.

The limit starts at `start` and moves between `least` and `most`. While growing fast, every success adds one row, so the
limit doubles once per round of answers. The first sign of pressure (a rate limit, an overload, an open circuit) ends the
fast growth and multiplies the limit by `shrink`; from then on a whole round of successes adds one row. Signs that come
from rows which began before the last reduction change nothing: each row remembers how many reductions there had been when
it began. `now` is not needed: the machine counts rows.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class ConcurrencyPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bounds of the limit, in rows."""

    most: int = 32
    least: int = 1
    start: int = 8
    shrink: float = 0.7


class Concurrency(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of the machine. A row remembers the state's `reductions` at its start."""

    policy: ConcurrencyPolicy
    limit: float
    is_fast: bool = True
    reductions: int = 0


def begin_concurrency(policy: ConcurrencyPolicy) -> Concurrency:
    """The state before the first row."""
    return Concurrency(policy=policy, limit=float(max(policy.least, min(policy.start, policy.most))))


def end_row(state: Concurrency, reductions: int, *, under_pressure: bool) -> Concurrency:
    """Take in how a row ended that began after so many `reductions`.

    `under_pressure`: the vendor limited, refused or was out of reach on the way.
    """
    policy = state.policy
    if not under_pressure:
        if state.limit >= policy.most:
            return state
        step = 1.0 if state.is_fast else 1.0 / state.limit
        return replace(state, limit=min(float(policy.most), state.limit + step))
    if reductions < state.reductions:
        return state
    limit = max(float(policy.least), state.limit * policy.shrink)
    return replace(state, limit=limit, is_fast=False, reductions=state.reductions + 1)


def count_allowed_rows(state: Concurrency) -> int:
    """Rows that may be in flight now."""
    return int(state.limit)
