"""The loop of a job: read rows, ask them concurrently, record each result, and yield it once it is recorded.

Everything that decides is in `core/jobs`. Memory depends on the concurrency: at most one chunk of rows is read ahead, and
workers wait for the consumer once `concurrency` results are not fetched yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, assert_never, overload

import msgspec
from pydantic import BaseModel
from returns.result import Failure, Result, Success

from victor_fp.core.cost import Price, PricedUsage
from victor_fp.core.faults import Attempt, BudgetExceeded, Fault, InvalidRequest
from victor_fp.core.jobs import concurrency as pacing
from victor_fp.core.jobs.concurrency import Concurrency, ConcurrencyPolicy
from victor_fp.core.jobs.decisions import (
    Again,
    Ask,
    Decision,
    Finish,
    Refuse,
    Replay,
    StopJob,
    decide_outcome,
    is_pressure,
)
from victor_fp.core.jobs.records import decode_result, encode_result
from victor_fp.core.jobs.report import Report
from victor_fp.core.jobs.rows import CheckedRow, RejectedRow, RowInput, check_row
from victor_fp.core.resilience.budget import Amount, Budget, Spending, release, reserve, settle
from victor_fp.core.result import outcome
from victor_fp.core.structured import structured
from victor_fp.core.token_estimates import estimate_tokens
from victor_fp.core.types import CompletionResponse, ToolDefinition, Usage
from victor_fp.providers.base import BaseProvider
from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger
from victor_fp.shell.runtime import SYSTEM, Runtime

T = TypeVar("T")
S = TypeVar("S", bound="BaseModel | msgspec.Struct")

CHUNK = 128
"""Rows that are read and looked up together."""
PATIENCE = 600.0
"""Seconds that a row waits for an open circuit before the job stops."""


class Done(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One row's end. `result` is the answer (or the value it was parsed into), or the fault."""

    key: str
    result: Result[T, Fault]
    response: CompletionResponse | None = None
    """The whole answer, where there is one; also where it could not be recorded or parsed."""
    usage: Usage | None = None
    cost_usd: float | None = None
    """None where it is not known."""
    attempts: tuple[Attempt, ...] = ()
    is_resumed: bool = False
    """The result is an earlier run's, read from the ledger."""


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
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
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
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> JobRun[S]: ...
def run(
    rows: Iterable[RowInput] | AsyncIterable[RowInput],
    provider: BaseProvider,
    *,
    ledger: str | Path | Ledger,
    model: str | None = None,
    schema: type[Any] | None = None,
    tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
    concurrency: int = 32,
    budget: Budget | None = None,
    price: Price | None = None,
    max_tries: int = 3,
    retry_failed: bool = False,
    skip_finished: bool = False,
    runtime: Runtime = SYSTEM,
    **options: Any,
) -> JobRun[Any]:
    """Ask every row once and yield its end, in the order in which rows finish.

    `rows` are `Row`s or mappings with `key` and `messages` or `prompt`, from any iterable; a key must be unique. `ledger`
    is a path or an open ledger: a row's result is in it before it is yielded, and a job that is run again with the same
    ledger asks only what is not finished. Finished rows are yielded again, marked `is_resumed`, unless `skip_finished`.
    `schema` asks for structured output and parses it. `options` go to every `chat`, under each row's own.

    A row that fails for good is a `Done` with a Failure and never stops the others. Missing credentials, an exhausted
    quota, an exhausted `budget` and a ledger that cannot be written stop the job: the row that met it is yielded with
    that fault, `stopped` has it, and the rest stays open for the next run.
    """
    asked = {**options, "response_format": schema} if schema is not None else options
    if (given := tuple(tools)) and "tools" not in asked:
        asked = {**asked, "tools": given}
    return JobRun(
        rows,
        provider,
        ledger=ledger,
        model=model,
        schema=schema,
        options=asked,
        policy=ConcurrencyPolicy(most=max(1, concurrency), start=max(1, min(concurrency, 16))),
        budget=budget,
        price=price,
        max_tries=max_tries,
        retry_failed=retry_failed,
        skip_finished=skip_finished,
        runtime=runtime,
    )


