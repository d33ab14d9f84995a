"""The live route: one call per row, with adaptive concurrency."""

from __future__ import annotations

import asyncio
from typing import Any, assert_never

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, CircuitOpen, Fault
from victor_fp.core.jobs import concurrency as pacing
from victor_fp.core.jobs.concurrency import Concurrency, ConcurrencyPolicy
from victor_fp.core.jobs.decisions import (
    Collect,
    Decision,
    Finish,
    RefuseRow,
    Replay,
    RetryRow,
    RunRow,
    StopJob,
    decide_outcome,
    is_pressure,
)
from victor_fp.core.jobs.records import RowAnswer
from victor_fp.core.jobs.rows import CheckedRow
from victor_fp.core.resilience.budget import Amount
from victor_fp.core.responses.completions import load_attempts
from victor_fp.core.result import outcome
from victor_fp.jobs.job import Job

MAX_CIRCUIT_WAIT = 600.0
"""Maximum seconds that a row waits for an open circuit before the job stops."""


class LiveRoute:
    """Workers that process rows. A worker keeps its row until the result is in the ledger."""

    def __init__(self, job: Job[Any]) -> None:
        self.error: BaseException | None = None
        """The exception of the source of rows or of a custom provider."""
        self._job = job
        most = job.settings.concurrency
        self._pace: Concurrency = pacing.begin_concurrency(ConcurrencyPolicy(most=most, start=min(most, 16)))
        self._workers: set[asyncio.Task[None]] = set()
        self._filling: asyncio.Task[None] | None = None
        """Reads the next chunk of rows."""
        self._filled = asyncio.Event()
        self._is_closed = False

    @property
    def is_running(self) -> bool:
        """Whether there are workers."""
        return bool(self._workers)

    def start(self) -> None:
        """Start one worker for each row that may be in flight."""
        allowed = pacing.count_allowed_rows(self._pace)
        while len(self._workers) < allowed and not self._is_over():
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._on_worker_end)
        self._job.ledger.set_open_rows(len(self._workers))

    async def wait(self) -> None:
        """Wait until all workers have ended."""
        while self._workers:
            await asyncio.wait(tuple(self._workers))

    async def aclose(self) -> None:
        """Cancel the rows in flight."""
        self._is_closed = True
        tasks = self._workers if self._filling is None else {*self._workers, self._filling}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _is_over(self) -> bool:
        reader = self._job.reader
        return self._is_closed or (reader.is_exhausted and reader.is_empty)

    def _on_worker_end(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._job.ledger.set_open_rows(len(self._workers))
        error: BaseException | None
        if worker.cancelled():
            # Cancelled by the provider, if not by the end of the job: the row has no result.
            error = (
                None if self._is_closed else RuntimeError("the call of a row was cancelled; the row remains unfinished")
            )
        else:
            error = worker.exception()
        if error is not None:
            self.error = self.error or error
            self._job.reader.clear()
        self._job.wake()

    async def _work(self) -> None:
        """Process rows until there are none, or until the concurrency was reduced."""
        job, reader, pace = self._job, self._job.reader, self._pace
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101  a worker is a task
        while True:
            decision = reader.take()
            if decision is None and (decision := await self._read()) is None:
                return
            if self._filling is None and reader.is_low:
                self._start_filling()
            match decision:
                case RunRow(row=row):
                    commit = await self._run_row(row)
                    # The row is released before the wait: the fewer objects wait for a commit, the fewer collections.
                    del decision, row
                    if commit is not None:
                        await commit
                case Replay():
                    job.replay(decision)
                case RefuseRow():
                    await job.refuse(decision)
                case Collect():
                    pass  # collected by the batch route; a live job with open batches is rejected
                case _:
                    assert_never(decision)
            if job.is_full:
                await job.wait_for_room()
            if pace is not self._pace:
                pace = self._pace
                if len(self._workers) > pacing.count_allowed_rows(pace):
                    self._workers.discard(worker)  # at once, so that other workers do not also leave in the same step
                    return
                self.start()

    async def _read(self) -> Decision | None:
        """Return the next decision, after reading a chunk of rows if necessary; None at the end."""
        reader = self._job.reader
        while not self._is_over():
            if (decision := reader.take()) is not None:
                return decision
            if self._filling is None:
                self._start_filling()
            await self._filled.wait()
        return None

    def _start_filling(self) -> None:
        if not self._job.reader.is_exhausted:
            self._filled.clear()
            self._filling = asyncio.get_running_loop().create_task(self._fill())

    async def _fill(self) -> None:
        try:
            if (failed := await self._job.reader.fill(self._job.ledger)) is not None:
                self._job.stop(*failed)
        except (Exception, SystemExit) as error:  # raised by the caller's source; the rows before it are processed
            self.error = self.error or error
            self._job.reader.is_exhausted = True
        finally:
            self._filling = None
            self._filled.set()

    async def _run_row(self, row: CheckedRow) -> asyncio.Future[None] | None:
        """Process a row, and return the future of its commit; None if the job stops."""
        job, spending = self._job, self._job.spending
        attempts, waited = 0, 0.0
        earlier: tuple[Attempt, ...] = ()
        while True:
            estimate: Amount | None = None
            if spending is not None:
                match outcome(await spending.reserve(row)):
                    case Success(reserved):
                        estimate = reserved
                    case Failure(refusal):
                        job.stop(row.key, refusal, earlier=earlier)
                        return None
            began = job.runtime.now() if earlier else 0.0
            reductions = self._pace.reductions
            result: Result[RowAnswer, Fault] | None = None
            try:
                result = await job.call(row)
            finally:
                if spending is not None and estimate is not None:
                    spending.settle(estimate, row.model, result)
            attempts += 1
            response = result.value_or(None)
            if response is not None and not (response.metadata and "attempts" in response.metadata):
                self._pace = pacing.end_row(self._pace, reductions, under_pressure=False)
                job.waiting = None
                if earlier:  # the provider lists no attempts of a call with only one
                    seconds = job.runtime.now() - began
                    earlier = (*earlier, Attempt(provider=job.provider.name, model=row.model, seconds=seconds))
                return job.record(row.key, row.position, row.digest, result, "done", attempts, earlier=earlier)
            fault: Fault | None = None
            if response is not None:
                made = load_attempts(response.metadata)
            else:
                fault = result.failure()
                made = fault.attempts
            under_pressure = is_pressure(fault, [attempt.status for attempt in made])
            self._pace = pacing.end_row(self._pace, reductions, under_pressure=under_pressure)
            match decide_outcome(fault, attempts, job.settings.max_tries, job.runtime.draw_random()):
                case Finish(status=status):
                    return job.record(row.key, row.position, row.digest, result, status, attempts, earlier=earlier)
                case RetryRow(seconds=seconds, counts=counts):
                    job.waiting = job.waiting if isinstance(fault, CircuitOpen) and job.waiting is not None else fault
                    if not counts:
                        attempts -= 1
                        waited += seconds
                        if waited > MAX_CIRCUIT_WAIT and fault is not None:
                            job.stop(row.key, fault, earlier=earlier)
                            return None
                    # An open circuit sends nothing, and a row may wait for it many times.
                    earlier += tuple(attempt for attempt in made if attempt.outcome != CircuitOpen.__name__)
                    await job.runtime.sleep(seconds)
                case StopJob(fault=stopping):
                    job.stop(row.key, stopping, earlier=earlier)
                    return None
