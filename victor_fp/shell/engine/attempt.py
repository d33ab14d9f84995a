"""Attempts over HTTP, with a complete body or a stream as response."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import DeadlineExceeded, Fault, FaultBase, InvalidResponse, TimedOut
from victor_fp.core.requests import HttpRequest
from victor_fp.core.responses.completions import with_context
from victor_fp.core.responses.streams import BODY_LIMIT, StreamReading, begin_reading, feed, finish, interrupt
from victor_fp.core.result import outcome
from victor_fp.core.types import StreamChunk, Usage
from victor_fp.shell.engine.backend import Batch, PreparedExchange, TimeLimits
from victor_fp.shell.engine.connection import Connection
from victor_fp.shell.timers import TimeLimit
from victor_fp.shell.transport.errors import build_timeout_fault
from victor_fp.shell.transport.protocol import TransportResponse

if TYPE_CHECKING:
    from victor_fp.shell.engine.polling import PollingCall

T = TypeVar("T")

TIMEOUT_SLACK = 0.05
"""Seconds added to the timeout of an attempt, so that the transport times out first, with a more precise fault."""
DRAIN_TIMEOUT = 0.25
"""Seconds to wait for the end of a finished response, so that its connection can be reused."""


class HttpAttempt(msgspec.Struct, Generic[T], eq=False):
    """Base class of attempts over HTTP."""

    _connection: Connection
    _exchange: PreparedExchange[T]
    _limits: TimeLimits
    headers: Mapping[str, str] = {}
    records: tuple[AttemptRecord, ...] = ()

    def __repr__(self) -> str:
        """Omit the connection."""
        return f"{type(self).__name__}({self._exchange.request!r})"

    def _build_failure(self, fault: Fault) -> Failure[Fault]:
        return Failure(self._connection.hide_secrets(with_context(self._exchange.context, fault)))

    async def _send(self, request: HttpRequest, seconds: float) -> TransportResponse | Fault:
        """Send a request and wait for the headers of the response, within a timeout in seconds."""
        connection = self._connection
        if connection.signer is not None and connection.signs:
            match outcome(await connection.sign(request)):
                case Failure(fault):
                    return fault
                case Success(request):
                    pass
        try:
            with TimeLimit(seconds + TIMEOUT_SLACK):
                return await connection.transport.open(request, connection.secret, self._limits.timeout)
        except TimeoutError:
            return build_timeout_fault("read", "opening", self._limits.timeout)

    async def _fetch(self, request: HttpRequest, timeout: float) -> Result[tuple[int, Mapping[str, str], bytes], Fault]:
        """Send a request and read its complete response: status, headers, body."""
        connection = self._connection
        if connection.signer is not None and connection.signs:
            match outcome(await connection.sign(request)):
                case Success(request):
                    pass
                case Failure(fault):
                    return Failure(fault)
        response: TransportResponse | None = None
        try:
            with TimeLimit(timeout + TIMEOUT_SLACK):
                opened = await connection.transport.open(request, connection.secret, timeout)
                if isinstance(opened, FaultBase):
                    return Failure(opened)
                response = opened
                self.headers = response.headers
                body = await response.read(BODY_LIMIT)
            if not isinstance(body, bytes):
                return Failure(body)
            headers = response.headers if response.status < 400 else self._add_date(response.headers)
            return Success((response.status, headers, body))
        except TimeoutError:
            return Failure(build_timeout_fault("read", "opening", timeout))
        finally:
            if response is not None:
                await response.aclose()

    def _add_date(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Add a date to the headers of an error, against which a Retry-After with a date is measured."""
        return {"date": self._connection.runtime.read_date(), **headers}


