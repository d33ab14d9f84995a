"""Batch APIs on the engine: each exchange with the vendor is an operation; the core decides which step follows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from itertools import islice
from time import time
from typing import Any, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.batching.matching import ResultMatching
from victor_fp.core.batching.polling import end_expired, is_overdue
from victor_fp.core.batching.types import BatchHandle, BatchItem, BatchResult, BatchStatus, ItemContext, merge_contexts
from victor_fp.core.faults import Fault, InvalidRequest, ModelNotFound
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, StatusPage, StoreRead, SubmitStep
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.resilience.budget import Amount
from victor_fp.core.responses.batches import decode_item, find_error, list_missing_results, read_body
from victor_fp.core.responses.completions import ResponseContext
from victor_fp.core.result import outcome
from victor_fp.shell.engine.backend import Kind, KnownResult, PreparedExchange
from victor_fp.shell.engine.budget_keeper import BudgetKeeper
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool
from victor_fp.shell.object_store import ObjectStore

T = TypeVar("T")

UPLOAD_RATE = 1_000_000.0
"""Minimum expected bytes per second of an upload, by which its timeout is extended."""
MAX_LISTED = 500
"""Maximum number of batches that are searched for a token."""
DELETED_STATUSES = frozenset({404, 410})
"""HTTP statuses for a batch or results that the vendor has deleted."""
MAX_EMPTY_PAGES = 20
"""Maximum number of consecutive pages of a list without a new batch, or of steps without a result."""


class BatchClient(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor's batch API over the targets of a provider."""

    pool: TargetPool
    endpoint: Endpoint
    batch: BatchCodec
    store: ObjectStore
    """For the objects of vendors whose batches are in an object store."""
    budget: BudgetKeeper | None = None
    """The budget from which batches are paid."""

    async def submit(self, items: Sequence[BatchItem], token: str) -> Result[BatchHandle, Fault]:
        """Submit items as one batch; they must fit into one.

        The exchange that creates the batch is not retried. If it fails and the batch may have been created, the batch
        is searched by its token, so that nothing is paid twice.

        The estimated cost is reserved before anything is sent, and counts as spent unless the vendor certainly does not
        process the batch. Results do not change it: they may be read by another process, several times or never.
        """
        match outcome(await self._reserve(items)):
            case Failure(fault):
                return Failure(fault)
            case Success(estimate):
                pass
        may_be_billed, submitted_at = False, time()
        try:
            match outcome(await self._start(items, token)):
                case Failure(fault):
                    return Failure(fault)
                case Success(first):
                    step: SubmitStep | BatchHandle = first
            while isinstance(step, SubmitStep):
                was_billable, may_be_billed = may_be_billed, may_be_billed or step.spends  # also if it is cancelled
                match outcome(await self._send(step, token)):
                    case Success(following):
                        step = following
                    case Failure(fault):
                        may_be_billed = was_billable or (step.spends and fault.maybe_billed)
                        return Failure(_name_missing_api(fault))
        finally:
            if self.budget is not None and estimate is not None:
                self.budget.settle(estimate, fault=None if may_be_billed else InvalidRequest())
        shared = merge_contexts(items)
        handle = msgspec.structs.replace(step, model=shared.model, context=shared, submitted_at=submitted_at)
        return Success(handle)

    async def _send(self, step: SubmitStep, token: str) -> Result[SubmitStep | BatchHandle, Fault]:
        """Send one exchange; a batch that may have been created in spite of a failure is searched."""
        await self._wait(step.delay)
        retries = 0 if step.creates else None
        sent = outcome(await self._run_exchange(step.request, step.read, retries=retries, may_create=step.spends))
        if isinstance(sent, Failure) and step.creates and sent.failure().maybe_billed:
            found = await self.find(token)
            return sent if found is None else Success(found)
        return sent

    async def _reserve(self, items: Sequence[BatchItem]) -> Result[Amount | None, Fault]:
        """Reserve the estimated cost of a batch; None without a budget."""
        if self.budget is None:
            return Success(None)
        address = self.pool.targets[0].backend.address
        return await self.budget.reserve_batch(self.endpoint.spec.name, address, items, self.batch.support.limits)

    async def _start(self, items: Sequence[BatchItem], token: str) -> Result[SubmitStep, Fault]:
        """Return the first exchange, after writing the object that it refers to, if there is one."""
        first = self.batch.submit(items, token)
        if isinstance(first, SubmitStep):
            return Success(first)
        written = await self.store.write(first.url, first.data)
        return written.map(lambda _: first.following).alt(self._with_provider)

    async def find(self, token: str) -> BatchHandle | None:
        """Return the batch with this token, if the vendor stores tokens and has one."""
        return (await self.find_result(token)).value_or(None)

    async def find_result(self, token: str) -> Result[BatchHandle | None, Fault]:
        """Like `find`; a failure if the vendor's list cannot be read."""
        listed = await self.list_statuses(limit=MAX_LISTED)
        return listed.map(lambda statuses: next((one.handle for one in statuses if one.handle.token == token), None))

    async def status(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        """Return the status of a batch; one that has expired silently has ended."""
        return (await self._read_status(handle)).map(lambda status: end_expired(status, time()))

    async def _read_status(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        return await self._run_exchange(self.batch.status(handle), partial(self.batch.read_status, handle))

    async def cancel(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        """Cancel a batch and return its status.

        One that has ended is left alone, since some vendors would delete its results, and so is one that is being cancelled:
        vendors refuse to cancel it again. It may also end while it is cancelled.
        """
        if self.batch.cancel is None:
            message = f"batches of {handle.provider} cannot be cancelled"
            return Failure(InvalidRequest(provider=handle.provider, message=message))
        found = await self._read_status(handle)
        match outcome(found):
            case Success(status):
                if status.is_final or status.state == "cancelling":
                    return found.map(lambda one: end_expired(one, time()))
            case Failure(_):
                return found
        cancelled = await self._run_exchange(self.batch.cancel(handle), _ignore_body)
        after = await self.status(handle)
        match outcome(after):
            case Success(ended) if ended.is_final or ended.state == "cancelling":
                return after
            case Failure(fault) if fault.status in DELETED_STATUSES and isinstance(cancelled, Success):
                # Some vendors delete a batch to cancel it.
                return Success(msgspec.structs.replace(status, state="cancelled", sources=()))
            case _:
                return cancelled.bind(lambda _: after)

    async def list_statuses(self, *, limit: int) -> Result[list[BatchStatus], Fault]:
        """Return the account's batches, newest first."""
        statuses: dict[str, BatchStatus] = {}  # by id: if batches are created meanwhile, pages may overlap
        cursor: str | None = None
        empty = 0
        while empty < MAX_EMPTY_PAGES:
            before = len(statuses)
            sent: Result[StatusPage, Fault] = await self._run_exchange(
                self.batch.list_page(cursor), partial(self.batch.read_list, cursor)
            )
            match outcome(sent):
                case Success((page, following)):
                    for status in page:
                        statuses.setdefault(status.handle.id, end_expired(status, time()))
                case Failure(fault):
                    return Failure(fault)
            if following is None or following == cursor or len(statuses) >= limit:
                break
            cursor = following
            empty = empty + 1 if len(statuses) == before else 0
        return Success(list(islice(statuses.values(), limit)))

    async def read_results(
        self,
        handle: BatchHandle,
        keys: Iterable[str] | None,
        find_context: Callable[[str], ItemContext] | None = None,
    ) -> AsyncGenerator[Result[BatchResult, Fault], None]:
        """Yield the results of a batch's rows: successes, then at most one failure, which is the last item.

        `find_context` returns the context of the request of a key; without it, the common context in the handle is
        used.
        """
        match outcome(await self.status(handle)):
            case Failure(fault):
                yield Failure(fault)
                return
            case Success(status):
                pass
        if not status.is_final and not is_overdue(status, time()):
            message = f"batch {handle.id} has not ended (state: {status.state}); its results cannot be read yet"
            yield Failure(InvalidRequest(provider=handle.provider, message=message))
            return
        matching = ResultMatching(keys)
        error: Fault | None = None
        count = empty = 0
        step = self.batch.results(status)
        while step is not None and empty < MAX_EMPTY_PAGES:
            before = count
            if isinstance(step, ResultStep):
                await self._wait(step.delay)
            following = step.following if isinstance(step, ResultStep) else None
            pages = self._read_pages(step) if isinstance(step, ResultStep) else self._read_objects(step)
            async for received in pages:
                match outcome(received):
                    case Failure(fault):
                        yield Failure(fault)
                        return
                    case Success(page):
                        following = page.following or following
                        for item in page.items:
                            count += 1
                            error = find_error(self.batch, self.endpoint, item) if count == 1 else None
                            yield Success(decode_item(self.batch, self.endpoint, handle, matching, item, find_context))
            step, empty = following, 0 if count > before else empty + 1
        if error is not None:
            yield Failure(error)
            return
        for missing in list_missing_results(self.batch, self.endpoint, handle, status, matching):
            yield Success(missing)

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await self.pool.runtime.sleep(seconds)

    async def _read_pages(self, step: ResultStep) -> AsyncGenerator[Result[ResultPage, Fault], None]:
        """Yield the pages of one exchange: one page, or one for each network read."""
        if not step.is_lines:
            yield await self._run_exchange(step.request, step.read)
            return
        kind: Kind[ResultPage] = Kind(
            name="batch_results",
            compile=partial(self._compile, step.request, None, step.read),
            operation="batch_results",
            uses_breaker=False,
        )
        operation = Operation(self.pool, kind, CallSpec(stream=True))
        try:
            is_last = False
            while not is_last:
                match outcome(await operation.read_batch()):
                    case Success(batch):
                        is_last = batch.is_last
                        for page in batch.items:
                            yield Success(page)
                    case Failure(fault):
                        yield Failure(fault)
                        return
        finally:
            await operation.aclose()

    async def _read_objects(self, step: StoreRead) -> AsyncGenerator[Result[ResultPage, Fault], None]:
        """Yield the pages of the objects with results, one for some complete lines."""
        match outcome(await self.store.list(step.prefix)):
            case Failure(fault):
                yield Failure(self._with_provider(fault))
                return
            case Success(urls):
                pass
        for url in choose_objects(urls, step.names):
            rest = b""
            async with aclosing(self.store.read(url)) as pieces:
                async for received in pieces:
                    match outcome(received):
                        case Failure(fault):
                            yield Failure(self._with_provider(fault))
                            return
                        case Success(piece):
                            lines, newline, tail = piece.rpartition(b"\n")
                            if newline:
                                yield step.read(rest + lines)
                            rest = tail if newline else rest + piece
            if rest.strip():
                yield step.read(rest)

    def _with_provider(self, fault: Fault) -> Fault:
        return msgspec.structs.replace(fault, provider=self.endpoint.spec.name)

    async def _run_exchange(
        self,
        request: HttpRequest,
        read: Callable[[bytes], Result[T, Fault]],
        *,
        retries: int | None = None,
        may_create: bool = False,
    ) -> Result[T, Fault]:
        read = partial(read_body, self.batch.codec, read, may_create=may_create)
        kind: Kind[T] = Kind(
            name="batch", compile=partial(self._compile, request, read, None), operation="batch", uses_breaker=False
        )
        timeout = self.pool.targets[0].timeout + len(request.body) / UPLOAD_RATE
        return await Operation(self.pool, kind, CallSpec(max_retries=retries, timeout=timeout)).result()

    def _compile(
        self,
        request: HttpRequest,
        read: Callable[[bytes], Result[T, Fault]] | None,
        read_lines: Callable[[bytes], Result[T, Fault]] | None,
        codec: Codec,  # noqa: ARG002  every kind is compiled from the same arguments
        endpoint: Endpoint,  # noqa: ARG002
        spec: CallSpec,  # noqa: ARG002
        model: str,  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> Result[PreparedExchange[T] | KnownResult[T], Fault]:
        context = ResponseContext(endpoint=self.endpoint)
        exchange = PreparedExchange(
            request=request, codec=self.batch.codec, context=context, read=read, read_lines=read_lines
        )
        return Success(exchange)


def choose_objects(urls: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the URLs, sorted, whose names match the first pattern that matches any."""
    found = sorted(urls)
    chosen = ([url for url in found if re.fullmatch(name, url.rpartition("/")[2])] for name in names)
    return next((matching for matching in chosen if matching), [])


def _name_missing_api(fault: Fault) -> Fault:
    """Name the other reason for a status 404: servers of a vendor's format mostly have calls alone."""
    if not isinstance(fault, ModelNotFound) or fault.status != 404:
        return fault
    return msgspec.structs.replace(fault, message=f"{fault.message}, or the server has no batch API")


def _ignore_body(_: bytes) -> Result[None, Fault]:
    """Ignore the body: the status is requested afterwards."""
    return Success(None)
