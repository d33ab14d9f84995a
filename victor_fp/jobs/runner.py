"""`run` and the iterator that it returns.

Rows are processed by a route (`live_route`, `batch_route`); each result is recorded in the ledger before it is yielded.
All decisions are made in `core/jobs`. Memory depends on the concurrency: at most two chunks of rows are read ahead, and
workers wait for the consumer if twice `concurrency` results have not been fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar, get_args, overload

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.jobs.report import Report
from victor_fp.core.jobs.rows import RowInput, find_options_problem
from victor_fp.core.json import Json
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.result import outcome
from victor_fp.core.schemas.structured import find_form_problem
from victor_fp.core.types import CompletionResponse, ToolDefinition
from victor_fp.core.usage.cost import Price
from victor_fp.jobs.batch_route import BatchRoute
from victor_fp.jobs.done import Done, JobSettings, RowSchema
from victor_fp.jobs.export import export
from victor_fp.jobs.job import Job
from victor_fp.jobs.live_route import LiveRoute
from victor_fp.jobs.row_reader import RowReader, RowSettings
from victor_fp.jobs.spending import JobSpending
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.engine.batches import BatchClient
from victor_fp.shell.ledger.batches import count_submitted
from victor_fp.shell.ledger.reading import read_report
from victor_fp.shell.ledger.sqlite import Ledger
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Store
from victor_fp.shell.store.memory import MemoryStore

T = TypeVar("T")
S = TypeVar("S")

Route: TypeAlias = Literal["live", "batch", "auto"]
"""How rows are sent: as calls, through the vendor's batch API, or through that with calls for what it left unfinished."""


@overload
def run(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: BaseProvider,
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
) -> JobRun[CompletionResponse]: ...
@overload
def run(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: BaseProvider,
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
) -> JobRun[S]: ...
@overload
def run(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: BaseProvider,
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
) -> JobRun[Json]: ...
def run(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: BaseProvider,
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
) -> JobRun[Any]:
    """Process every row once and yield each outcome, in the order in which rows finish.

    `rows` are `Row`s or mappings with `key` and `messages` or `prompt`, from any iterable; a key must be unique.
    `ledger` is a path or an open ledger: a result is stored in it before it is yielded, and a job that is run again
    with the same ledger processes only unfinished rows. Finished rows are yielded again, marked `is_resumed`, unless
    `skip_finished`. `schema`, a class or a JSON Schema, requests structured output and parses it. `options` are passed
    to every `chat`; those of a row override them.

    `route` is "live" for one call per row; "batch" for the vendor's batch API, usually at half the price
    and within a day; "auto" for the batch API if there is one, and then live for the rows without a result.

    `budget` limits the spending of this run or, with a `store`, of all users of a budget of the same name.

    A row that fails permanently is a `Done` with a Failure and does not stop the others. Missing credentials, an
    exhausted quota, an exhausted `budget` and a ledger that cannot be written stop the job: the affected row is yielded
    with the fault, `stopped` returns it, and the remaining rows are left to the next run.
    """
    chosen = model or getattr(provider, "model", None) or getattr(provider, "default_model", None)
    merged = {name: value for name, value in options.items() if name != "tools"}
    if schema is not None:
        merged["response_format"] = schema
    reader = RowReader(
        rows,
        RowSettings(
            provider=provider.name,
            model=chosen,
            options=merged,
            tools=tuple(tools) or tuple(options.get("tools") or ()),
            retry_failed=retry_failed,
            concurrency=concurrency,
        ),
    )
    settings = JobSettings(
        model=chosen,
        schema=schema,
        concurrency=max(1, concurrency),
        price=price,
        max_tries=max_tries,
        skip_finished=skip_finished,
    )
    spending = None if budget is None else JobSpending(budget, price, provider.name, store or MemoryStore(runtime))
    return JobRun(
        provider, settings, reader, ledger=ledger, spending=spending, route=route, options=merged, runtime=runtime
    )


