"""Adaptive concurrency of a job: increases with successes, and is reduced under pressure.

Rules of the machine.

The limit starts at `start` and stays between `least` and `most`. During fast growth every success adds one row, so the
limit doubles with each round of responses. The first sign of pressure (a rate limit, an overload, an open circuit) ends
the fast growth and multiplies the limit by `shrink`; after that, a full round of successes adds one row. Pressure on
rows that started before the last reduction is ignored: each row stores the number of reductions at its start. Time is
not used: the machine counts rows.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class ConcurrencyPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Limits of the concurrency, in rows."""

    most: int = 32
    least: int = 1
    start: int = 8
    shrink: float = 0.7


class Concurrency(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of the machine. A row stores `reductions` at its start."""

    policy: ConcurrencyPolicy
    limit: float
    is_fast: bool = True
    reductions: int = 0


def begin_concurrency(policy: ConcurrencyPolicy) -> Concurrency:
    """Return the state before the first row."""
    return Concurrency(policy=policy, limit=float(max(policy.least, min(policy.start, policy.most))))


def end_row(state: Concurrency, reductions: int, *, under_pressure: bool) -> Concurrency:
    """Record the end of a row that started after `reductions` reductions.

    `under_pressure`: a rate limit, an overload or an unreachable server occurred.
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
    """Return the number of rows that may be in flight."""
    return int(state.limit)
