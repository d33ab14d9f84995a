"""Polling intervals of batches, and recovery of batches without a handle."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from victor_fp.core.batching.types import BatchHandle, BatchStatus

MIN_POLL_DELAY = 2.0
MAX_POLL_DELAY = 60.0
CLOCK_DRIFT = 120.0
"""Maximum number of seconds that the vendor's clock may be behind."""
END_GRACE = 3600.0
"""Seconds after its end for which a batch in an unknown state, or one whose expiry is not reported, may still change."""
MAX_AGE = 96 * 3600.0
"""Seconds after which a batch must have ended if its end is not known: 72 hours in a queue and 24 of work, which Vertex AI
documents, are the longest of the vendors that do not report the end."""


def compute_poll_delay(age: float) -> float:
    """Return the seconds until the next poll of a batch of this age: a tenth of its age, within bounds.

    >>> compute_poll_delay(0.0), compute_poll_delay(100.0), compute_poll_delay(86_400.0)
    (2.0, 10.0, 60.0)
    """
    return min(MAX_POLL_DELAY, max(MIN_POLL_DELAY, age / 10.0))


def is_overdue(status: BatchStatus, now: float) -> bool:
    """Return whether a batch is in an unknown state although it must have ended. `now` is in seconds since 1970.

    Its vendor may have a final state that is not known here. A batch whose end is not known ends `MAX_AGE` after it was created
    or submitted.
    """
    if status.state != "unknown":
        return False
    if status.ends_at is not None:
        return now > status.ends_at + END_GRACE
    began = status.created_at or status.handle.submitted_at
    return began is None or now > began + MAX_AGE + END_GRACE  # without a time, it is not waited for


def end_expired(status: BatchStatus, now: float) -> BatchStatus:
    """Return the status of a batch that has expired silently with a final state; another one unchanged.

    A batch that was being cancelled is cancelled, another one expired: its pending requests are not processed any more.
    """
    if not status.expires_silently or status.state not in ("pending", "running", "cancelling"):
        return status
    if status.ends_at is None or now <= status.ends_at + END_GRACE:
        return status
    return msgspec.structs.replace(status, state="cancelled" if status.state == "cancelling" else "expired")


def find_lost(
    statuses: Iterable[BatchStatus],
    *,
    token: str,
    stores_token: bool,
    created: float,
    count: int,
    known: Collection[str],
) -> tuple[BatchHandle, ...]:
    """Return the batches that may be the one submitted with this token at this time; empty if it was not created.

    If the vendor stores the token, the match is exact. Otherwise, batches match that are not in `known`, are not older, and have
    the same number of requests, if reported.
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