class BodyAttempt(HttpAttempt[T], gc=False):
    """An attempt whose response is a complete body."""

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the only batch. The timeout applies to the whole attempt."""
        exchange = self._exchange
        if exchange.codec.start_polling is None or not exchange.request.is_polled:
            received = await self._fetch(exchange.request, self._limits.timeout)
        else:
            from victor_fp.shell.engine.polling import PollingCall

            runtime = self._connection.runtime
            seconds = self._limits.timeout
            call = PollingCall(
                self._fetch, runtime, exchange.codec.start_polling, exchange.request, seconds, stream=False
            )
            async with aclosing(call):
                received = await call.read_response()
        match outcome(received):
            case Success((status, headers, body)):
                if status >= 400:
                    return self._build_failure(exchange.codec.error(status, headers, body))
                if status >= 300 or exchange.read is None:
                    return self._build_failure(build_redirect_fault(status))
                match outcome(exchange.read(body)):
                    case Success(value):
                        if exchange.add_headers is not None:
                            value = exchange.add_headers(value, headers)
                        usage: Usage | None = getattr(value, "usage", None)
                        return Success(Batch((value,), is_last=True, usage=usage))
                    case Failure(fault):
                        return self._build_failure(fault)
            case Failure(fault):
                return self._build_failure(fault)

    async def aclose(self) -> None:
        """Do nothing: the connection has been released."""


class StreamAttempt(HttpAttempt[StreamChunk]):
    """An attempt whose response is read as a stream, one batch per network read."""

    _reading: StreamReading | None = None
    _response: TransportResponse | None = None
    _polling: PollingCall | None = None
    _end_time: float | None = None
    """When the first chunk, or else the last one, must have been received; None without a limit."""
    _last_end_time: float | None = None
    """The caller's deadline, for the last chunk."""
    _fault: Fault | None = None
    """Fault to return after the chunks that were received with it."""

    async def read_batch(self) -> Result[Batch[StreamChunk], Fault]:
        """Return the next chunks, or the fault that ends the attempt."""
        if self._fault is not None:
            return Failure(self._fault)
        if self._reading is None:
            reading = await self._open()
            if not isinstance(reading, StreamReading):
                return self._build_failure(reading)
            self._reading = reading
        while True:
            response, end_time = self._response, self._end_time
            piece: bytes | Fault | None = None
            if response is not None:
                if end_time is None or end_time - self._connection.runtime.now() >= self._limits.timeout:
                    piece = await response.receive()  # the transport applies the timeout to each read
                else:
                    piece = await self._receive_until(response, end_time)
            if isinstance(piece, bytes):
                read = feed(self._reading, piece)
            elif piece is None:
                read = finish(self._reading)
            else:
                read = interrupt(self._reading, _with_phase(piece, self._reading))
            self._reading = read.reading
            if read.fault is not None:
                self._fault = self._connection.hide_secrets(read.fault)
            if chunks := read.chunks:
                self._end_time = self._last_end_time
                last = chunks[-1]
                return Success(Batch(chunks, last.is_final, last.usage))
            if self._fault is not None:
                return Failure(self._fault)

    async def aclose(self) -> None:
        """Close the connection, or release it if the response was read to its end.

        A finished response is read to its end, for `DRAIN_TIMEOUT` at most.
        """
        response, self._response = self._response, None
        polling, self._polling = self._polling, None
        reading = self._reading
        try:
            if response is not None and reading is not None and reading.over and self._fault is None:
                with suppress(TimeoutError):
                    with TimeLimit(DRAIN_TIMEOUT):
                        while isinstance(await response.receive(), bytes):
                            pass
        finally:
            if response is not None:
                await response.aclose()
            if polling is not None:
                transcript = None if reading is None else reading.transcript
                polling.is_complete = transcript is not None and (
                    transcript.stopped is not None or transcript.fault is not None
                )
                await polling.aclose()

    def interrupt(self, fault: Fault) -> Fault:
        """Interrupt the stream; return the fault with the partial response."""
        if self._reading is None:
            return with_context(self._exchange.context, fault)
        return interrupt(self._reading, fault).fault or fault

    async def _open(self) -> StreamReading | Fault:
        exchange, connection, limits = self._exchange, self._connection, self._limits
        now = connection.runtime.now()
        self._end_time = now + limits.first
        if limits.total is not None:
            self._last_end_time = now + limits.total
            self._end_time = min(self._end_time, self._last_end_time)
        seconds = min(limits.timeout, max(0.0, self._end_time - now))
        follow = exchange.codec.start_polling if exchange.request.is_polled else None
        if follow is None:
            response = await self._send(exchange.request, seconds)
        else:
            from victor_fp.shell.engine.polling import PollingCall

            self._polling = PollingCall(self._fetch, connection.runtime, follow, exchange.request, seconds, stream=True)
            response = await self._polling.open(self._send)
        if isinstance(response, FaultBase):
            return response
        self._response = response
        self.headers = response.headers
        if 300 <= response.status < 400:
            return build_redirect_fault(response.status)
        headers = response.headers if response.status < 400 else self._add_date(response.headers)
        return begin_reading(exchange.context, exchange.codec, response.status, headers)

    async def _receive_until(self, response: TransportResponse, end_time: float) -> bytes | Fault | None:
        """Return the next bytes; None at the end. The first chunk and the caller's deadline are timed here."""
        remaining = max(0.0, end_time - self._connection.runtime.now())
        # Without a deadline the fault is the transport's, which is more precise.
        slack = 0.0 if remaining <= 0 or self._last_end_time is not None else TIMEOUT_SLACK
        if remaining + slack > 0:
            with suppress(TimeoutError):
                with TimeLimit(remaining + slack):
                    return await response.receive()
        if end_time == self._last_end_time:
            return DeadlineExceeded(message="the deadline passed while the response was read", maybe_billed=True)
        return build_timeout_fault("first_token", "reading", self._limits.timeout)


def build_redirect_fault(status: int) -> Fault:
    """Build the fault for a redirect. It is not followed, so that the key is not sent to another host."""
    message = f"status {status}: redirects are not followed, since they would send the key to another URL"
    return InvalidResponse(status=status, message=message)


def _with_phase(fault: Fault, reading: StreamReading) -> Fault:
    """Set the phase of a timeout before the first content to "first_token"."""
    if isinstance(fault, TimedOut) and not reading.transcript.has_output:
        return msgspec.structs.replace(fault, phase="first_token")
    return fault
