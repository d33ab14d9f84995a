"""What becomes of a row: whether it is asked at all, and what follows from the way it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.faults import (
    AuthRejected,
    BudgetExceeded,
    CircuitOpen,
    CredentialMissing,
    Fault,
    InvalidRequest,
    LedgerFailed,
    PermissionRefused,
    ProviderNotFound,
    QuotaExhausted,
    can_retry,
)
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow

Status: TypeAlias = Literal["done", "failed", "retryable"]
"""Of a finished row: answered; failed for good; failed in a way that another run may mend."""

SHARED_FAULTS = (
    AuthRejected,
    BudgetExceeded,
    CredentialMissing,
    PermissionRefused,
    ProviderNotFound,
    QuotaExhausted,
)
"""Faults that every further row would meet as well, whatever process asks it."""


class AskRow(msgspec.Struct, frozen=True):
    """Ask this row."""

    row: CheckedRow


class Replay(msgspec.Struct, frozen=True):
    """The ledger has the row's result from an earlier run."""

    key: str
    status: Status
    body: bytes


class RefuseRow(msgspec.Struct, frozen=True):
    """The row is not asked and its result is this fault. `is_recorded` is False where the key belongs to another row."""

    key: str
    fault: Fault
    position: int
    is_recorded: bool = True


class Collect(msgspec.Struct, frozen=True):
    """The row is in a vendor's batch already, and its result will come from there."""

    key: str


Decision: TypeAlias = AskRow | Replay | RefuseRow | Collect


class RowRecord(msgspec.Struct, frozen=True, gc=False):
    """What the ledger knows of a key."""

    number: int
    """The row's number in the ledger."""
    digest: bytes
    """Empty where the row could not be read."""
    run: int
    """The run in which it finished."""
    status: Status | None = None
    """None where its result was forgotten."""
    body: bytes = b""
    is_submitted: bool = False
    """Whether the row is in a batch, or waits to be asked again after one."""


def decide_row(
    row: CheckedRow | RejectedRow, entry: RowRecord | None, *, is_repeated: bool, retry_failed: bool = False
) -> Decision:
    """What to do with a row that the input holds, given what the ledger knows of its key.

    `is_repeated`: the key was read before in this run. Such a row, and one that has changed since it was answered, is
    refused: one result cannot stand for two questions. A row that could not be read in an earlier run may have changed.
    """
    if is_repeated:
        return RefuseRow(
            row.key,
            _build_conflict_fault(f"key {row.key!r} occurs twice in the input"),
            row.position,
            is_recorded=False,
        )
    if isinstance(row, RejectedRow):
        return RefuseRow(row.key, row.fault, row.position, is_recorded=entry is None or not entry.digest)
    if entry is None or not entry.digest:
        return AskRow(row)
    if entry.digest != row.digest:
        message = f"the row under key {row.key!r} has changed since an earlier run; use another key or another ledger"
        return RefuseRow(row.key, _build_conflict_fault(message), row.position, is_recorded=False)
    if entry.is_submitted:
        return Collect(row.key)
    match entry.status:
        case "done":
            return Replay(row.key, entry.status, entry.body)
        case "failed":
            return AskRow(row) if retry_failed else Replay(row.key, entry.status, entry.body)
        case "retryable" | None:
            return AskRow(row)


class Finish(msgspec.Struct, frozen=True):
    """The row is over with this status."""

    status: Status


class RetryRow(msgspec.Struct, frozen=True):
    """Ask the row once more after so many seconds."""

    seconds: float
    counts: bool = True
    """Whether this uses up one of the row's retries; waiting for an open circuit does not."""


class StopJob(msgspec.Struct, frozen=True):
    """Start no further row; this one stays open for the next run."""

    fault: Fault


RowOutcome: TypeAlias = Finish | RetryRow | StopJob


def decide_outcome(fault: Fault | None, tries: int, max_tries: int, luck: float) -> RowOutcome:
    """What follows from the end of a row's `tries`-th attempt. `luck` in [0, 1) spreads the pauses.

    The provider has made its own retries by then; these are for failures that outlast them.
    """
    if fault is None:
        return Finish("done")
    if isinstance(fault, (*SHARED_FAULTS, LedgerFailed)):
        return StopJob(fault)
    if isinstance(fault, CircuitOpen):
        return RetryRow(min(60.0, max(0.1, fault.retry_after or 1.0)) * (1.0 + 0.1 * luck), counts=False)
    if not can_retry(fault):
        return Finish("failed")
    if tries >= max_tries:
        return Finish("retryable")
    pause = fault.retry_after if fault.retry_after is not None else 2.0**tries
    return RetryRow(min(60.0, max(0.1, pause)) * (1.0 + 0.25 * luck))


def is_pressure(fault: Fault | None, statuses: Sequence[int | None]) -> bool:
    """Whether a row's end shows that the vendor wants less: its fault, or an attempt that was limited on the way."""
    if isinstance(fault, CircuitOpen) or (fault is not None and fault.status in (429, 503, 529)):
        return True
    return any(status in (429, 503, 529) for status in statuses)


def _build_conflict_fault(message: str) -> InvalidRequest:
    return InvalidRequest(message=message)
