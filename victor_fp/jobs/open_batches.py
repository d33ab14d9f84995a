"""The batches of a job at the vendor: they are polled, and their results are recorded when they end.

A batch is stored in the ledger before it is submitted, and with its handle afterwards: if a run ends in between, the next
one searches the batch at the vendor.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from time import time
from typing import Any, Concatenate, ParamSpec, assert_never

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.decisions import LeaveOpen, SendAgain, decide_result
from victor_fp.core.batching.polling import compute_poll_delay, find_lost, is_overdue
from victor_fp.core.batching.types import (
    NO_CONTEXT,
    BatchHandle,
    BatchResult,
    BatchStatus,
    ItemContext,
    decode_handle,
    encode_handle,
)
from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, can_retry
from victor_fp.core.jobs.decisions import Finish, StopJob
from victor_fp.core.jobs.rows import decode_row
from victor_fp.core.protocols.batches.encoding import encode_row as encode_item
from victor_fp.core.resilience.budget import Amount
from victor_fp.core.result import outcome
from victor_fp.jobs.job import Job
from victor_fp.shell.engine.batches import DELETED_STATUSES, MAX_LISTED, BatchClient
from victor_fp.shell.ledger.batches import (
    StoredBatch,
    SubmittedRow,
    close_batch,
    list_batch_rows,
    list_unread_rows,
    open_batches,
    set_handle,
    withdraw_batch,
)

P = ParamSpec("P")

MAX_OPEN = 16
"""Maximum number of open batches at the vendor."""
RECORD_CHUNK = 256
"""Number of results that are recorded in one transaction."""


class SubmittedBatch(msgspec.Struct):
    """A batch whose results have not been read."""

    number: int
    """Its number in the ledger."""
    handle: BatchHandle
    submitted: float
    """In the runtime's clock."""
    next_check: float
    expires: float | None = None
    """Expiry of its results, as stored in the ledger."""
    is_undecodable: bool = False
    """Whether its results could not be decoded when they were read last."""
    is_unknown: bool = False
    """Whether it has been in an unknown state."""


