"""The batch route: rows are submitted to the vendor's batch API, and results are collected when batches end.

A batch is stored in the ledger with its rows before it is submitted. Memory use depends on the size of one batch, which is
limited here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, assert_never
from uuid import uuid4

import msgspec
from returns.result import Failure, Success

from victor_fp.core.batching.decisions import is_batch_refused
from victor_fp.core.batching.splitting import Splitter
from victor_fp.core.batching.types import BatchItem
from victor_fp.core.faults import BudgetExceeded, can_retry
from victor_fp.core.jobs.decisions import Collect, Decision, RefuseRow, Replay, RunRow
from victor_fp.core.jobs.rows import CheckedRow, encode_row
from victor_fp.core.protocols.batches.encoding import encode_row as encode_item
from victor_fp.core.result import outcome
from victor_fp.jobs.job import Job
from victor_fp.jobs.live_route import LiveRoute
from victor_fp.jobs.open_batches import OpenBatches
from victor_fp.jobs.row_reader import QueueReader, RowReader
from victor_fp.shell.engine.batches import BatchClient
from victor_fp.shell.ledger.batches import SubmittedRow, add_batch, drop_finished_rows, withdraw_batch

MAX_BYTES = 64_000_000
"""Maximum bytes of one batch, below most vendors' limits: it is held in memory while it is submitted."""
MAX_SUBMISSIONS = 5
"""Maximum attempts to submit a batch after temporary failures."""


class BatchRoute:
    """One task that submits, polls and collects; with `then_live`, unfinished rows are sent live at the end."""

    def __init__(
        self, job: Job[Any], client: BatchClient, rows: RowReader, options: Mapping[str, Any], *, then_live: bool
    ) -> None:
        self.error: BaseException | None = None
        """The exception of the source of rows."""
        self._job = job
        self._client = client
        self._rows = rows
        self._options = options
        self._then_live = then_live
        limits = client.batch.support.limits
        self._splitter = Splitter(msgspec.structs.replace(limits, max_bytes=min(limits.max_bytes, MAX_BYTES)))
        if job.spending is not None:
            job.spending.limits = limits
        self._waiting: dict[str, SubmittedRow] = {}
        """Rows in the splitter."""
        self._batches = OpenBatches(job, client, options, then_live=then_live)
        self._task: asyncio.Task[None] | None = None
        self._live: LiveRoute | None = None
        self._is_closed = False

    @property
    def problems(self) -> Mapping[str, int]:
        """Counts of results without a row (`unknown`), of duplicates (`doubled`), of results that cannot be decoded
        (`unreadable`), of batches that the vendor did not accept and whose rows are sent live (`refused`), and of batches in a
        state that is not known (`unknown_state`)."""
        return self._batches.problems

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
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._live is not None:
            await self._live.aclose()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        error: BaseException | None
        if task.cancelled():
            # Cancelled by the provider, if not by the end of the job.
            error = None if self._is_closed else RuntimeError("a call was cancelled; its rows remain unfinished")
        else:
            error = task.exception()
        self.error = self.error or error
        self._batches.settle_rest(self._waiting)
        self._job.wake()

    async def _run(self) -> None:
        job = self._job
        if (fault := await self._batches.restore()) is not None:
            job.stop("", fault)
            return
        await self._submit_rows()
        await self._collect_batches()
        if job.stopped is None:
            await self._retry_remaining()

    async def _collect_batches(self) -> None:
        """Collect the open batches; when one has ended, submit more rows."""
        while self._batches:
            await self._batches.check_next()
            if not self._batches.is_full:
                await self._submit_rows()

    async def _submit_rows(self) -> None:
        """Read rows and submit batches, until enough are open or the input ends."""
        job = self._job
        while not self._batches.is_full:
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
            except (Exception, SystemExit) as error:  # raised by the caller's source; the rows before it are processed
                self.error = self.error or error
                reader.is_exhausted = True
                return None
            if failed is not None:
                self._job.stop(*failed)
        return reader.take()

    async def _add(self, row: CheckedRow) -> None:
        """Add a row to the batch that is being built."""
        job = self._job
        match outcome(encode_item(self._client.batch, self._client.endpoint, row)):
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
                    self._batches.reserved[row.key] = amount
        match outcome(self._splitter.add(item)):
            case Failure(fault):
                self._batches.settle(row.key, None)
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
                    self._release(rows)
                    job.stop(items[0].key, fault)
                    return
                case Success(number):
                    pass
            match outcome(await self._client.submit(items, token)):
                case Success(handle):
                    await self._batches.add(number, handle)
                    return
                case Failure(fault):
                    if fault.maybe_billed:  # the next run searches the batch
                        job.stop(items[0].key, fault)
                        return
                    if not await self._batches.write(withdraw_batch, number):
                        self._release(rows)
                        return
                    if not can_retry(fault) or attempt == MAX_SUBMISSIONS:
                        self._release(rows)
                        if self._then_live and is_batch_refused(fault):
                            self._batches.report_problem("refused")  # the rows are queued, and are sent live at the end
                        else:
                            job.stop(items[0].key, fault)
                        return
                    pause = 2.0**attempt if fault.retry_after is None else min(600.0, fault.retry_after)
                    await runtime.sleep(pause * (1.0 + 0.25 * runtime.draw_random()))

    def _release(self, rows: Sequence[SubmittedRow]) -> None:
        """Release the budget of rows that were not submitted."""
        for row in rows:
            self._batches.settle(row.key, None)

    async def _retry_remaining(self) -> None:
        """Retry the rows without a result, live or in more batches."""
        job = self._job
        while job.stopped is None:
            job.reader = QueueReader(self._rows, self._options, job.provider.name)
            if self._then_live:
                if job.spending is not None:
                    job.spending.limits = None
                self._live = LiveRoute(job)
                self._live.start()
                await self._live.wait()
                self.error = self.error or self._live.error
                break
            await self._submit_rows()
            if not self._batches:
                break
            # One reader until its end: rows in the splitter are queued in the ledger as well.
            await self._collect_batches()
        await self._batches.write(drop_finished_rows)
