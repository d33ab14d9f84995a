"""The batch route: rows are submitted to the vendor's batch API, and results are collected when batches end.

A batch is stored in the ledger with its rows before it is submitted, and with its handle afterwards: if a run ends in
between, the next one searches the batch at the vendor. Memory use depends on the size of one batch, which is limited
here.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import time
from typing import Any, Concatenate, ParamSpec, assert_never
from uuid import uuid4

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.encoding import encode_row as encode_item
from victor_fp.core.batching.polling import compute_poll_delay, find_lost, is_overdue
from victor_fp.core.batching.splitting import Splitter
from victor_fp.core.batching.types import (
    NO_CONTEXT,
    BatchHandle,
    BatchItem,
    BatchResult,
    BatchStatus,
    ItemContext,
    decode_handle,
    encode_handle,
)
from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import (
    BudgetExceeded,
    Fault,
    InvalidRequest,
    InvalidResponse,
    LedgerFailed,
    PermissionRefused,
    can_retry,
)
from victor_fp.core.jobs.decisions import SHARED_FAULTS, Collect, Decision, RefuseRow, Replay, RunRow, Status
from victor_fp.core.jobs.rows import CheckedRow, decode_row, encode_row
from victor_fp.core.resilience.budget import Amount
from victor_fp.core.result import outcome
from victor_fp.jobs.job import Job
from victor_fp.jobs.live_route import LiveRoute
from victor_fp.jobs.row_reader import QueueReader, RowReader
from victor_fp.shell.engine.batches import MAX_LISTED, BatchClient
from victor_fp.shell.ledger.batches import (
    StoredBatch,
    SubmittedRow,
    add_batch,
    close_batch,
    drop_finished_rows,
    list_batch_rows,
    list_unread_rows,
    open_batches,
    set_handle,
    withdraw_batch,
)

P = ParamSpec("P")

MAX_OPEN = 16
"""Maximum number of open batches at the vendor."""
MAX_BYTES = 64_000_000
"""Maximum bytes of one batch, below most vendors' limits: it is held in memory while it is submitted."""
RECORD_CHUNK = 256
"""Number of results that are recorded in one transaction."""
MAX_SUBMISSIONS = 5
"""Maximum attempts to submit a batch after temporary failures."""
DELETED_STATUSES = frozenset({404, 410})
"""HTTP statuses for a batch or results that the vendor has deleted."""


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


