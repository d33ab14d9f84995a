"""Answers that take more than one exchange: carry out the machine's orders, and end the work of a caller who leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias, assert_never

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.following import Answered, Broke, Event, Follow, Give, Open, Send, Stop
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.transport.errors import timeout_fault
from victor_fp.shell.transport.protocol import TransportResponse

Exchange: TypeAlias = Callable[[HttpRequest, float], Awaitable[Result[tuple[int, Mapping[str, str], bytes], Fault]]]
"""One request and its whole answer, within so many seconds."""
Opened: TypeAlias = Callable[[HttpRequest], Awaitable[TransportResponse | Fault]]
"""One request and its answer's headers."""

FAREWELL = 2.0
"""Seconds granted to the request that ends work nobody waits for."""


class Work:
    """One order for work; whoever makes one closes it, and it is ended there unless its answer is whole."""

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
        """The answer has streamed to its end; nothing is left to be ended."""

    async def aclose(self) -> None:
        """End the work where it still runs, and wait a moment for that to be heard."""
        farewell = self._following.cancel
        if farewell is not None and not self.whole:
            self.whole = True
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._exchange(farewell, FAREWELL)

    async def answered(self) -> Result[tuple[int, Mapping[str, str], bytes], Fault]:
        """The whole answer, as one exchange would have given it; the timeout bounds all of it."""
        ending = await self._pursued()
        match ending:
            case Give(answered=told):
                return Success((told.status, dict(told.headers), told.body))
            case Stop(fault=fault):
                return Failure(fault)
            case Open():
                return Failure(InvalidResponse(message="a stream where a whole answer was asked for"))
            case _:
                assert_never(ending)

    async def opened(self, open_: Opened) -> TransportResponse | Fault:
        """The answer as a stream; where it comes whole, as a stream of one piece, and no later than a whole answer."""
        ending = await self._pursued()
        match ending:
            case Open(request=request):
                return await open_(request)
            case Give(answered=told):
                return WholeReply(told)
            case Stop(fault=fault):
                return fault
            case _:
                assert_never(ending)

    async def _pursued(self) -> Open | Give | Stop:
        until = self._runtime.now() + self._timeout
        order: Send | Open | Give | Stop = self._first
        while isinstance(order, Send):
            left = until - self._runtime.now()
            if order.rest >= left:
                return Stop(timeout_fault("read", "opening", self._timeout))
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
        self._body: bytes | None = answered.body

    async def receive(self) -> bytes | Fault | None:
        """The body in one piece, then the end."""
        body, self._body = self._body, None
        return body or None

    async def read(self, limit: int) -> bytes | Fault:
        """The body."""
        body = await self.receive() or b""
        if isinstance(body, bytes) and len(body) > limit:
            return InvalidResponse(message=f"the body is larger than {limit} bytes")
        return body

    async def aclose(self) -> None:
        """Nothing is open."""
