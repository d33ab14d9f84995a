"""SyncStream: a stream that is read in the background loop, a bounded number of items ahead of the consumer."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, overload

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.calls import fold_items
from victor_fp.providers.errors import error_from
from victor_fp.shell.background_loop import STOP_TIMEOUT, BackgroundLoop, LoopUnavailable, get_background_loop

END_TIMEOUT = 0.5
"""Seconds to wait for the end of a stream that is left at its final chunk."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

READ_AHEAD = 128
"""Items that are received ahead of the consumer. One network read rarely has more."""


class SyncStream(Iterator[T_co], Generic[T_co]):
    """An iterator that can be left early, or held with `with`; leaving closes the connection.

    Nothing is sent before the first item is requested. Leaving a `for` loop over it in any way ends the stream.
    """

    __slots__ = ("_are_results", "_items", "_reader")

    def __init__(self, items: AsyncIterator[T_co], *, are_results: bool = False) -> None:
        """`are_results`: the items are Results, and nothing is raised."""
        self._reader = _StreamReader(items)
        self._are_results = are_results
        self._items: Generator[T_co, None, None] | None = None

    def __iter__(self) -> Iterator[T_co]:  # noqa: PYI034
        """Return a generator for one loop, which closes the stream at the end of the loop."""
        return _read(self._reader, are_results=self._are_results)

    def __next__(self) -> T_co:
        if self._items is None:
            self._items = _read(self._reader, are_results=self._are_results)
        return next(self._items)

    @overload
    def response(self: SyncStream[StreamChunk]) -> CompletionResponse: ...
    @overload
    def response(self: SyncStream[Result[StreamChunk, Fault]]) -> Result[CompletionResponse, Fault]: ...
    def response(self: SyncStream[Any]) -> CompletionResponse | Result[CompletionResponse, Fault]:
        """Read the stream to its end and return the complete response.

        A stream of chunks raises ProviderError; a stream of results returns the failure.

            response = provider.stream(messages, model=model).response()
        """
        return fold_items([*self])

    def close(self) -> None:
        """Stop the stream, and close its connection."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _StreamReader(Generic[T]):
    """Reads an asynchronous stream in the background loop.

    `items` is filled by the loop and emptied by the reading thread. `_ready` is held while there are no new items; the
    loop releases it once for all items of one network read.
    """

    __slots__ = (
        "_done", "_error", "_host", "_is_left", "_is_over", "_is_waking", "_last", "_ready", "_room", "_stream", "_task", "items",
    )  # fmt: skip

    def __init__(self, stream: AsyncIterator[T]) -> None:
        self.items: deque[T] = deque()
        self._stream = stream
        self._host: BackgroundLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._ready = threading.Lock()
        self._done = threading.Lock()
        self._is_waking = False
        self._is_over = False
        self._is_left = False
        self._last: T | None = None
        self._error: BaseException | None = None

    def wait(self) -> bool:
        """Wait for new items; False after the end of the stream. Raises the exception of the stream."""
        if self._is_left:
            return False
        if self._is_over:
            if self.items:
                return True
            error, self._error = self._error, None
            if error is None:
                return False
            try:
                raise error
            finally:
                del error  # avoids a reference cycle of the exception and this frame
        host = self._host or self._start()
        if host.is_own_thread:
            raise LoopUnavailable(
                "a synchronous stream was read inside the background event loop: use the asynchronous one there"
            )
        if host.is_inherited:
            raise LoopUnavailable("the stream was opened before this process was forked")
        if self._room is not None:
            host.post(self._make_room)
        self._ready.acquire()
        return True

    def close(self) -> None:
        """End the stream, and wait until its connection is closed. A thread waiting for the next item gets its end."""
        self._is_left = True
        host = self._host
        if host is None or self._is_over or host.is_inherited:
            self._end()
            return
        with suppress(LoopUnavailable):
            host.post(self._leave)
            if not host.is_own_thread and self._done.acquire(timeout=STOP_TIMEOUT):
                self._done.release()
        self._end()

    def _end(self) -> None:
        self.items.clear()
        self._error = None
        self._is_over = True

    def _start(self) -> BackgroundLoop:
        host = get_background_loop()
        if host.is_own_thread:
            raise LoopUnavailable(
                "a synchronous stream was read inside the background event loop: use the asynchronous one there"
            )
        self._ready.acquire()
        self._done.acquire()
        context = copy_context()

        def start() -> None:
            self._task = asyncio.get_running_loop().create_task(self._run(), context=context)

        host.post(start)
        self._host = host
        return host

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        items = self.items
        try:
            async for item in self._stream:
                items.append(item)
                self._last = item
                if not self._is_waking:
                    self._is_waking = True
                    loop.call_soon(self._wake)  # after all items of this network read
                if len(items) >= READ_AHEAD:
                    self._room = loop.create_future()
                    await self._room
        except BaseException as error:  # raised in the reading thread
            self._error = error
        finally:
            close = getattr(self._stream, "aclose", None)
            if close is not None:
                with suppress(Exception):  # its fault was already reported, or no caller waits for it
                    await close()
            self._is_over = True
            if self._host is None or not self._host.is_stopping:
                self._wake()
                self._done.release()

    def _wake(self) -> None:
        self._is_waking = False
        if self._ready.locked():
            self._ready.release()

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _leave(self) -> None:
        """Cancel the reading at once, unless only the end of the response is missing, which releases its connection."""
        if self._task is None or self._is_over:
            return
        loop = asyncio.get_running_loop()
        if _is_final(self._last):
            self._make_room()
            loop.call_later(END_TIMEOUT, self._task.cancel)
        else:
            loop.call_soon(self._task.cancel)  # after its first step


def _read(reader: _StreamReader[T], *, are_results: bool) -> Generator[T, None, None]:
    """Yield the items of a stream, which is closed with this generator; it holds no reference to the SyncStream."""
    items = reader.items
    try:
        while True:
            while items:
                yield items.popleft()
            try:
                if not reader.wait():
                    return
            except LoopUnavailable as unavailable:
                fault = InvalidRequest(message=str(unavailable))
                if not are_results:
                    raise error_from(fault) from None
                failure: Any = Failure(fault)
                yield failure
                return
    finally:
        reader.close()


def _is_final(item: object) -> bool:
    chunk: object = item.value_or(None) if isinstance(item, Success | Failure) else item
    return isinstance(chunk, StreamChunk) and chunk.is_final
