"""Synchronous methods for batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from victor_fp.providers.batch_methods import BatchMethods
from victor_fp.providers.sync_chat import run_or_raise, run_result
from victor_fp.providers.sync_stream import SyncStream

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.batching.types import BatchHandle, BatchResult, BatchStatus
    from victor_fp.core.faults import Fault
    from victor_fp.core.jobs.rows import RowInput
    from victor_fp.core.types import ToolDefinition


class SyncBatchMethods:
    """The methods for batches.

    handle = provider.submit_batch([Row("1", "Hi")], model="gpt-5-mini")
    while not provider.batch_status(handle).is_final:
        time.sleep(60)
    for done in provider.batch_results(handle, keys=["1"]):
        print(done.key, done.result)
    """

    @property
    def provider(self) -> BatchMethods:
        """The underlying asynchronous provider."""
        raise NotImplementedError

    def submit_batch(
        self,
        rows: Iterable[RowInput],
        *,
        model: str | None = None,
        tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
        **options: Any,
    ) -> BatchHandle:
        """Submit rows as one batch. Raises ProviderError."""
        return run_or_raise(self.provider.submit_batch(rows, model=model, tools=tools, **options))

    def submit_batch_result(
        self,
        rows: Iterable[RowInput],
        *,
        model: str | None = None,
        tools: Iterable[ToolDefinition | Mapping[str, Any]] = (),
        **options: Any,
    ) -> Result[BatchHandle, Fault]:
        """Submit rows as one batch."""
        return run_result(self.provider.submit_batch_result(rows, model=model, tools=tools, **options))

    def batch_status(self, handle: BatchHandle) -> BatchStatus:
        """Return the status of a batch. Raises ProviderError."""
        return run_or_raise(self.provider.batch_status(handle))

    def batch_status_result(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        """Return the status of a batch."""
        return run_result(self.provider.batch_status_result(handle))

    def cancel_batch(self, handle: BatchHandle) -> BatchStatus:
        """Cancel a batch; completed requests keep their results. Raises ProviderError."""
        return run_or_raise(self.provider.cancel_batch(handle))

    def cancel_batch_result(self, handle: BatchHandle) -> Result[BatchStatus, Fault]:
        """Cancel a batch; completed requests keep their results."""
        return run_result(self.provider.cancel_batch_result(handle))

    def list_batches(self, *, limit: int = 100) -> list[BatchStatus]:
        """Return the account's batches, newest first. Raises ProviderError."""
        return run_or_raise(self.provider.list_batches(limit=limit))

    def list_batches_result(self, *, limit: int = 100) -> Result[list[BatchStatus], Fault]:
        """Return the account's batches, newest first."""
        return run_result(self.provider.list_batches_result(limit=limit))

    def batch_results(self, handle: BatchHandle, *, keys: Iterable[str] | None = None) -> SyncStream[BatchResult]:
        """Iterate over the results of a batch, in no particular order. Raises ProviderError during iteration."""
        return SyncStream(self.provider.batch_results(handle, keys=keys))

    def batch_results_result(
        self, handle: BatchHandle, *, keys: Iterable[str] | None = None
    ) -> SyncStream[Result[BatchResult, Fault]]:
        """Iterate over the results of a batch: successes, then at most one failure, which is the last item."""
        return SyncStream(self.provider.batch_results_result(handle, keys=keys), are_results=True)
