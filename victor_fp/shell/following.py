"""Answers that take more than one exchange: carry out the machine's orders, and end the work of a caller who leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias, assert_never

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.following import Answered, Broke, Event, Follow, Give, Open, Send, Stop
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.transport_faults import timed_out
from victor_fp.shell.wire import Reply

Exchange: TypeAlias = Callable[[HttpRequest, float], Awaitable[Result[tuple[int, dict[str, str], bytes], Fault]]]
"""One request and its whole answer, within so many seconds."""
Opened: TypeAlias = Callable[[HttpRequest, float], Awaitable[Reply | Fault]]
"""One request and its answer's headers, within so many seconds."""

FAREWELL = 2.0
"""Seconds granted to the request that ends work nobody waits for."""


class Work:
    """One order for work, for the length of an `async with`: unless the answer is whole by its end, the work is ended."""

    def __init__(
        self,
        exchange: Exchange,
        runtime: Runtime,
        follow: Follow,
        request: HttpRequest,
        timeout: float,
        *,
        stream: bool,
    ) -> None:
        self._exchange, self._runtime, self._timeout = exchange, runtime, timeout
        self._following, self._first = follow(request, stream, timeout)
        self.whole = False
        """The answer has come; nothing is left to be ended."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        farewell = self._following.cancel
        if farewell is not None and not self.whole:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._exchange(farewell, FAREWELL)

    async def answered(self) -> Result[tuple[int, dict[str, str], bytes], Fault]:
        """The whole answer, as one exchange would have given it; the timeout bounds all of it."""
        ending = await self._pursued(self._runtime.now() + self._timeout)
        match ending:
            case Give(answered=told):
                self.whole = True
                return Success((told.status, dict(told.headers), told.body))
            case Stop(fault=fault):
                return Failure(fault)
            case Open():
                return Failure(InvalidResponse(message="a stream where a whole answer was asked for"))
            case _:
                assert_never(ending)

    async def opened(self, open_: Opened, until: float) -> Reply | Fault:
        """The answer as a stream; where it comes whole, as a stream of one piece. `until` in the runtime's clock."""
        ending = await self._pursued(until)
        match ending:
            case Open(request=request):
                return await open_(request, self._timeout)
            case Give(answered=told):
                return WholeReply(told)
            case Stop(fault=fault):
                return fault
            case _:
                assert_never(ending)

    async def _pursued(self, until: float) -> Open | Give | Stop:
        order: Send | Open | Give | Stop = self._first
        while isinstance(order, Send):
            left = until - self._runtime.now()
            if order.rest >= left:
                return Stop(timed_out("read", "opening", self._timeout))
            if order.rest:
                await self._runtime.sleep(order.rest)
            event: Event
            match outcome(await self._exchange(order.request, min(left - order.rest, self._timeout))):
                case Success((status, headers, body)):
                    event = Answered(status=status, headers=headers, body=body)
                case Failure(fault):
                    event = Broke(fault)
            self._following, order = self._following.after(event)
        return order


class WholeReply:
    """An answer that has come already, for those who read answers as they come."""

    def __init__(self, answered: Answered) -> None:
        self.status: int = answered.status
        self.headers: Mapping[str, str] = answered.headers
        self._body = answered.body

    async def read(self, limit: int) -> bytes | Fault:
        """The body."""
        return self._body if len(self._body) <= limit else InvalidResponse(message=f"larger than {limit} bytes")

    async def chunks(self) -> AsyncGenerator[bytes | Fault, None]:
        """The body in one piece."""
        yield self._body

    async def aclose(self) -> None:
        """Nothing is open."""


def is_fault(reply: Reply | Fault) -> bool:
    """Whether there is no reply to read."""
    return isinstance(reply, msgspec.Struct)