class BatchRoute:
    """One task that submits, polls and collects; with `then_live`, unfinished rows are sent live at the end."""

    def __init__(
        self, job: Job[Any], client: BatchClient, rows: RowReader, options: Mapping[str, Any], *, then_live: bool
    ) -> None:
        self.error: BaseException | None = None
        """The exception of the source of rows."""
        self.problems: dict[str, int] = {}
        """Counts of results without a row (`unknown`), of duplicates (`doubled`), of batches that the vendor did not
        accept and whose rows are sent live (`refused`), and of batches in a state that is not known (`unknown_state`)."""
        self._job = job
        self._client = client
        self._rows = rows
        self._options = options
        self._then_live = then_live
        limits = client.batch.support.limits
        self._limits: BatchLimits = msgspec.structs.replace(limits, max_bytes=min(limits.max_bytes, MAX_BYTES))
        self._splitter = Splitter(self._limits)
        if job.spending is not None:
            job.spending.factor = limits.price_factor or 1.0
        self._waiting: dict[str, SubmittedRow] = {}
        """Rows in the splitter."""
        self._reserved: dict[str, Amount] = {}
        self._open: dict[int, SubmittedBatch] = {}
        self._task: asyncio.Task[None] | None = None
        self._live: LiveRoute | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is work left."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start the task."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._on_end)

    async def aclose(self) -> None:
        """Stop. Batches are not cancelled; the next run collects them."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._live is not None:
            await self._live.aclose()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = self.error or error
        self._job.wake()

    async def _run(self) -> None:
        job = self._job
        if (fault := await self._restore()) is not None:
            job.stop("", fault)
            return
        await self._submit_rows()
        while self._open:
            await self._check_next()
            if len(self._open) < MAX_OPEN:
                await self._submit_rows()
        if job.stopped is None:
            await self._retry_remaining()

    async def _restore(self) -> Fault | None:
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

    async def _submit_rows(self) -> None:
        """Read rows and submit batches, until enough are open or the input ends."""
        job = self._job
        while len(self._open) < MAX_OPEN:
            decision = await self._read_next()
            if decision is None:
                for batch in self._splitter.close():
                    await self._submit(batch)
                return
            match decision:
                case Replay():
                    job.replay(decision)
                case RefuseRow():
                    await job.refuse(decision)
                case Collect():
                    pass
                case RunRow(row=row):
                    await self._add(row)
                case _:
                    assert_never(decision)
            if job.is_full:
                await job.wait_for_room()

    async def _read_next(self) -> Decision | None:
        """Return the next decision; None at the end of the input."""
        reader = self._job.reader
        while reader.is_empty and not reader.is_exhausted:
            try:
                failed = await reader.fill(self._job.ledger)
            except Exception as error:  # raised by the caller's source; the rows before it are processed
                self.error = self.error or error
                reader.is_exhausted = True
                return None
            if failed is not None:
                self._job.stop(*failed)
        return reader.take()

    async def _add(self, row: CheckedRow) -> None:
        """Add a row to the batch that is being built."""
        job = self._job
        match outcome(encode_item(self._client.batch, job.provider.name, row)):
            case Failure(fault):
                await job.record(row.key, row.position, row.digest, Failure(fault), "failed", 0)
                return
            case Success(item):
                pass
        if job.spending is not None:
            match outcome(await job.spending.reserve(row, max_wait=0.0)):
                case Failure(fault):
                    job.stop(row.key, fault)
                    return
                case Success(amount):
                    self._reserved[row.key] = amount
        match outcome(self._splitter.add(item)):
            case Failure(fault):
                self._settle(row.key, None)
                await job.record(row.key, row.position, row.digest, Failure(fault), "failed", 0)
            case Success(full):
                self._waiting[row.key] = SubmittedRow(row.key, row.position, row.digest, 0, encode_row(row))
                if full:
                    await self._submit(full)

    async def _submit(self, items: Sequence[BatchItem]) -> None:
        """Store a batch in the ledger and submit it; temporary failures are retried."""
        job, runtime = self._job, self._job.runtime
        if job.stopped is not None and not isinstance(job.stopped, BudgetExceeded):
            return
        rows = [self._waiting.pop(item.key) for item in items]
        for attempt in range(1, MAX_SUBMISSIONS + 1):
            token = uuid4().hex
            entered = await job.ledger.call(add_batch, token, time(), rows)
            match outcome(entered):
                case Failure(fault):
                    job.stop(items[0].key, fault)
                    return
                case Success(number):
                    pass
            match outcome(await self._client.submit(items, token)):
                case Success(handle):
                    expires = self._compute_expiry(handle)
                    if await self._write(set_handle, number, encode_handle(handle), expires):
                        now = runtime.now()
                        self._open[number] = SubmittedBatch(number, handle, now, now + compute_poll_delay(0.0), expires)
                    return
                case Failure(fault):
                    if fault.maybe_billed:  # the next run searches the batch
                        job.stop(items[0].key, fault)
                        return
                    if not await self._write(withdraw_batch, number):
                        return
                    if not can_retry(fault) or attempt == MAX_SUBMISSIONS:
                        for row in rows:
                            self._settle(row.key, None)
                        if self._then_live and _is_batch_refused(fault):
                            self._report_problem("refused")  # the rows are queued, and are sent live at the end
                        else:
                            job.stop(items[0].key, fault)
                        return
                    pause = 2.0**attempt if fault.retry_after is None else min(600.0, fault.retry_after)
                    await runtime.sleep(pause * (1.0 + 0.25 * runtime.draw_random()))

    def _compute_expiry(self, handle: BatchHandle) -> float | None:
        """Return the expiry of the results of a new batch, if known."""
        hours = self._limits.results_hours
        return None if hours is None or not handle.id else time() + hours * 3600.0

    async def _check_next(self) -> None:
        """Wait for the next check of a batch; collect its results if it has ended."""
        runtime = self._job.runtime
        batch = min(self._open.values(), key=lambda one: one.next_check)
        await runtime.sleep(max(0.0, batch.next_check - runtime.now()))
        seen = await self._client.status(batch.handle)
        match outcome(seen):
            case Success(status) if not status.is_final and not is_overdue(status, time()):
                if status.state == "unknown" and not batch.is_unknown:
                    batch.is_unknown = True
                    self._report_problem("unknown_state")
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
                    self._job.stop("", fault)
                    self._open.clear()
                    return
        batch.next_check = runtime.now() + compute_poll_delay(runtime.now() - batch.submitted)

    async def _record_expiry(self, batch: SubmittedBatch, status: BatchStatus) -> bool:
        """Store the expiry of the results once the vendor reports it; False if the ledger cannot be written."""
        expires = status.results_expire_at
        if expires is None or expires == batch.expires:
            return True
        batch.expires = expires
        return await self._write(set_handle, batch.number, encode_handle(batch.handle), expires)

    async def _write(
        self, function: Callable[Concatenate[sqlite3.Connection, P], object], *args: P.args, **kwargs: P.kwargs
    ) -> bool:
        """Write to the ledger. If that fails the job stops, and batches are left to the next run."""
        match outcome(await self._job.ledger.call(function, *args, **kwargs)):
            case Success():
                return True
            case Failure(fault):
                self._job.stop("", fault)
                self._open.clear()
                return False

    async def _collect(self, batch: SubmittedBatch, status: BatchStatus | None) -> None:
        """Read and record the results of an ended batch; rows to retry are returned to the queue."""
        job, ledger = self._job, self._job.ledger
        match outcome(await ledger.call(list_batch_rows, batch.number)):
            case Failure(fault):
                job.stop("", fault)
                self._open.clear()
                return
            case Success((unread, finished)):
                rows = {row.key: row for row in unread}
        ended: list[tuple[SubmittedRow, BatchResult]] = []
        retried: list[str] = []
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
                    case Success(result) if result.problem in ("unknown", "doubled"):
                        problems[result.problem] += 1
                    case Success(result):
                        row = rows.pop(result.key, None)
                        if row is None:  # finished: an earlier, interrupted collection has recorded it
                            continue
                        ended.append((row, result))
                        if len(ended) >= RECORD_CHUNK:
                            retried += await self._record(ended, status)
                            ended = []
        finally:
            await results.aclose()
        if failure is not None and not _are_results_lost(batch, failure):
            if can_retry(failure):
                batch.is_undecodable = isinstance(failure, InvalidResponse)
                batch.next_check = job.runtime.now() + compute_poll_delay(job.runtime.now() - batch.submitted)
                return
            await self._record(ended, status)
            job.stop("", failure)
            self._open.clear()
            return
        for problem, count in problems.items():
            self._report_problem(problem, count)
        lost = InvalidResponse(message=f"the results of batch {batch.handle.id} cannot be read", maybe_billed=True)
        ended += [
            (row, BatchResult(key=row.key, result=Failure(lost), end="missing", problem="missing"))
            for row in rows.values()
        ]
        retried += await self._record(ended, status)
        if isinstance(job.stopped, LedgerFailed):
            self._open.clear()
            return
        if await self._write(close_batch, batch.number, retried):
            del self._open[batch.number]

    def _report_problem(self, problem: str, count: int = 1) -> None:
        self.problems[problem] = self.problems.get(problem, 0) + count

    def _find_context(self, row: SubmittedRow | None) -> ItemContext:
        """Return the context of a row's request, rebuilt from the ledger."""
        if row is None:
            return NO_CONTEXT
        checked = decode_row(row.row, row.key, row.position, row.digest, self._options)
        item = checked.bind(partial(encode_item, self._client.batch, self._job.provider.name))
        return item.map(lambda found: found.context).value_or(NO_CONTEXT)

    async def _record(self, ends: Sequence[tuple[SubmittedRow, BatchResult]], status: BatchStatus | None) -> list[str]:
        """Record results of rows; return the keys of rows to retry, in this run or, if the job stops, in the next one."""
        retried = [row.key for row, result in ends if self._is_retried(row, result)]
        retried_keys = set(retried)
        await asyncio.gather(*(self._record_one(row, result) for row, result in ends if row.key not in retried_keys))
        for key in retried:
            self._settle(key, None)
        stopping = next((fault for _, result in ends if (fault := self._find_stopping(result)) is not None), None)
        if stopping is not None and self._job.stopped is None:
            self._job.stop("", stopping)
        if status is not None and status.state == "cancelled":
            self._job.cancel(f"batch {status.handle.id} was cancelled; rows without a result stay open")
        return retried

    def _is_retried(self, row: SubmittedRow, result: BatchResult) -> bool:
        if result.end in ("answered", "cancelled"):
            return False
        if result.problem == "missing" and (self._then_live or self._find_stopping(result) is not None):
            return True
        if result.end == "missing":
            return False  # it may have been billed: it is not submitted again in this run
        passes = result.end == "expired" or can_retry(result.result.failure())
        return passes and (self._then_live or row.tries < self._job.settings.max_tries)

    def _find_stopping(self, result: BatchResult) -> Fault | None:
        """Return the fault of a batch that failed as a whole, if it stops the job."""
        if result.end != "failed" or result.problem != "missing":
            return None
        fault = result.result.failure()
        is_shared = _is_shared_by_live_calls(fault) if self._then_live else isinstance(fault, SHARED_FAULTS)
        return fault if is_shared else None

    async def _record_one(self, row: SubmittedRow, result: BatchResult) -> None:
        job = self._job
        self._settle(row.key, result)
        if result.end == "cancelled":
            return
        fault = result.result.swap().value_or(None)
        passes = fault is not None and (result.end in ("expired", "missing") or can_retry(fault))
        status: Status = "done" if fault is None else "retryable" if passes else "failed"
        factor = self._limits.price_factor or 1.0
        await job.record(row.key, row.position, row.digest, result.result, status, row.tries, price_factor=factor)

    def _settle(self, key: str, result: BatchResult | None) -> None:
        """Settle the cost of a row; it is zero without a response."""
        amount = self._reserved.pop(key, None)
        spending = self._job.spending
        if amount is None or spending is None:
            return
        is_answered = result is not None and result.end == "answered"
        end = result.result if result is not None and is_answered else Failure(InvalidRequest())
        spending.settle(amount, "", end)

    async def _retry_remaining(self) -> None:
        """Retry the rows without a result, live or in more batches."""
        job = self._job
        while job.stopped is None:
            job.reader = QueueReader(self._rows, self._options)
            if self._then_live:
                if job.spending is not None:
                    job.spending.factor = 1.0
                self._live = LiveRoute(job)
                self._live.start()
                await self._live.wait()
                self.error = self.error or self._live.error
                break
            await self._submit_rows()
            if not self._open:
                break
            while self._open:
                await self._check_next()
        await self._write(drop_finished_rows)


def _are_results_lost(batch: SubmittedBatch, fault: Fault) -> bool:
    """Return whether the results cannot be had any more: they are deleted, or were undecodable twice."""
    return fault.status in DELETED_STATUSES or (batch.is_undecodable and isinstance(fault, InvalidResponse))


def _is_batch_refused(fault: Fault) -> bool:
    """Return whether the vendor has refused a batch permanently, for a reason that live calls may not have."""
    return fault.status is not None and not _is_shared_by_live_calls(fault) and not can_retry(fault)


def _is_shared_by_live_calls(fault: Fault) -> bool:
    """Return whether every live call would have the fault as well; a missing permission may be that for batches only."""
    return isinstance(fault, SHARED_FAULTS) and not isinstance(fault, PermissionRefused)
