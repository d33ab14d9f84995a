"""ChatStream, and the conversion of engine results to values or exceptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault, InvalidResponse
from victor_fp.core.responses import dump_attempts, fold_chunks, record_attempts
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.errors import error_from
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.kinds import COMPLETION, STREAM
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool

T_co = TypeVar("T_co", covariant=True)


class ChatStream(AsyncIterator[T_co], Generic[T_co]):
    """An async iterator that can be left early, or held with `async with`; leaving closes the connection.

    Nothing is sent before the first item is requested.
    """

    __slots__ = ("_items",)

    def __init__(self, items: AsyncGenerator[T_co, None]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[T_co]:  # noqa: PYI034
        """Return the underlying generator, which avoids a call per item."""
        return self._items

    async def __anext__(self) -> T_co:
        return await anext(self._items)

    @overload
    async def response(self: ChatStream[StreamChunk]) -> CompletionResponse: ...
    @overload
    async def response(self: ChatStream[Result[StreamChunk, Fault]]) -> Result[CompletionResponse, Fault]: ...
    async def response(self: ChatStream[Any]) -> CompletionResponse | Result[CompletionResponse, Fault]:
        """Read the stream to its end and return the complete response.

        A stream of chunks raises ProviderError; a stream of results returns the failure.

            response = await provider.stream(messages, model=model).response()
        """
        chunks: list[StreamChunk] = []
        are_results = False
        async with self:
            async for item in self._items:
                if isinstance(item, StreamChunk):
                    chunks.append(item)
                    continue
                are_results = True
                result: Result[StreamChunk, Fault] = item
                match outcome(result):
                    case Success(chunk):
                        chunks.append(chunk)
                    case Failure(fault):
                        return Failure(fault)
        if not chunks:
            raise error_from(InvalidResponse(message="the stream has already been read to its end"))
        response = fold_chunks(chunks)
        return Success(response) if are_results else response

    async def aclose(self) -> None:
        """Stop the stream, and close its connection."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def complete(pool: TargetPool, spec: Result[CallSpec, Fault]) -> Result[CompletionResponse, Fault]:
    """Run a call and return its response, with its attempts in the metadata if there were several."""
    match outcome(spec):
        case Success(call):
            if call.repairs:
                from victor_fp.shell.engine.repair import complete_with_repairs

                result, attempts = await complete_with_repairs(pool, call)
            else:
                operation = Operation(pool, COMPLETION, call)
                result = await operation.result()
                attempts = operation.records
            if len(attempts) < 2:
                return result
            return result.map(lambda response: record_attempts(response, attempts))
        case Failure(fault):
            return Failure(fault)


PoolOrChoice: TypeAlias = TargetPool | Callable[[], Result[TargetPool, Fault]]
"""The targets of a stream, or a function that selects them when the first item is requested."""


def _open_operation(targets: PoolOrChoice, spec: Result[CallSpec, Fault]) -> Result[Operation[StreamChunk], Fault]:
    match outcome(spec):
        case Success(call):
            pass
        case Failure(fault):
            return Failure(fault)
    if isinstance(targets, TargetPool):
        return Success(Operation(targets, STREAM, call))
    return targets().map(lambda chosen: Operation(chosen, STREAM, call))


async def stream_results(
    targets: PoolOrChoice, spec: Result[CallSpec, Fault]
) -> AsyncGenerator[Result[StreamChunk, Fault], None]:
    """Yield the chunks of a stream: successes, then at most one failure, which is the last item."""
    match outcome(_open_operation(targets, spec)):
        case Failure(fault):
            yield Failure(fault)
            return
        case Success(operation):
            pass
    try:
        is_last = False
        while not is_last:
            match outcome(await operation.read_batch()):
                case Success(batch):
                    is_last = batch.is_last
                    for chunk in batch.items:
                        yield Success(_with_attempts(chunk, operation.records) if chunk.is_final else chunk)
                case Failure(fault):
                    yield Failure(fault)
                    return
    finally:
        await operation.aclose()


async def stream_chunks(targets: PoolOrChoice, spec: Result[CallSpec, Fault]) -> AsyncGenerator[StreamChunk, None]:
    """Like `stream_results`, but raise the failure as ProviderError."""
    match outcome(_open_operation(targets, spec)):
        case Failure(fault):
            raise error_from(fault)
        case Success(operation):
            pass
    try:
        is_last = False
        while not is_last:
            match outcome(await operation.read_batch()):
                case Success(batch):
                    is_last = batch.is_last
                    for chunk in batch.items:
                        yield _with_attempts(chunk, operation.records) if chunk.is_final else chunk
                case Failure(fault):
                    raise error_from(fault)
    finally:
        await operation.aclose()


def _with_attempts(chunk: StreamChunk, attempts: tuple[Attempt, ...]) -> StreamChunk:
    """Add the attempts to the final chunk, if there were several."""
    if len(attempts) < 2:
        return chunk
    metadata = {**(chunk.metadata or {}), "attempts": dump_attempts(attempts)}
    response = None if chunk.response is None else record_attempts(chunk.response, attempts)
    return chunk.model_copy(update={"metadata": metadata, "response": response})