class JobRun(Generic[T]):
    """A running job: an async iterator of `Done`, and an async context manager; leaving either stops the job.

    The context manager has stopped it when the block ends; a loop that is left early stops it soon afterwards.
    """

    def __init__(
        self,
        provider: BaseProvider,
        settings: JobSettings,
        reader: RowReader,
        *,
        ledger: str | Path | Ledger,
        spending: JobSpending | None,
        route: Route,
        options: Mapping[str, Any],
        runtime: Runtime,
    ) -> None:
        self._provider = provider
        self._settings = settings
        self._reader = reader
        self._given_ledger = ledger
        self._spending = spending
        self._runtime = runtime
        self._wanted_route = route
        self._options = options
        self._job: Job[T] | None = None
        self._route: LiveRoute | BatchRoute | None = None
        self._refused: Fault | None = None
        self._beginning = asyncio.Lock()
        """Held while the job begins: several tasks may read it, and it is closed only afterwards."""
        self._is_closed = False

    @property
    def stopped(self) -> Fault | None:
        """Why the job stopped before the end of its rows; None if it did not."""
        return self._refused if self._job is None else self._job.stopped

    @property
    def waiting(self) -> Fault | None:
        """Why rows wait to be sent again, such as a server that is down; None after a response."""
        return None if self._job is None else self._job.waiting

    @property
    def conflicts(self) -> int:
        """Number of rows that were not sent and have no result, because their key belongs to another row: it occurs twice in
        the input, or the ledger has the result of another request under it."""
        return 0 if self._job is None else self._job.conflicts

    @property
    def conflict(self) -> Fault | None:
        """Fault of the first of these rows; None if there is none."""
        return None if self._job is None else self._job.conflict

    @property
    def problems(self) -> Mapping[str, int]:
        """Counts of results of batches that were of no row (`unknown`), came twice (`doubled`) or could not be decoded
        (`unreadable`), of batches that were refused and whose rows are sent live (`refused`), and of batches in a state that is
        not known (`unknown_state`)."""
        return self._route.problems if isinstance(self._route, BatchRoute) else {}

    async def __aiter__(self) -> AsyncGenerator[Done[T], None]:
        """Return a generator for one loop, which stops the job at the end of the loop."""
        try:
            while (done := await anext(self, None)) is not None:
                yield done
                while (done := self._take()) is not None:  # without a coroutine for each
                    yield done
        finally:
            await self.aclose()

    async def __anext__(self) -> Done[T]:
        """Return the outcome of the next row; StopAsyncIteration after the last row or if the job has stopped."""
        job, route = self._job, self._route
        if job is None or route is None:
            async with self._beginning:
                if self._is_closed:
                    raise StopAsyncIteration
                match outcome(await self._begin()):
                    case Success((job, route)):
                        pass
                    case Failure(fault):
                        self._refused, self._is_closed = fault, True
                        return Done(key="", result=Failure(fault))
        while (done := self._take()) is None:
            if not route.is_running:
                await self.aclose()
                if route.error is not None:
                    error, route.error = route.error, None
                    raise error
                raise StopAsyncIteration
            await job.wait()
        return done

    def _take(self) -> Done[T] | None:
        """Return an available result; None if there is none."""
        job = self._job
        if job is None or not job.results:
            return None
        done = job.results.popleft()
        job.on_fetch()
        return done

    def take_ready(self) -> list[Done[T]]:
        """Return the available results, without waiting."""
        job = self._job
        if job is None or self._is_closed or not job.results:
            return []
        ready = list(job.results)
        job.results.clear()
        job.on_fetch()
        return ready

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def report(self) -> Result[Report, Fault]:
        """Return statistics of the ledger, also while the job is running."""
        if self._job is not None and not self._is_closed:
            return await self._job.ledger.report()
        return await asyncio.to_thread(read_report, self._ledger_path)

    async def export(self, path: str | Path, *, order: Literal["input", "completion"] = "input") -> Result[int, Fault]:
        """Write the rows finished so far to a JSONL file, also while the job is running; return their number.

        The file is that of `victor_fp.jobs.export`.
        """
        return await asyncio.to_thread(export, self._ledger_path, path, order=order)

    async def aclose(self) -> None:
        """Cancel the rows in flight and close the ledger; rows without a recorded result remain unfinished."""
        async with self._beginning:
            if self._is_closed:
                return
            self._is_closed = True
        try:
            if self._route is not None:
                await self._route.aclose()
            await self._reader.aclose()
        finally:
            if self._job is not None:
                await self._close_ledger(self._job.ledger)

    @property
    def _ledger_path(self) -> str | Path:
        return self._given_ledger.path if isinstance(self._given_ledger, Ledger) else self._given_ledger

    async def _begin(self) -> Result[tuple[Job[T], LiveRoute | BatchRoute], Fault]:
        """Open the ledger and start the route, unless another task has done so."""
        if self._job is not None and self._route is not None:
            return Success((self._job, self._route))
        if (name := self._wanted_route) not in get_args(Route):
            message = f"route must be 'live', 'batch' or 'auto', not {name!r:.80}"
            return Failure(InvalidRequest(provider=self._provider.name, message=message))
        if name == "batch" and self._settings.operation == "embeddings":
            message = "embeddings are not sent through batch APIs; use route='live' or 'auto'"
            return Failure(InvalidRequest(provider=self._provider.name, message=message))
        if (problem := find_options_problem(self._options, self._settings.operation)) is not None:
            return Failure(InvalidRequest(provider=self._provider.name, message=f"the job: {problem}"))
        schema = self._settings.schema
        if schema is not None and (problem := find_form_problem(schema)) is not None:
            return Failure(
                InvalidRequest(provider=self._provider.name, message=f"the schema cannot be used: {problem}")
            )
        match outcome(await self._open_ledger()):
            case Failure(fault):
                return Failure(fault)
            case Success(ledger):
                pass
        job: Job[T] = Job(self._provider, self._settings, self._reader, ledger, self._spending, self._runtime)
        try:
            chosen = await self._choose_route(job)
        except BaseException:  # cancelled, or raised by a custom provider
            await self._close_ledger(ledger)
            raise
        match outcome(chosen):
            case Failure(fault):
                await self._close_ledger(ledger)
                return Failure(fault)
            case Success(route):
                pass
        self._job, self._route = job, route
        route.start()
        return Success((job, route))

    async def _open_ledger(self) -> Result[Ledger, Fault]:
        given = self._given_ledger
        if isinstance(given, Ledger):
            return (await given.begin_run()).map(lambda _: given)
        return await asyncio.to_thread(Ledger.open, given)

    async def _close_ledger(self, ledger: Ledger) -> None:
        """Close the ledger, or let another job use it if it was given open."""
        if isinstance(self._given_ledger, Ledger):
            await ledger.end_run()
        else:
            await ledger.aclose()

    async def _choose_route(self, job: Job[T]) -> Result[LiveRoute | BatchRoute, Fault]:
        """Create the requested route. A live job is rejected if the ledger has open batches: their rows are paid."""
        opened: Result[BatchClient, Fault] = Failure(InvalidRequest())
        if self._wanted_route != "live" and self._settings.operation == "chat":
            opened = await self._provider.open_batches()
        match outcome(opened):
            case Success(client):
                then_live = self._wanted_route == "auto"
                return Success(BatchRoute(job, client, self._reader, self._options, then_live=then_live))
            case Failure(fault):
                if self._wanted_route == "batch":
                    return Failure(fault)
        match outcome(await job.ledger.call(count_submitted)):
            case Failure(fault):
                return Failure(fault)
            case Success((batches, rows, _)):
                if not rows:
                    return Success(LiveRoute(job))
        message = f"the ledger has {rows} rows in {batches} open batches; use route='batch' or 'auto' to collect them"
        return Failure(InvalidRequest(provider=self._provider.name, message=message))
