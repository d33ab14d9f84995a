"""Polling of long-running predictions: carries out the machine's orders, and cancels abandoned predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias, assert_never

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.long_running.polling import (
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
"""Sends a request and reads its complete response, within a timeout in seconds."""
OpenResponse: TypeAlias = Callable[[HttpRequest, float], Awaitable[TransportResponse | Fault]]
"""Sends a request and waits for the headers of the response, within a timeout in seconds."""

CANCEL_TIMEOUT = 2.0
"""Timeout in seconds of the request that cancels an abandoned prediction."""


class PollingCall:
    """One prediction. Closing cancels it at the vendor unless its result is complete."""

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
        self._end_time = runtime.now() + timeout
        self.is_complete = False
        """Whether the stream has ended, so that there is nothing to cancel."""

    async def aclose(self) -> None:
        """Cancel the prediction if it is still running, and wait for the response up to `CANCEL_TIMEOUT`."""
        cancel = self._polling.cancel
        if cancel is not None and not self.is_complete:
            self.is_complete = True
            with suppress(TimeoutError):
                async with asyncio.timeout(CANCEL_TIMEOUT):
                    await self._exchange(cancel, CANCEL_TIMEOUT)

    async def read_response(self) -> Result[tuple[int, Mapping[str, str], bytes], Fault]:
        """Return the complete result, in the form of one exchange; the timeout applies to the whole polling."""
        ending = await self._poll()
        match ending:
            case UseResponse(response=response):
                return Success((response.status, dict(response.headers), response.body))
            case StopPolling(fault=fault):
                return Failure(fault)
            case OpenStream():
                return Failure(InvalidResponse(message="expected a complete result, got a stream"))
            case _:
                assert_never(ending)

    async def open(self, open_stream: OpenResponse) -> TransportResponse | Fault:
        """Return the result as a stream; a complete result becomes a stream of one part, within the same timeout."""
        ending = await self._poll()
        match ending:
            case OpenStream(request=request):
                return await open_stream(request, max(0.0, self._end_time - self._runtime.now()))
            case UseResponse(response=response):
                return BufferedResponse(response)
            case StopPolling(fault=fault):
                return fault
            case _:
                assert_never(ending)

    async def _poll(self) -> OpenStream | UseResponse | StopPolling:
        order: SendRequest | OpenStream | UseResponse | StopPolling = self._first
        while isinstance(order, SendRequest):
            remaining = self._end_time - self._runtime.now()
            if order.delay >= remaining:
                # Wait until the timeout, so that no retry follows in the remaining time.
                await self._runtime.sleep(max(0.0, remaining))
                return StopPolling(build_timeout_fault("read", "opening", self._timeout))
            if order.delay:
                await self._runtime.sleep(order.delay)
            event: PollingEvent
            seconds = min(remaining - order.delay, self._timeout if order.timeout is None else order.timeout)
            match outcome(await self._exchange(order.request, seconds)):
                case Success((status, headers, body)):
                    event = ExchangeDone(status=status, headers=headers, body=body)
                case Failure(fault):
                    event = ExchangeFailed(fault)
            self._polling, order = self._polling.advance(event)
        return order


class BufferedResponse:
    """A complete response with the interface of a streaming one."""

    def __init__(self, response: ExchangeDone) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._body: bytes | None = response.body

    async def receive(self) -> bytes | Fault | None:
        """Return the complete body, then None."""
        body, self._body = self._body, None
        return body or None

    async def read(self, limit: int) -> bytes | Fault:
        """Return the body."""
        body = await self.receive() or b""
        if isinstance(body, bytes) and len(body) > limit:
            return InvalidResponse(message=f"the body is larger than {limit} bytes")
        return body

    async def aclose(self) -> None:
        """Do nothing."""
