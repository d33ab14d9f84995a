"""Decisions about rows: whether a row is processed, and what follows its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.faults import (
    CircuitOpen,
    Fault,
    InvalidRequest,
    LedgerFailed,
    can_retry,
    is_shared_fault,
)
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow

Status: TypeAlias = Literal["done", "failed", "retryable"]
"""Status of a finished row: successful, failed permanently, or failed and retryable in another run."""


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """Process this row."""

    row: CheckedRow


class Replay(msgspec.Struct, frozen=True):
    """The ledger has the row's result from an earlier run."""

    key: str
    status: Status
    body: bytes
    cost: float | None = None
    """The recorded cost, in US dollars; None if unknown."""


class RefuseRow(msgspec.Struct, frozen=True):
    """The row is rejected with this fault. `is_recorded` is False if the key belongs to another row."""

    key: str
    fault: Fault
    position: int
    is_recorded: bool = True


class Collect(msgspec.Struct, frozen=True):
    """The row is already in a vendor's batch, which returns its result."""

    key: str


Decision: TypeAlias = RunRow | Replay | RefuseRow | Collect


class RowRecord(msgspec.Struct, frozen=True, gc=False):
    """The entry of a key in the ledger."""

    number: int
    """The row's number in the ledger."""
    digest: bytes
    """Empty if the row could not be read."""
    run: int
    """The run in which it finished."""
    status: Status | None = None
    """None if its result was deleted."""
    body: bytes = b""
    is_submitted: bool = False
    """Whether the row is in a batch, or queued for a retry after one."""
    cost: float | None = None
    """The recorded cost, in US dollars; None if unknown."""
    position: int = 0
    """Its position in the input of the run in which it was read last."""


def decide_row(
    row: CheckedRow | RejectedRow, entry: RowRecord | None, *, is_repeated: bool, retry_failed: bool = False
) -> Decision:
    """Decide what to do with a row of the input, given the ledger's entry for its key.

    `is_repeated`: the key was read before in this run. Such a row, and one that has changed since its key got a result or was
    submitted, is rejected: a result belongs to one request. A row that has no result, or whose failure is retried, may have
    changed.
    """
    if is_repeated:
        return RefuseRow(
            row.key,
            _build_conflict_fault(f"key {row.key!r} occurs twice in the input"),
            row.position,
            is_recorded=False,
        )
    if entry is None or not _is_taken(entry, retry_failed=retry_failed):
        return RefuseRow(row.key, row.fault, row.position) if type(row) is RejectedRow else RunRow(row)
    if type(row) is RejectedRow:
        return RefuseRow(row.key, row.fault, row.position, is_recorded=False)
    if entry.digest != row.digest:
        since = "an earlier run; use another key or another ledger"
        if entry.status == "failed":
            since = "it failed; retry failed rows, or use another key"
        message = f"the row under key {row.key!r} has changed since {since}"
        return RefuseRow(row.key, _build_conflict_fault(message), row.position, is_recorded=False)
    if entry.status is None or entry.is_submitted:
        return Collect(row.key)
    return Replay(row.key, entry.status, entry.body, entry.cost)


def _is_taken(entry: RowRecord, *, retry_failed: bool) -> bool:
    """Return whether a key has a result that is kept, or is in a batch. A row that could not be read has no digest."""
    is_failed = entry.status == "failed" and bool(entry.digest) and not retry_failed
    return entry.is_submitted or entry.status == "done" or is_failed


class Finish(msgspec.Struct, frozen=True):
    """The row is finished with this status."""

    status: Status


class RetryRow(msgspec.Struct, frozen=True):
    """Retry the row after a delay in seconds."""

    seconds: float
    counts: bool = True
    """Whether this counts as one of the row's retries; waiting for an open circuit does not."""


class StopJob(msgspec.Struct, frozen=True):
    """Start no more rows; this one remains unfinished."""

    fault: Fault


RowOutcome: TypeAlias = Finish | RetryRow | StopJob


def decide_outcome(fault: Fault | None, attempts: int, max_tries: int, random: float) -> RowOutcome:
    """Decide what follows the end of a row's `attempts`-th attempt. `random` in [0, 1) adds jitter to delays.

    The provider has already made its own retries; these are for longer failures.
    """
    if fault is None:
        return Finish("done")
    if is_shared_fault(fault) or isinstance(fault, LedgerFailed):
        return StopJob(fault)
    if isinstance(fault, CircuitOpen):
        return RetryRow(min(60.0, max(0.1, fault.retry_after or 1.0)) * (1.0 + 0.1 * random), counts=False)
    if not can_retry(fault):
        return Finish("failed")
    if attempts >= max_tries:
        return Finish("retryable")
    pause = fault.retry_after if fault.retry_after is not None else 2.0**attempts
    return RetryRow(min(60.0, max(0.1, pause)) * (1.0 + 0.25 * random))


def is_pressure(fault: Fault | None, statuses: Sequence[int | None]) -> bool:
    """Return whether the outcome of a row indicates pressure: its fault, or the status of an attempt."""
    if isinstance(fault, CircuitOpen) or (fault is not None and fault.status in (429, 503, 529)):
        return True
    return any(status in (429, 503, 529) for status in statuses)


def _build_conflict_fault(message: str) -> InvalidRequest:
    return InvalidRequest(message=message)
