"""Decisions about rows in batches, by the rules of live calls: whether a row is finished, sent again, or stops the job."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from victor_fp.core.batching.types import BatchResult
from victor_fp.core.faults import Fault, ModelNotFound, PermissionRefused, can_retry, is_shared_fault
from victor_fp.core.jobs.decisions import Finish, StopJob

BATCH_FAULTS = (PermissionRefused, ModelNotFound)
"""Faults that do not depend on the row, and that batches may have without live calls having them."""


class SendAgain(msgspec.Struct, frozen=True):
    """The row is queued for another batch, or for a live call."""


class LeaveOpen(msgspec.Struct, frozen=True):
    """The row has no result, since its batch was cancelled; it remains unfinished."""


ResultOutcome: TypeAlias = Finish | SendAgain | StopJob | LeaveOpen


def decide_result(result: BatchResult, tries: int, max_tries: int, *, then_live: bool) -> ResultOutcome:
    """Decide what follows the result of a row that was submitted `tries` times. `then_live`: queued rows are sent live.

    A fault that every row would have stops the job, and its row remains unfinished, as with live calls. A row that may have
    been billed is not sent again in this run, except live.
    """
    if result.end == "cancelled":
        return LeaveOpen()
    fault = result.result.swap().value_or(None)
    if fault is None:
        return Finish("done")
    if result.end in ("answered", "failed") and is_shared(fault, then_live=then_live):
        return StopJob(fault)
    if then_live and result.end != "answered" and (result.problem == "missing" or isinstance(fault, BATCH_FAULTS)):
        return SendAgain()
    if not (result.end in ("expired", "missing") or can_retry(fault)):
        return Finish("failed")
    if result.end in ("answered", "missing") or not (then_live or tries < max_tries):
        return Finish("retryable")
    return SendAgain()


def is_shared(fault: Fault, *, then_live: bool) -> bool:
    """Return whether all other rows would have the fault as well; if rows are sent live then, whether live calls would."""
    return is_shared_fault(fault) and not (then_live and isinstance(fault, BATCH_FAULTS))


def is_batch_refused(fault: Fault) -> bool:
    """Return whether the vendor has refused a batch permanently, for a reason that live calls may not have."""
    return fault.status is not None and not is_shared(fault, then_live=True) and not can_retry(fault)
