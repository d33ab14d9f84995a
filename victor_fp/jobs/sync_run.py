"""Synchronous jobs: the job runs in the background event loop, and rows are read in the caller's thread.

Rows are read in the caller's thread because their source often belongs to it: a database cursor, or a generator
that itself uses a synchronous provider.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, cast, overload

from returns.result import Failure, Result
from typing_extensions import Unpack

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.report import Report
from victor_fp.core.jobs.rows import RowInput, TextRowInput
from victor_fp.core.json import Json
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions
from victor_fp.core.retrieval.vectors import Purpose
from victor_fp.core.types import CompletionResponse, ToolDefinition
from victor_fp.core.usage.cost import Price
from victor_fp.jobs.done import Done, RowSchema
from victor_fp.jobs.embedding import embed_rows as embed_rows_async
from victor_fp.jobs.row_reader import CHUNK, SourceError, iterate_rows, take_rows
from victor_fp.jobs.runner import JobRun, Route, run
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.sync_chat import run_result
from victor_fp.providers.sync_provider import SyncProvider
from victor_fp.shell.background_loop import BackgroundLoop, LoopUnavailable, get_background_loop
from victor_fp.shell.ledger.sqlite import Ledger
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Store

T = TypeVar("T")
S = TypeVar("S")


@overload
def run_job(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: SyncProvider | BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    schema: None = None,
    tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    store: Store | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    route: Route = "live",
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> SyncJobRun[CompletionResponse]: ...
@overload
def run_job(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: SyncProvider | BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    schema: type[S],
    tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    store: Store | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    route: Route = "live",
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> SyncJobRun[S]: ...
@overload
def run_job(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: SyncProvider | BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    schema: Mapping[str, Any],
    tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    store: Store | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    route: Route = "live",
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> SyncJobRun[Json]: ...
def run_job(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: SyncProvider | BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    schema: RowSchema | None = None,
    tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    store: Store | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    route: Route = "live",
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> SyncJobRun[Any]:
    """Process every row once and yield each outcome: the synchronous `victor_fp.jobs.run`.

        for done in run_job(rows, provider, ledger="job.ledger"):
            print(done.key, done.result)

    The parameters are those of `run`. Leaving the loop in any way, including Ctrl-C, stops the job: rows in flight are
    cancelled, the ledger is closed, and the next run continues. An iterable of rows is read in the caller's thread.
    """
    source = None if isinstance(rows, AsyncIterable) else CallerRows(rows)
    job: JobRun[Any] = run(
        cast("Any", rows if source is None else source),
        cast("Any", provider.provider if isinstance(provider, SyncProvider) else provider),
        ledger=ledger,
        model=model,
        schema=cast("Any", schema),
        tools=tools,
        concurrency=concurrency,
        budget=budget,
        price=price,
        store=store,
        max_tries=max_tries,
        retry_failed=retry_failed,
        skip_finished=skip_finished,
        route=route,
        runtime=runtime,
        **options,
    )
    return SyncJobRun(job, source)


def embed_rows(
    rows: Iterable[TextRowInput] | AsyncIterable[TextRowInput],
    provider: SyncProvider | BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    dimensions: int | None = None,
    purpose: Purpose | None = None,
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    store: Store | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    route: Route = "live",
    runtime: Runtime = SYSTEM,
    **options: Unpack[EmbedOptions],
) -> SyncJobRun[EmbeddingResponse]:
    """Embed the texts of every row once and yield each outcome: the synchronous `victor_fp.jobs.embed_rows`."""
    source = None if isinstance(rows, AsyncIterable) else CallerRows(rows)
    job = embed_rows_async(
        rows if source is None else source,
        provider.provider if isinstance(provider, SyncProvider) else provider,
        ledger=ledger,
        model=model,
        dimensions=dimensions,
        purpose=purpose,
        concurrency=concurrency,
        budget=budget,
        price=price,
        store=store,
        max_tries=max_tries,
        retry_failed=retry_failed,
        skip_finished=skip_finished,
        route=route,
        runtime=runtime,
        **options,
    )
    return SyncJobRun(job, source)


class SyncJobRun(Iterator[Done[T]], Generic[T]):
    """A running job: an iterator of `Done`, and a context manager; leaving either stops the job."""

    def __init__(self, job: JobRun[T], rows: CallerRows | None = None) -> None:
        self._driver = _Driver(job, rows)
        self._job = job
        self._results: Generator[Done[T], None, None] | None = None

    @property
    def stopped(self) -> Fault | None:
        """Why the job stopped before the end of its rows; None if it did not."""
        return self._driver.unavailable or self._job.stopped

    @property
    def waiting(self) -> Fault | None:
        """Why rows wait to be sent again, such as a server that is down; None after a response."""
        return self._job.waiting

    @property
    def conflicts(self) -> int:
        """Number of rows that were not sent and have no result, because their key belongs to another row: it occurs twice in
        the input, or the ledger has the result of another request under it."""
        return self._job.conflicts

    @property
    def conflict(self) -> Fault | None:
        """Fault of the first of these rows; None if there is none."""
        return self._job.conflict

    @property
    def problems(self) -> Mapping[str, int]:
        """Counts of results of batches that were of no row (`unknown`), came twice (`doubled`) or could not be decoded
        (`unreadable`), of batches that were refused and whose rows are sent live (`refused`), and of batches in a state that is
        not known (`unknown_state`)."""
        return self._job.problems

    def __iter__(self) -> Iterator[Done[T]]:  # noqa: PYI034
        """Return a generator for one loop, which stops the job at the end of the loop."""
        return _read(self._driver)

    def __next__(self) -> Done[T]:
        if self._results is None:
            self._results = _read(self._driver)
        return next(self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def report(self) -> Result[Report, Fault]:
        """Return statistics of the ledger, also while the job is running."""
        return run_result(self._job.report())

    def export(self, path: str | Path, *, order: Literal["input", "completion"] = "input") -> Result[int, Fault]:
        """Write the rows finished so far to a JSONL file, also while the job is running; return their number.

        The file is that of `victor_fp.jobs.export`.
        """
        return run_result(self._job.export(path, order=order))

    def close(self) -> None:
        """Cancel the rows in flight and close the ledger; rows without a recorded result remain unfinished."""
        self._driver.close()


class CallerRows(AsyncIterable[TextRowInput]):
    """Rows read in the caller's thread, one chunk per request of the job."""

    def __init__(self, rows: Iterable[TextRowInput]) -> None:
        self._rows = iterate_rows(rows)
        self._given: deque[TextRowInput] = deque()
        self._error: SourceError | None = None
        self._is_over = False
        self._arrived = asyncio.Event()
        self.is_wanted = False
        """Whether the job waits for rows."""
        self.turn: asyncio.Future[None] | None = None
        """Done when the job requests rows."""

    def read(self) -> tuple[list[TextRowInput], SourceError | None]:
        """Return the next rows, and the exception raised after them, if any. Called in the caller's thread."""
        return take_rows(self._rows, CHUNK)

    def give(self, rows: list[TextRowInput], error: SourceError | None) -> None:
        """Pass rows to the job; no rows and no error mean the end. Called in the loop."""
        self._given.extend(rows)
        self._error = error
        self._is_over = not rows
        self._arrived.set()

    def close(self) -> None:
        """Close the caller's generator."""
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()

    async def __aiter__(self) -> AsyncGenerator[TextRowInput, None]:
        while True:
            while self._given:
                yield self._given.popleft()
            error, self._error = self._error, None
            if error is not None:
                raise error
            if self._is_over:
                return
            self._arrived.clear()
            self.is_wanted = True
            if self.turn is not None and not self.turn.done():
                self.turn.set_result(None)
            await self._arrived.wait()