class JobRun(Generic[T]):
    """A running job: an async iterator of `Done`, and an async context manager that stops it when it is left early."""

    def __init__(
        self,
        rows: Iterable[RowInput] | AsyncIterable[RowInput],
        provider: BaseProvider,
        *,
        ledger: str | Path | Ledger,
        model: str | None,
        schema: type[Any] | None,
        options: Mapping[str, Any],
        policy: ConcurrencyPolicy,
        budget: Budget | None,
        price: Price | None,
        max_tries: int,
        retry_failed: bool,
        skip_finished: bool,
        runtime: Runtime,
    ) -> None:
        self.stopped: Fault | None = None
        """Why the job stopped before the end of its rows; None where it did not."""
        self._provider = provider
        self._given_ledger = ledger
        self._model = model or getattr(provider, "model", None)
        self._schema = schema
        self._tools = tuple(options.get("tools", ()))
        self._options = {name: value for name, value in options.items() if name != "tools"}
        self._price = price
        self._spending = None if budget is None else Spending(budget=budget)
        self._max_tries = max_tries
        self._retry_failed = retry_failed
        self._skip_finished = skip_finished
        self._runtime = runtime
        self._source = _Source(rows)
        self._ledger: Ledger | None = ledger if isinstance(ledger, Ledger) else None
        self._pace: Concurrency = pacing.begin_concurrency(policy)
        self._decisions: deque[Decision] = deque()
        self._results: deque[Done[T]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._reading = asyncio.Lock()
        self._position = 0
        self._changed = asyncio.Event()
        self._fetched = asyncio.Event()
        self._is_exhausted = False
        self._is_closed = False
        self._error: BaseException | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Done[T]:
        """The next row's end; StopAsyncIteration once every row is finished or the job has stopped."""
        if not self._workers and not self._is_closed and not self._results:
            await self._begin()
        while not self._results:
            if self._error is not None:
                error, self._error = self._error, None
                await self.aclose()
                raise error
            if not self._workers:
                await self.aclose()
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        done = self._results.popleft()
        self._fetched.set()
        return done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def report(self) -> Result[Report, Fault]:
        """Figures of the ledger; while the job runs, of what is recorded so far."""
        if self._ledger is None or self._is_closed:
            from victor_fp.shell.ledger.sqlite import read_report

            path = self._given_ledger.path if isinstance(self._given_ledger, Ledger) else self._given_ledger
            return await asyncio.to_thread(read_report, path)
        return await self._ledger.report()

    async def aclose(self) -> None:
        """Cancel the rows in flight and close the ledger; what was not recorded stays open for the next run."""
        self._is_closed = True
        workers, self._workers = self._workers, set()
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers)
        await self._source.aclose()
        ledger, self._ledger = self._ledger, None
        if ledger is not None and not isinstance(self._given_ledger, Ledger):
            await ledger.aclose()

    async def _begin(self) -> None:
        if self._ledger is None:
            opened = outcome(await asyncio.to_thread(Ledger.open, self._given_ledger))  # type: ignore[arg-type]  # a path here
            match opened:
                case Success(ledger):
                    self._ledger = ledger
                case Failure(fault):
                    self._stop("", fault)
                    self._is_closed = True
                    return
        self._spawn()

    def _spawn(self) -> None:
        """As many workers as rows may be in flight."""
        while len(self._workers) < pacing.count_allowed_rows(self._pace) and not self._is_over():
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._on_worker_end)

    def _is_over(self) -> bool:
        return self._is_closed or self.stopped is not None or (self._is_exhausted and not self._decisions)

    def _on_worker_end(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._error = self._error or error
            self._is_exhausted = True
            self._decisions.clear()
        self._changed.set()

    async def _work(self) -> None:
        """Take rows until there are none, or more workers than rows may be in flight."""
        while len(self._workers) <= pacing.count_allowed_rows(self._pace):
            decision = await self._next_decision()
            if decision is None:
                return
            await self._carry_out(decision)
            while len(self._results) >= self._pace.policy.most and not self._is_closed:
                self._fetched.clear()
                await self._fetched.wait()
            self._spawn()

    async def _next_decision(self) -> Decision | None:
        while not self._decisions:
            if self._is_over():
                return None
            async with self._reading:
                if not self._decisions and not self._is_over():
                    await self._read_chunk()
        return None if self._is_over() else self._decisions.popleft()

    async def _read_chunk(self) -> None:
        assert self._ledger is not None  # noqa: S101  opened before the first worker
        given = await self._source.read(CHUNK)
        if len(given) < CHUNK:
            self._is_exhausted = True
        rows: list[CheckedRow | RejectedRow] = []
        for row in given:
            rows.append(
                check_row(
                    row,
                    self._position,
                    provider=self._provider.name,
                    model=self._model,
                    options=self._options,
                    tools=self._tools,
                )
            )
            self._position += 1
        if rows:
            match outcome(await self._ledger.plan(rows, retry_failed=self._retry_failed)):
                case Success(decisions):
                    self._decisions.extend(decisions)
                case Failure(fault):
                    self._stop(rows[0].key, fault)

    async def _carry_out(self, decision: Decision) -> None:
        match decision:
            case Ask(row=row):
                await self._ask(row)
            case Replay(key=key, body=body):
                if not self._skip_finished:
                    self._results.append(self._done(key, decode_result(body), is_resumed=True))
                    self._changed.set()
            case Refuse(key=key, fault=fault, is_recorded=is_recorded):
                failure: Result[CompletionResponse, Fault] = Failure(fault)
                if is_recorded:
                    await self._record(key, failure, "failed", 0)
                else:
                    self._results.append(self._done(key, failure))
                    self._changed.set()
            case _:
                assert_never(decision)

    async def _ask(self, row: CheckedRow) -> None:
        """Ask a row until it is finished, or the job stops."""
        tries, waited = 0, 0.0
        while True:
            estimate = self._estimate(row)
            refusal = estimate if isinstance(estimate, InvalidRequest) else self._reserve(estimate)
            if refusal is not None or isinstance(estimate, InvalidRequest):
                self._stop(row.key, refusal or InvalidRequest())
                return
            self._pace, number = pacing.start_row(self._pace)
            try:
                result = await self._provider.chat_result(
                    row.messages, model=row.model, tools=row.tools or None, **row.options
                )
            except BaseException:
                self._settle(estimate, None)
                raise
            tries += 1
            response = result.value_or(None)
            fault = None if response is not None else result.failure()
            self._settle(estimate, result)
            statuses = tuple(_attempt_statuses(response, fault))
            self._pace = pacing.end_row(self._pace, number, under_pressure=is_pressure(fault, statuses))
            match decide_outcome(fault, tries, self._max_tries, self._runtime.luck()):
                case Finish(status=status):
                    await self._record(row.key, result, status, tries)
                    return
                case Again(seconds=seconds, counts=counts):
                    if not counts:
                        tries -= 1
                        waited += seconds
                        if waited > PATIENCE and fault is not None:
                            self._stop(row.key, fault)
                            return
                    await self._runtime.sleep(seconds)
                case StopJob(fault=stopping):
                    self._stop(row.key, stopping)
                    return

    async def _record(self, key: str, result: Result[CompletionResponse, Fault], status: Any, tries: int) -> None:
        """Write a row's end; once it is committed, hand it out."""
        assert self._ledger is not None  # noqa: S101  opened before the first worker
        done = self._done(key, result)
        usage = done.usage or {}
        fault = await self._ledger.finish(
            FinishedRow(
                key=key,
                status=status,
                body=encode_result(result),
                fault=None if isinstance(result, Success) else type(result.failure()).__name__,
                prompt_tokens=usage.get("prompt_tokens"),
                completion_tokens=usage.get("completion_tokens"),
                cost=done.cost_usd,
                attempts=tries,
            )
        )
        if fault is not None:
            self._stop(key, fault, done.response)
            return
        self._results.append(done)
        self._changed.set()

    def _stop(self, key: str, fault: Fault, response: CompletionResponse | None = None) -> None:
        """Start no further row. The row that met the fault is handed out with it and stays open in the ledger."""
        self.stopped = self.stopped or fault
        self._decisions.clear()
        usage = None if response is None else response.usage
        self._results.append(Done(key=key, result=Failure(fault), response=response, usage=usage))
        self._changed.set()

    def _done(self, key: str, result: Result[CompletionResponse, Fault], *, is_resumed: bool = False) -> Done[T]:
        value: Result[Any, Fault] = result if self._schema is None else structured(result, self._schema)
        match outcome(result):
            case Success(response):
                return Done(
                    key=key,
                    result=value,
                    response=response,
                    usage=response.usage,
                    cost_usd=self._cost(response),
                    is_resumed=is_resumed,
                )
            case Failure(fault):
                return Done(key=key, result=value, attempts=fault.attempts, is_resumed=is_resumed)

    def _cost(self, response: CompletionResponse) -> float | None:
        found = (response.metadata or {}).get("cost")
        if isinstance(found, Mapping) and isinstance(found.get("amount"), int | float):
            return float(found["amount"])
        usage = response.usage
        if self._price is None or usage is None or not {"prompt_tokens", "completion_tokens"} <= usage.keys():
            return None
        models = tuple(name for name in (response.model, self._model) if name)
        return self._price(PricedUsage(models=models, usage=usage))

    def _estimate(self, row: CheckedRow) -> Amount | InvalidRequest:
        """What a row may take, for the budget. A budget in money needs a price for the row's model."""
        if self._spending is None:
            return Amount()
        chosen = row.options.get("max_tokens")
        answer = chosen if isinstance(chosen, int) else None
        prompt = estimate_tokens(row.messages, row.tools, 0)
        total = estimate_tokens(row.messages, row.tools, answer)
        if self._spending.budget.usd is None:
            return Amount(tokens=total)
        usage = {"prompt_tokens": prompt, "completion_tokens": total - prompt}
        usd = None if self._price is None else self._price(PricedUsage(models=(row.model,), usage=usage))
        if usd is None:
            message = (
                f"no price is known for model {row.model!r}, so a budget in US dollars cannot be kept; pass price="
            )
            return InvalidRequest(provider=self._provider.name, model=row.model, message=message)
        return Amount(usd=usd, tokens=total)

    def _reserve(self, estimate: Amount) -> Fault | None:
        if self._spending is None:
            return None
        self._spending, bound = reserve(self._spending, estimate)
        if bound is None:
            return None
        limit = getattr(self._spending.budget, bound)
        return BudgetExceeded(message=f"the budget of {limit:g} {bound} is used up; the remaining rows were not sent")

    def _settle(self, estimate: Amount, result: Result[CompletionResponse, Fault] | None) -> None:
        if self._spending is None:
            return
        response = None if result is None else result.value_or(None)
        if response is None:
            billed = result is None or result.failure().maybe_billed
            settle_or_release = (
                settle(self._spending, estimate, estimate) if billed else release(self._spending, estimate)
            )
            self._spending = settle_or_release
            return
        usage = response.usage or {}
        tokens = usage.get("total_tokens") or estimate.tokens
        cost = self._cost(response)
        self._spending = settle(
            self._spending, estimate, Amount(usd=estimate.usd if cost is None else cost, tokens=tokens)
        )


class _Source:
    """Rows from an iterable or an async iterable, a chunk at a time."""

    def __init__(self, rows: Iterable[RowInput] | AsyncIterable[RowInput]) -> None:
        self._async: AsyncIterator[RowInput] | None = rows.__aiter__() if isinstance(rows, AsyncIterable) else None
        self._sync = iter(()) if isinstance(rows, AsyncIterable) else iter(rows)

    async def read(self, count: int) -> list[RowInput]:
        """The next rows; fewer than `count` at the end."""
        chunk: list[RowInput] = []
        if self._async is None:
            for row in self._sync:
                chunk.append(row)
                if len(chunk) == count:
                    break
            return chunk
        while len(chunk) < count:
            try:
                chunk.append(await anext(self._async))
            except StopAsyncIteration:
                break
        return chunk

    async def aclose(self) -> None:
        """Close a generator of the caller's, so that its files are closed."""
        for source in (self._async, self._sync):
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
            elif (close_sync := getattr(source, "close", None)) is not None:
                close_sync()


def _attempt_statuses(response: CompletionResponse | None, fault: Fault | None) -> Iterable[int | None]:
    if fault is not None:
        return (attempt.status for attempt in fault.attempts)
    attempts = ((response.metadata if response else None) or {}).get("attempts") or ()
    return (attempt.get("status") for attempt in attempts if isinstance(attempt, Mapping))
