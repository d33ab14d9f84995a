"""How many rows are asked at a time: grow while the vendor answers, shrink when it pushes back.

Rules of the machine.

The limit starts at `start` and moves between `least` and `most`. While growing fast, every success adds one row, so the
limit doubles once per round of answers. The first sign of pressure (a rate limit, an overload, an open circuit) ends the
fast growth and multiplies the limit by `shrink`; from then on a whole round of successes adds one row. Signs that come
within one round of the last reduction belong to rows that were sent before it, and change nothing: rows are numbered as
they start, and a reduction remembers the number of the latest. `now` is not needed: the machine counts rows.
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
    """The state of the machine."""

    policy: ConcurrencyPolicy
    limit: float
    is_fast: bool = True
    started: int = 0
    """Rows started; the number of the next one."""
    reduced_at: int = -1
    """Number of the latest row at the last reduction."""


def begin_concurrency(policy: ConcurrencyPolicy) -> Concurrency:
    """The state before the first row."""
    return Concurrency(policy=policy, limit=float(max(policy.least, min(policy.start, policy.most))))


def start_row(state: Concurrency) -> tuple[Concurrency, int]:
    """Number a row that is about to be asked."""
    return replace(state, started=state.started + 1), state.started


def end_row(state: Concurrency, number: int, *, under_pressure: bool) -> Concurrency:
    """Take in how a row ended. `under_pressure`: the vendor limited, refused or was out of reach on the way."""
    policy = state.policy
    if not under_pressure:
        step = 1.0 if state.is_fast else 1.0 / state.limit
        return replace(state, limit=min(float(policy.most), state.limit + step))
    if number <= state.reduced_at:
        return state
    limit = max(float(policy.least), state.limit * policy.shrink)
    return replace(state, limit=limit, is_fast=False, reduced_at=state.started - 1)


def count_allowed_rows(state: Concurrency) -> int:
    """Rows that may be in flight now."""
    return int(state.limit)
