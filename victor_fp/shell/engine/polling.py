"""Polling of long-running predictions: carries out the machine's orders, and cancels the prediction of a caller who leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias, assert_never

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.polling import (
    ExchangeDone,
    ExchangeFailed,
    OpenStream,
    PollingEvent,
    SendRequest,
    StartPolling,
    StopPolling,
    UseResponse,
)
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.transport.errors import build_timeout_fault
from victor_fp.shell.transport.protocol import TransportResponse

SendExchange: TypeAlias = Callable[[HttpRequest, float], Awaitable[Result[tuple[int, Mapping[str, str], bytes], Fault]]]
"""One request and its whole response, within so many seconds."""
OpenResponse: TypeAlias = Callable[[HttpRequest], Awaitable[TransportResponse | Fault]]
"""One request and the response whose headers have come."""

CANCEL_TIMEOUT = 2.0
"""Seconds granted to the request that cancels a prediction nobody waits for."""


class PollingCall:
    """One prediction. Closing it cancels the prediction at the vendor unless its answer is whole."""

    def __init__(
        self,
        exchange: SendExchange,
        runtime: Runtime,
        follow: StartPolling,
        request: HttpRequest,
        timeout: float,
        *,
        stream: bool,
    ) -> None:
        self._exchange, self._runtime, self._timeout = exchange, runtime, timeout
        self._polling, self._first = follow(request, stream, timeout)
        self.is_whole = False
        """The answer has streamed to its end; nothing is left to be cancelled."""

    async def aclose(self) -> None:
        """Cancel the prediction where it still runs, and wait a moment for the vendor to confirm."""
        cancel = self._polling.cancel
        if cancel is not None and not self.is_whole:
            self.is_whole = True
            with suppress(TimeoutError):
                async with asyncio.timeout(CANCEL_TIMEOUT):
                    await self._exchange(cancel, CANCEL_TIMEOUT)

    async def read_whole(self) -> Result[tuple[int, Mapping[str, str], bytes], Fault]:
        """The whole answer, as one exchange would have given it; the timeout bounds all of it."""
        ending = await self._poll()
        match ending:
            case UseResponse(response=response):
                return Success((response.status, dict(response.headers), response.body))
            case StopPolling(fault=fault):
                return Failure(fault)
            case OpenStream():
                return Failure(InvalidResponse(message="a stream where a whole answer was asked for"))
            case _:
                assert_never(ending)

    async def open(self, open_stream: OpenResponse) -> TransportResponse | Fault:
        """The answer as a stream; where it comes whole, as a stream of one piece, and no later than a whole answer."""
        ending = await self._poll()
        match ending:
            case OpenStream(request=request):
                return await open_stream(request)
            case UseResponse(response=response):
                return WholeResponse(response)
            case StopPolling(fault=fault):
                return fault
            case _:
                assert_never(ending)

    async def _poll(self) -> OpenStream | UseResponse | StopPolling:
        until = self._runtime.now() + self._timeout
        order: SendRequest | OpenStream | UseResponse | StopPolling = self._first
        while isinstance(order, SendRequest):
            left = until - self._runtime.now()
            if order.delay >= left:
                # The time is used up, so that nobody tries again in what is left of it.
                await self._runtime.sleep(max(0.0, left))
                return StopPolling(build_timeout_fault("read", "opening", self._timeout))
            if order.delay:
                await self._runtime.sleep(order.delay)
            event: PollingEvent
            seconds = min(left - order.delay, self._timeout if order.timeout is None else order.timeout)
            match outcome(await self._exchange(order.request, seconds)):
                case Success((status, headers, body)):
                    event = ExchangeDone(status=status, headers=headers, body=body)
                case Failure(fault):
                    event = ExchangeFailed(fault)
            self._polling, order = self._polling.advance(event)
        return order


class WholeResponse:
    """A response that has come already, read like one that still comes."""

    def __init__(self, response: ExchangeDone) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._body: bytes | None = response.body

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
