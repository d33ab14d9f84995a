"""Attempts whose response is a stream of lines, of any length: each network read yields the lines that it completed."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, FaultBase, InvalidResponse
from victor_fp.core.responses.streams import BODY_LIMIT
from victor_fp.core.result import outcome
from victor_fp.shell.engine.attempt import TIMEOUT_SLACK, HttpAttempt, build_redirect_fault
from victor_fp.shell.engine.backend import Batch
from victor_fp.shell.timers import TimeLimit
from victor_fp.shell.transport.errors import build_timeout_fault
from victor_fp.shell.transport.protocol import TransportResponse

T = TypeVar("T")


class LinesAttempt(HttpAttempt[T]):
    """Reads a stream of lines. Memory is bounded by one line and one read; the timeout applies to each read."""

    _response: TransportResponse | None = None
    _partial_line: list[bytes] = msgspec.field(default_factory=list)
    """Parts of an incomplete line."""
    _size: int = 0
    """Their bytes."""

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return decoded lines; the last batch may be empty."""
        if self._response is None and (fault := await self._open()) is not None:
            return self._build_failure(fault)
        while True:
            piece = await self._receive()
            if piece is None:
                return self._decode(b"".join(self._partial_line), is_last=True)
            if not isinstance(piece, bytes):
                return self._build_failure(piece)
            lines, newline, partial = piece.rpartition(b"\n")
            if not newline:
                self._partial_line.append(piece)
                self._size += len(piece)
                if self._size > BODY_LIMIT:
                    return self._build_failure(InvalidResponse(message=f"a line is larger than {BODY_LIMIT} bytes"))
                continue
            data = b"".join([*self._partial_line, lines])
            self._partial_line, self._size = [partial], len(partial)
            if data.strip():
                return self._decode(data, is_last=False)

    async def aclose(self) -> None:
        """Close the connection, or release it if the response was read to its end."""
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()

    def _decode(self, lines: bytes, *, is_last: bool) -> Result[Batch[T], Fault]:
        read = self._exchange.read_lines
        if read is None or not lines.strip():
            return Success(Batch((), is_last=is_last))
        match outcome(read(lines)):
            case Success(value):
                return Success(Batch((value,), is_last=is_last))
            case Failure(fault):
                return self._build_failure(fault)

    async def _open(self) -> Fault | None:
        """Send, and wait for the headers; the body of an error is read completely."""
        exchange = self._exchange
        timeout = self._compute_timeout()
        response = await self._send(exchange.request, timeout)
        if isinstance(response, FaultBase):
            return response
        self._response = response
        self.headers = response.headers
        if response.status < 300:
            return None
        if response.status < 400:
            return build_redirect_fault(response.status)
        body: bytes | Fault = b""
        with suppress(TimeoutError):
            with TimeLimit(timeout + TIMEOUT_SLACK):
                body = await response.read(BODY_LIMIT)
        return (
            body
            if not isinstance(body, bytes)
            else exchange.codec.error(response.status, self._add_date(response.headers), body)
        )

    async def _receive(self) -> bytes | Fault | None:
        response, timeout = self._response, self._compute_timeout()
        if response is None:
            return None
        try:
            with TimeLimit(timeout + TIMEOUT_SLACK):
                return await response.receive()
        except TimeoutError:
            return build_timeout_fault("read", "reading", timeout)

    def _compute_timeout(self) -> float:
        return min(self._limits.timeout, self._limits.first)
