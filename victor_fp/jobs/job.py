"""The shared state of a job's routes: settings, rows, ledger, spending, and results for the caller."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Generic, TypeVar, assert_never

from returns.result import Failure, Result, Success

from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import Attempt, Cancelled, Fault
from victor_fp.core.jobs.decisions import RefuseRow, Replay, Status
from victor_fp.core.jobs.records import RowAnswer, decode_result, encode_result
from victor_fp.core.jobs.rows import CheckedRow
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.core.usage.cost import scale_price
from victor_fp.jobs.done import Done, JobSettings, build_done, find_cost
from victor_fp.jobs.row_reader import Reader
from victor_fp.jobs.spending import JobSpending
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.prepared_chat import PreparedChat
from victor_fp.shell.ledger.sqlite import FinishedRow, Ledger
from victor_fp.shell.runtime import Runtime

T = TypeVar("T")


class Job(Generic[T]):
    """A running job: routes take rows from it and return results to it."""

    def __init__(
        self,
        provider: BaseProvider,
        settings: JobSettings,
        reader: Reader,
        ledger: Ledger,
        spending: JobSpending | None,
        runtime: Runtime,
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.reader = reader
        self.ledger = ledger
        self.spending = spending
        self.runtime = runtime
        self.stopped: Fault | None = None
        """Why no more rows are started; None while rows are started."""
        self.waiting: Fault | None = None
        """Why rows are sent again later; None after a response."""
        self.is_unrecorded = False
        """Whether results could not be written to the ledger."""
        self.conflicts = 0
        """Rows that are not recorded, because their key belongs to another row."""
        self.conflict: Fault | None = None
        """The reason of the first of them."""
        self._chat: PreparedChat | None = None
        """The call of the last row: most rows have the same model, tools and options."""
        self.results: deque[Done[T]] = deque()
        self._arrived = asyncio.Event()
        self._fetched = asyncio.Event()
        self._most_results = 2 * settings.concurrency
        self._is_blocked = False
        """Whether a route waits for the caller to fetch results."""
        ledger.on_commit = self.confirm

    async def wait(self) -> None:
        """Wait for a result, or for `wake`."""
        self._arrived.clear()
        await self._arrived.wait()

    def wake(self) -> None:
        """Wake the caller: there is a result, or a route has ended."""
        self._arrived.set()

    def on_fetch(self) -> None:
        """Handle that the caller has fetched a result."""
        if self._is_blocked:
            self._is_blocked = False
            self._fetched.set()

    @property
    def is_full(self) -> bool:
        """Whether so many results are pending that no more rows should be started."""
        return len(self.results) >= self._most_results

    async def wait_for_room(self) -> None:
        """Wait until the caller has fetched results."""
        while self.is_full:
            self._is_blocked = True
            self._fetched.clear()
            await self._fetched.wait()

    def hand_out(self, done: Done[T]) -> None:
        """Pass the outcome of a row to the caller."""
        self.results.append(done)
        self._arrived.set()

    def stop(
        self, key: str, fault: Fault, answer: RowAnswer | None = None, *, earlier: tuple[Attempt, ...] = ()
    ) -> None:
        """Start no more rows. The row with the fault is returned to the caller and remains unfinished in the ledger.

        `earlier` are the row's attempts before those of the fault.
        """
        self.stopped = self.stopped or fault
        self.reader.clear()
        response = None if isinstance(answer, EmbeddingResponse) else answer
        embeddings = answer if isinstance(answer, EmbeddingResponse) else None
        usage = None if answer is None else answer.usage
        self.hand_out(
            Done(
                key=key,
                result=Failure(fault),
                response=response,
                embeddings=embeddings,
                usage=usage,
                attempts=earlier + fault.attempts,
            )
        )

    def cancel(self, message: str) -> None:
        """Start no more rows, because of a cancellation."""
        if self.stopped is None:
            self.stopped = Cancelled(message=message)
            self.reader.clear()

    def replay(self, decision: Replay) -> None:
        """Return a result of an earlier run to the caller."""
        if not self.settings.skip_finished:
            result, cost = decode_result(decision.body), decision.cost
            self.hand_out(build_done(decision.key, result, self.settings, cost=cost, is_resumed=True))

    async def refuse(self, decision: RefuseRow) -> None:
        """Return the fault of a rejected row to the caller; it is recorded if the key belongs to the row."""
        failure: Result[RowAnswer, Fault] = Failure(decision.fault)
        if decision.is_recorded:
            await self.record(decision.key, decision.position, b"", failure, "failed", 0)
        else:
            self.conflicts, self.conflict = self.conflicts + 1, self.conflict or decision.fault
            self.hand_out(build_done(decision.key, failure, self.settings))

    def call(self, row: CheckedRow) -> Awaitable[Result[RowAnswer, Fault]]:
        """Call the provider for a row."""
        match self.settings.operation:
            case "chat":
                chat = self._chat
                if chat is None or not chat.has_keywords(row.model, row.tools, row.options):
                    chat = self._chat = PreparedChat(self.provider, row.model, row.tools, row.options)
                return chat(row.messages)
            case "embeddings":
                options: Mapping[str, Any] = row.options
                return self.provider.embed_result(row.texts, model=row.model, **options)
            case _:
                assert_never(self.settings.operation)

    def record(
        self,
        key: str,
        position: int,
        digest: bytes,
        result: Result[RowAnswer, Fault],
        status: Status,
        attempts: int,
        *,
        limits: BatchLimits | None = None,
        earlier: tuple[Attempt, ...] = (),
    ) -> asyncio.Future[None]:
        """Pass the outcome of a row to the ledger; the future is done when it is committed and returned to the caller.

        `status` is that of the result itself: a response that does not match the schema has failed, and is stored with the
        fault. `limits` are those of a batch, with its discount, and `earlier` are the attempts before those that the result lists.
        """
        answer = result.value_or(None)
        price = self.settings.price if limits is None else scale_price(self.settings.price, limits.find_price_factor)
        cost = None if answer is None else find_cost(answer, price, self.settings.model)
        done: Done[T] = build_done(key, result, self.settings, cost=cost, earlier=earlier)
        fault = None if isinstance(done.result, Success) else done.result.failure()
        is_mismatch = fault is not None and isinstance(result, Success)
        usage: Mapping[str, Any] = done.usage or {}
        row = FinishedRow(
            key=key,
            position=position,
            digest=digest,
            status="failed" if is_mismatch else status,
            body=encode_result(result, mismatch=fault if is_mismatch else None),
            fault=None if fault is None else type(fault).__name__,
            prompt_tokens=_check_count(usage.get("prompt_tokens")),
            completion_tokens=_check_count(usage.get("completion_tokens")),
            cost=cost,
            attempts=attempts,
        )
        return self.ledger.finish(row, done)

    def confirm(self, outcomes: Sequence[Done[T]], fault: Fault | None) -> None:
        """Return outcomes to the caller after their commit, or stop the job if that failed with `fault`."""
        if fault is not None:
            self.is_unrecorded = True
            for done in outcomes:
                self.stop(done.key, fault, done.response or done.embeddings, earlier=done.attempts)
            return
        self.results.extend([done for done in outcomes if self.reader.close_row(done.key)])
        self._arrived.set()
        if self.ledger.is_cancelled:
            self.cancel("the run was cancelled; the remaining rows are unfinished")


def _check_count(value: object) -> int | None:
    """Return a number of tokens; None for one of a custom provider that the ledger cannot store."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else None
