"""How often a batch is looked at, and which batch of a list is the one whose handle was lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from victor_fp.core.batching.types import BatchHandle, BatchStatus

FIRST = 2.0
LONGEST = 60.0
CLOCK_DRIFT = 120.0
"""Seconds by which the vendor's clock may be behind ours."""


def compute_poll_delay(age: float) -> float:
    """Seconds until a batch is looked at again that was submitted so long ago: a tenth of its age, within bounds.

    >>> next_look(0.0), next_look(100.0), next_look(86_400.0)
    (2.0, 10.0, 60.0)
    """
    return min(LONGEST, max(FIRST, age / 10.0))


def find_lost(
    statuses: Iterable[BatchStatus],
    *,
    token: str,
    stores_token: bool,
    created: float,
    count: int,
    known: Collection[str],
) -> tuple[BatchHandle, ...]:
    """The batches that may be the one which was submitted with this token at this time; none where it was not created.

    Where the vendor keeps our mark the answer is sure. Elsewhere a batch counts that nobody else knows, that is not
    older, and that has as many requests, if its vendor tells.
    """
    if stores_token:
        return tuple(status.handle for status in statuses if status.handle.token == token)
    return tuple(
        status.handle
        for status in statuses
        if status.handle.id not in known
        and (status.created_at is None or status.created_at >= created - CLOCK_DRIFT)
        and status.counts.total in (None, count)
    )