class OpenBatches:
    """The open batches of a job, and the budget that is reserved for their rows."""

    def __init__(self, job: Job[Any], client: BatchClient, options: Mapping[str, Any], *, then_live: bool) -> None:
        self.problems: dict[str, int] = {}
        """Counts of results and batches with a problem, by its name."""
        self.reserved: dict[str, Amount] = {}
        """Amounts by the keys of rows that are not settled."""
        self._job = job
        self._client = client
        self._options = options
        self._then_live = then_live
        self._open: dict[int, SubmittedBatch] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether no more batches may be submitted."""
        return len(self._open) >= MAX_OPEN

    def report_problem(self, problem: str, count: int = 1) -> None:
        """Count a problem."""
        self.problems[problem] = self.problems.get(problem, 0) + count

    def settle(self, key: str, result: BatchResult | None) -> None:
        """Settle the cost of a row; it is zero without a response."""
        amount = self.reserved.pop(key, None)
        spending = self._job.spending
        if amount is None or spending is None:
            return
        is_answered = result is not None and result.end == "answered"
        end = result.result if result is not None and is_answered else Failure(InvalidRequest())
        spending.settle(amount, "", end)

    def settle_rest(self, unsent: Container[str]) -> None:
        """Settle the rows without a result at the end of a run: those of batches may be billed, those by these keys are not."""
        for key in tuple(self.reserved):
            if key in unsent or self._job.spending is None:
                self.settle(key, None)
            else:
                self._job.spending.settle(self.reserved.pop(key), "", None)

    async def write(
        self, function: Callable[Concatenate[sqlite3.Connection, P], object], *args: P.args, **kwargs: P.kwargs
    ) -> bool:
        """Write to the ledger. If that fails the job stops, and batches are left to the next run."""
        match outcome(await self._job.ledger.call(function, *args, **kwargs)):
            case Success():
                return True
            case Failure(fault):
                self._abandon(fault)
                return False

    def _abandon(self, fault: Fault) -> None:
        """Stop the job, and leave the batches to the next run."""
        self._job.stop("", fault)
        self._open.clear()

    async def add(self, number: int, handle: BatchHandle) -> None:
        """Add a batch that was submitted, and store its handle under its number in the ledger."""
        hours = self._client.batch.support.limits.results_hours
        expires = None if hours is None or not handle.id else time() + hours * 3600.0
        if await self.write(set_handle, number, encode_handle(handle), expires):
            now = self._job.runtime.now()
            self._open[number] = SubmittedBatch(number, handle, now, now + compute_poll_delay(0.0), expires)

    async def restore(self) -> Fault | None:
        """Restore the batches of earlier runs."""
        ledger, now = self._job.ledger, self._job.runtime.now()
        match outcome(await ledger.call(open_batches)):
            case Failure(fault):
                return fault
            case Success(stored):
                pass
        known = {decode_handle(one.handle).map(lambda handle: handle.id).value_or("") for one in stored if one.handle}
        for one in stored:
            restored: Result[BatchHandle | None, Fault] = (
                await self._find_lost(one, known) if one.handle is None else decode_handle(one.handle)
            )
            handle: BatchHandle | None
            match outcome(restored):
                case Failure(fault):
                    return fault
                case Success(found):
                    handle = found
            if handle is None:
                match outcome(await ledger.call(withdraw_batch, one.number)):
                    case Failure(fault):
                        return fault
                    case Success():
                        continue
            known.add(handle.id)
            handle = msgspec.structs.replace(handle, submitted_at=handle.submitted_at or one.created)
            if handle.provider != self._job.provider.name:
                message = f"the ledger has an open batch of {handle.provider}, not of {self._job.provider.name}"
                return InvalidRequest(provider=self._job.provider.name, message=message)
            self._open[one.number] = SubmittedBatch(one.number, handle, now, now, one.results_expire)
        return None

    async def _find_lost(self, stored: StoredBatch, known: set[str]) -> Result[BatchHandle | None, Fault]:
        """Search the batch that an earlier run was submitting when it ended."""
        ledger = self._job.ledger
        match outcome(await self._client.list_statuses(limit=MAX_LISTED)):
            case Failure(fault):
                return Failure(fault)
            case Success(statuses):
                pass
        match outcome(await ledger.call(list_unread_rows, stored.number)):
            case Failure(fault):
                return Failure(fault)
            case Success(rows):
                pass
        found = find_lost(
            statuses,
            token=stored.token,
            stores_token=self._client.batch.stores_token,
            created=stored.created,
            count=len(rows),
            known=known,
        )
        if len(found) > 1:
            message = (
                f"a batch of {len(rows)} rows was being submitted when an earlier run ended, and {len(found)} batches at "
                "the vendor match it; cancel the others to continue"
            )
            return Failure(InvalidRequest(provider=self._job.provider.name, message=message))
        if not found:
            return Success(None)
        handle = msgspec.structs.replace(found[0], token=stored.token, count=len(rows))
        return (await ledger.call(set_handle, stored.number, encode_handle(handle), None)).map(lambda _: handle)

    async def check_next(self) -> None:
        """Wait for the next check of a batch; collect its results if it has ended."""
        runtime = self._job.runtime
        batch = min(self._open.values(), key=lambda one: one.next_check)
        await runtime.sleep(max(0.0, batch.next_check - runtime.now()))
        seen = await self._client.status(batch.handle)
        match outcome(seen):
            case Success(status) if not status.is_final and not is_overdue(status, time()):
                if status.state == "unknown" and not batch.is_unknown:
                    batch.is_unknown = True
                    self.report_problem("unknown_state")
                if not await self._record_expiry(batch, status):
                    return
            case Success(status):
                await self._collect(batch, status)
                return
            case Failure(fault):
                if fault.status in DELETED_STATUSES:
                    await self._collect(batch, None)
                    return
                if not can_retry(fault):
                    self._abandon(fault)
                    return
        self._delay_check(batch)

    def _delay_check(self, batch: SubmittedBatch) -> None:
        """Check a batch again, later."""
        now = self._job.runtime.now()
        batch.next_check = now + compute_poll_delay(now - batch.submitted)

    async def _record_expiry(self, batch: SubmittedBatch, status: BatchStatus) -> bool:
        """Store the expiry of the results once the vendor reports it; False if the ledger cannot be written."""
        expires = status.results_expire_at
        if expires is None or expires == batch.expires:
            return True
        batch.expires = expires
        return await self.write(set_handle, batch.number, encode_handle(batch.handle), expires)

    async def _collect(self, batch: SubmittedBatch, status: BatchStatus | None) -> None:
        """Read and record the results of an ended batch; rows to send again are queued.

        Results that cannot be decoded are read once more, if rows are missing; then they cost only their own rows.
        """
        job, ledger = self._job, self._job.ledger
        match outcome(await ledger.call(list_batch_rows, batch.number)):
            case Failure(fault):
                self._abandon(fault)
                return
            case Success((unread, finished)):
                rows = {row.key: row for row in unread}
        ended: list[tuple[SubmittedRow, BatchResult]] = []
        missing: list[tuple[SubmittedRow, BatchResult]] = []
        queued: list[str] = []
        problems: Counter[str] = Counter()
        failure: Fault | None = None
        expected = (*rows, *finished)
        by_key = dict(rows)
        results = self._client.read_results(batch.handle, expected, lambda key: self._find_context(by_key.get(key)))
        try:
            async for received in results:
                match outcome(received):
                    case Failure(fault):
                        failure = fault
                    case Success(result) if result.problem is not None and result.problem != "missing":
                        problems[result.problem] += 1
                    case Success(result):
                        row = rows.pop(result.key, None)
                        if row is None:  # finished: an earlier, interrupted collection has recorded it
                            continue
                        (ended if result.problem is None else missing).append((row, result))
                        if len(ended) >= RECORD_CHUNK:
                            queued += await self._record(ended, status)
                            ended = []
        finally:
            await results.aclose()
        queued += await self._record(ended, status)
        if failure is None and missing and problems["unreadable"] and not batch.is_undecodable:
            batch.is_undecodable = True
            self._delay_check(batch)
            return
        if failure is not None and not _are_results_lost(batch, failure):
            if can_retry(failure):
                batch.is_undecodable = isinstance(failure, InvalidResponse)
                self._delay_check(batch)
                return
            self._abandon(failure)
            return
        for problem, count in problems.items():
            self.report_problem(problem, count)
        lost = InvalidResponse(message=f"the results of batch {batch.handle.id} cannot be read", maybe_billed=True)
        missing += [
            (row, BatchResult(key=row.key, result=Failure(lost), end="missing", problem="missing"))
            for row in rows.values()
        ]
        queued += await self._record(missing, status)
        if job.is_unrecorded:
            self._open.clear()
            return
        if await self.write(close_batch, batch.number, queued):
            del self._open[batch.number]

    def _find_context(self, row: SubmittedRow | None) -> ItemContext:
        """Return the context of a row's request, rebuilt from the ledger."""
        if row is None:
            return NO_CONTEXT
        checked = decode_row(row.row, row.key, row.position, row.digest, self._options)
        item = checked.bind(partial(encode_item, self._client.batch, self._client.endpoint))
        return item.map(lambda found: found.context).value_or(NO_CONTEXT)

    async def _record(self, ends: Sequence[tuple[SubmittedRow, BatchResult]], status: BatchStatus | None) -> list[str]:
        """Record results of rows; return the keys of rows to queue, for this run or, if the job stops, for the next one."""
        job, queued, commits = self._job, [], []
        limits = self._client.batch.support.limits
        for row, result in ends:
            decision = decide_result(result, row.tries, job.settings.max_tries, then_live=self._then_live)
            self.settle(row.key, result if isinstance(decision, Finish) else None)
            match decision:
                case Finish(status=end):
                    commit = job.record(row.key, row.position, row.digest, result.result, end, row.tries, limits=limits)
                    commits.append(commit)
                case SendAgain():
                    queued.append(row.key)
                case StopJob(fault=fault):
                    queued.append(row.key)
                    if job.stopped is None:  # of a batch that failed as a whole, no row is named
                        job.stop("" if result.problem == "missing" else row.key, fault)
                case LeaveOpen():
                    pass
                case _:
                    assert_never(decision)
        await asyncio.gather(*commits)
        if status is not None and status.state == "cancelled":
            job.cancel(f"batch {status.handle.id} was cancelled; rows without a result remain unfinished")
        return queued


def _are_results_lost(batch: SubmittedBatch, fault: Fault) -> bool:
    """Return whether the results cannot be had any more: they are deleted, or were undecodable twice."""
    return fault.status in DELETED_STATUSES or (batch.is_undecodable and isinstance(fault, InvalidResponse))
