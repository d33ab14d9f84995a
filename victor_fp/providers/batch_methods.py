"""Batches in the object API: submit rows, poll the status, read results, cancel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.batching.types import BatchHandle, BatchResult, BatchStatus
    from victor_fp.core.faults import Fault
    from victor_fp.core.jobs.rows import RowInput
    from victor_fp.core.types import ToolDefinition
    from victor_fp.shell.engine.batches import BatchClient

T = TypeVar("T")


class BatchMethods:
    """The methods for batches. Providers without a batch API return InvalidRequest.

    handle = await provider.submit_batch([Row("1", "Hi")], model="gpt-5-mini")
    while not (await provider.batch_status(handle)).is_final:
        await asyncio.sleep(60)
    async for done in provider.batch_results(handle, keys=["1"]):
        print(done.key, done.result)
    """

    @property
    def name(self) -> str:
        """The provider's name."""
        raise NotImplementedError

    async def open_batches(self) -> Result[BatchClient, Fault]:
        """Return the client of the vendor's batch API; InvalidRequest if there is none."""
        from returns.result import Failure

        from victor_fp.core.faults import InvalidRequest

        return Failure(InvalidRequest(provider=self.name, message=f"{self.name} does not support batches"))

    async def submit_batch(
        self,
        rows: Iterable[RowInput],
        *,
        model: str | None = None,
        tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
        **options: Any,
    ) -> BatchHandle:
        """Submit rows as one batch. Raises ProviderError.

        `rows`, `model`, `tools` and `options` are as in a job. A row that is not valid, a key that occurs twice, and
        rows that do not fit into one batch are rejected before anything is sent.
        """
        return _get_value(await self.submit_batch_result(rows, model=model, tools=tools, **options))

    async def submit_batch_result(
        self,
        rows: Iterable[RowInput],
        *,
        model: str | None = None,
        tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
        **options: Any,
    ) -> Result[BatchHandle, Fault]:
        """Submit rows as one batch."""
        from uuid import uuid4

        from returns.result import Failure, Success

        from victor_fp.core.result import outcome
        from victor_fp.providers.batch_rows import encode_rows

        match outcome(await self.open_batches()):
            case Failure(fault):
                return Failure(fault)
            case Success(client):
                pass
        chosen = model or getattr(self, "model", None) or getattr(self, "default_model", None)
        match outcome(encode_rows(client, self.name, rows, chosen, tools, options)):
            case Failure(fault):
                return Failure(fault)
            case Success(items):
                return await client.submit(items, uuid4().hex)

    async def batch_status(self, handle: BatchHandle) -> BatchStatus:
        """Return the status of a batch. Raises ProviderError."""
        return _get_value(await self.batch_status_result(handle))

    async def batch_status_result(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        """Return the status of a batch."""
        from returns.result import Failure, Success

        from victor_fp.core.result import outcome

        match outcome(await self._open_for(handle)):
            case Failure(fault):
                return Failure(fault)
            case Success(client):
                return await client.status(handle)

    async def cancel_batch(self, handle: BatchHandle) -> BatchStatus:
        """Cancel a batch; completed requests keep their results. Raises ProviderError."""
        return _get_value(await self.cancel_batch_result(handle))

    async def cancel_batch_result(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        """Cancel a batch; completed requests keep their results."""
        from returns.result import Failure, Success

        from victor_fp.core.result import outcome

        match outcome(await self._open_for(handle)):
            case Failure(fault):
                return Failure(fault)
            case Success(client):
                return await client.cancel(handle)

    async def list_batches(self, *, limit: int = 100) -> list[BatchStatus]:
        """Return the account's batches, newest first. Raises ProviderError."""
        return _get_value(await self.list_batches_result(limit=limit))

    async def list_batches_result(self, *, limit: int = 100) -> Result[list[BatchStatus], Fault]:
        """Return the account's batches, newest first."""
        from returns.result import Failure, Success

        from victor_fp.core.batching.checks import check_limit
        from victor_fp.core.result import outcome

        match outcome(await self.open_batches()):
            case Failure(fault):
                return Failure(fault)
            case Success(client):
                refusal = check_limit(limit, self.name)
                return await client.list_statuses(limit=limit) if refusal is None else Failure(refusal)

    async def batch_results(
        self, handle: BatchHandle, *, keys: Iterable[str] | None = None
    ) -> AsyncIterator[BatchResult]:
        """Yield the results of a batch, in no particular order. Raises ProviderError during iteration.

        With the `keys` that were submitted, results of other ids are marked `unknown`, and rows without a result come
        last, marked `missing`. Results of an expired or cancelled batch are those of the rows that were answered in
        time.
        """
        async for received in self.batch_results_result(handle, keys=keys):
            yield _get_value(received)

    async def batch_results_result(
        self, handle: BatchHandle, *, keys: Iterable[str] | None = None
    ) -> AsyncIterator[Result[BatchResult, Fault]]:
        """Iterate over the results of a batch: successes, then at most one failure, which is the last item."""
        from returns.result import Failure, Success

        from victor_fp.core.batching.checks import check_keys
        from victor_fp.core.result import outcome

        match outcome(await self._open_for(handle)):
            case Failure(fault):
                yield Failure(fault)
                return
            case Success(client):
                pass
        match outcome(check_keys(keys, self.name)):
            case Failure(fault):
                yield Failure(fault)
                return
            case Success(expected):
                pass
        results = client.read_results(handle, expected)
        try:
            async for received in results:
                yield received
        finally:
            await results.aclose()

    async def _open_for(self, handle: BatchHandle) -> Result[BatchClient, Fault]:
        from returns.result import Failure

        from victor_fp.core.batching.checks import check_handle

        fault = check_handle(handle, self.name)
        return await self.open_batches() if fault is None else Failure(fault)


def _get_value(result: Result[T, Fault]) -> T:
    from victor_fp.providers.errors import unwrap_or_raise

    return unwrap_or_raise(result)