class _Driver(Generic[T]):
    """Transfers results from the loop to the caller's thread, and rows in the other direction."""

    def __init__(self, job: JobRun[T], rows: CallerRows | None) -> None:
        self.results: deque[Done[T]] = deque()
        self.unavailable: Fault | None = None
        """Why the loop is not available."""
        self._job = job
        self._rows = rows
        self._host: BackgroundLoop | None = None
        self._next: asyncio.Task[list[Done[T]]] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._exit: SystemExit | None = None
        """Raised by the source of rows; it must not leave a task of the loop."""
        self._is_closed = False

    def wait(self) -> bool:
        """Wait for results; False at the end. Raises exceptions of the source of rows, and LoopUnavailable."""
        rows = self._rows
        while not self._is_closed:
            host = self._host = self._host or get_background_loop()
            if host.is_inherited:
                raise LoopUnavailable("the job was started before this process was forked")
            results = host.run(self._fetch())
            if self._exit is not None:
                raise self._exit
            if results is not None and not results:
                return False
            if rows is not None and rows.is_wanted:
                rows.is_wanted = False
                host.post(partial(rows.give, *rows.read()))
            if results is not None:
                self.results.extend(results)
                return True
        return False

    def close(self) -> None:
        """Stop the job, and wait until its ledger is closed."""
        if self._is_closed:
            return
        self._is_closed = True
        self.results.clear()
        host = self._host
        with suppress(LoopUnavailable):  # the process exits
            if host is None:
                get_background_loop().run(self._job.aclose())
            elif host.is_own_thread:  # a finalizer
                host.post(self._start_closing)
            elif not host.is_inherited:
                host.run(self._close())
        if self._rows is not None:
            self._rows.close()

    async def _fetch(self) -> list[Done[T]] | None:
        """Return the next available results, empty at the end; None if the job requests rows first."""
        rows = self._rows
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._advance())
        if rows is None:
            await asyncio.wait((self._next,))
        elif not rows.is_wanted:
            rows.turn = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._next, rows.turn), return_when=asyncio.FIRST_COMPLETED)
        if not self._next.done():
            return None
        ended, self._next = self._next, None
        return ended.result()

    async def _advance(self) -> list[Done[T]]:
        try:
            done = await anext(self._job, None)
        except SystemExit as error:
            self._exit, done = error, None
        return [] if done is None else [done, *self._job.take_ready()]

    def _start_closing(self) -> asyncio.Task[None]:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._stop())
        return self._closing

    async def _close(self) -> None:
        """Close the job; a second interrupt ends the wait, but not the closing of the ledger."""
        await asyncio.shield(self._start_closing())

    async def _stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait((self._next,))
            if not self._next.cancelled():
                self._next.exception()  # it is no longer awaited
        await self._job.aclose()


def _read(driver: _Driver[T]) -> Generator[Done[T], None, None]:
    """Yield the results of a job, which is stopped with this generator; it holds no reference to the SyncJobRun."""
    results = driver.results
    try:
        while True:
            while results:
                yield results.popleft()
            try:
                if not driver.wait():
                    return
            except LoopUnavailable as unavailable:
                fault = InvalidRequest(message=str(unavailable))
                driver.unavailable = fault
                yield Done(key="", result=Failure(fault))
                return
    finally:
        driver.close()
