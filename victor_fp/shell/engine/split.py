"""Calls that need several requests: their parts run concurrently, and their results are joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.shell.engine.backend import BackendAttempt, Batch, Split, TimeLimits
from victor_fp.shell.engine.call_spec import CallSpec

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

PARALLEL_PARTS = 8
"""Maximum concurrent parts of one call; rate limits and queues also apply to each part."""


class PartOperation(Protocol[T_co]):
    """The operation of one part."""

    @property
    def records(self) -> tuple[AttemptRecord, ...]:
        """Its attempts, after it has ended."""
        ...

    async def result(self) -> Result[T_co, Fault]:
        """Return its result."""
        ...


class SplitRequest(Generic[T]):
    """A call in parts. Each has its own permits, retries and breaker reports; one that fails ends the others."""

    def __init__(self, split: Split[T], begin: Callable[[CallSpec, TimeLimits], PartOperation[T]]) -> None:
        self.split = split
        self.begin = begin

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:
        """Start all parts, within the remaining time of the caller's deadline."""
        return SplitAttempt(self, limits)


class SplitAttempt(Generic[T]):
    """An attempt that runs all parts, at most `PARALLEL_PARTS` concurrently."""

    headers: Mapping[str, str] = {}

    def __init__(self, request: SplitRequest[T], limits: TimeLimits) -> None:
        self._request = request
        self._limits = limits
        self._records: dict[int, tuple[AttemptRecord, ...]] = {}
        self._results: dict[int, T] = {}

    @property
    def records(self) -> tuple[AttemptRecord, ...]:
        """The failed attempts, part by part, and one successful attempt if all parts succeeded."""
        records = [record for index in sorted(self._records) for record in self._records[index]]
        failed = [record for record in records if record.outcome != "ok"]
        if len(self._results) < len(self._request.split.specs):
            return tuple(failed)
        return (*failed, *[record for record in records if record.outcome == "ok"][-1:])

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the only batch: the joined result."""
        specs = self._request.split.specs
        queue = iter(enumerate(specs))
        pending = {asyncio.create_task(self._work(queue)) for _ in range(min(PARALLEL_PARTS, len(specs)))}
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    fault = task.result()
                    if fault is not None:
                        return Failure(fault)
        finally:
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.gather(*pending, return_exceptions=True)
        joined = self._request.split.join([self._results[index] for index in range(len(specs))])
        return joined.map(lambda value: Batch((value,), is_last=True, usage=getattr(value, "usage", None)))

    async def _work(self, queue: Iterator[tuple[int, CallSpec]]) -> Fault | None:
        """Take parts from the queue until it is empty, or until one fails."""
        for index, spec in queue:
            operation = self._request.begin(spec, self._limits)
            result = await operation.result()
            self._records[index] = operation.records
            match outcome(result):
                case Success(value):
                    self._results[index] = value
                case Failure(fault):
                    return fault
        return None

    async def aclose(self) -> None:
        """Do nothing: all parts end before `read_batch` returns."""
