"""One try of a stream: an open answer, and where its reading stands."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import msgspec
from returns.result import Failure, Success

from victor_fp.core.answers import Asked, placed
from victor_fp.core.faults import DeadlineExceeded, Fault, FaultBase, TimedOut
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.stream_reading import StreamReading, fed, finished, interrupted, opened
from victor_fp.core.types import StreamChunk
from victor_fp.shell.call import SLACK, dated, exchanged, redirected
from victor_fp.shell.following import Work
from victor_fp.shell.line import Line
from victor_fp.shell.transport.errors import timeout_fault
from victor_fp.shell.transport.protocol import TransportResponse

DRAIN = 0.25
"""Seconds granted to a server for closing an answer that is over, so that its connection can be used again."""


class Batch(msgspec.Struct, frozen=True):
    """What one read from the network brought: chunks, then at most one fault, which is the end."""

    chunks: list[StreamChunk]
    fault: Fault | None = None


class Try:
    """One try: an open answer and where its reading stands. `moment`, in the runtime's clock, is the deadline: the
    caller's, which holds to the end, or one that holds to the first chunk.
    """

    def __init__(
        self,
        line: Line,
        speaker: Codec,
        asked: Asked,
        request: HttpRequest,
        timeout: float,
        moment: float | None,
        *,
        to_the_end: bool = True,
    ) -> None:
        self._line = line
        self._speaker = speaker
        self._asked = asked
        self._request = request
        self._timeout = timeout
        self._moment = moment
        self._to_the_end = to_the_end
        self._watched = True
        self._reply: TransportResponse | None = None
        self._work: Work | None = None
        self._reading: StreamReading | None = None

    async def batch(self) -> Batch:
        """The next chunks, or the fault that ended the try."""
        if self._reading is None:
            reading = await self._opened()
            if not isinstance(reading, StreamReading):
                return Batch([], self._line.shown(placed(self._asked, reading)))
            self._reading = reading
        while True:
            piece = await self._piece()
            if isinstance(piece, bytes):
                read = fed(self._reading, piece)
            elif piece is None:
                read = finished(self._reading)
            else:
                read = interrupted(self._reading, _phased(piece, self._reading))
            self._reading = read.reading
            if read.chunks or read.fault is not None:
                self._moment = self._moment if self._to_the_end else None
                self._watched = self._moment is not None
                return Batch(read.chunks, None if read.fault is None else self._line.shown(read.fault))

    async def drained(self) -> None:
        """Read to the end of an answer that is over, for a moment at most, and give the connection back."""
        if self._reply is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN):
                    while isinstance(await self._reply.receive(), bytes):
                        pass
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection, or give it back where the answer was read to its end."""
        reply, self._reply = self._reply, None
        if reply is not None:
            await reply.aclose()
        work, self._work = self._work, None
        if work is not None:
            told = None if self._reading is None else self._reading.transcript
            work.whole = told is not None and (told.stopped is not None or told.fault is not None)
            await work.aclose()

    async def _opened(self) -> StreamReading | Fault:
        line = self._line
        follow = self._speaker.follow
        if follow is None:
            reply = await self._sent(self._request)
        else:
            within = self._left(self._timeout)
            self._work = Work(partial(exchanged, line), line.runtime, follow, self._request, within, stream=True)
            reply = await self._work.opened(self._sent)
        if isinstance(reply, FaultBase):
            return reply
        self._reply = reply
        if 300 <= reply.status < 400:
            return redirected(reply.status)
        return opened(self._asked, self._speaker, reply.status, dated(line, reply))

    async def _sent(self, request: HttpRequest) -> TransportResponse | Fault:
        """The answer's headers."""
        line = self._line
        match outcome(await line.signed(request)):
            case Failure(fault):
                return fault
            case Success(signed):
                pass
        try:
            async with asyncio.timeout(self._left(self._timeout) + SLACK):
                return await line.transport.open(signed, line.secret, self._timeout)
        except TimeoutError:
            return timeout_fault("read", "opening", self._timeout)

    async def _piece(self) -> bytes | Fault | None:
        """The next bytes; None at the end. Before the first chunk, and up to a deadline, a clock of ours watches."""
        reply = self._reply
        if reply is None:
            return None
        if not self._watched:
            return await reply.receive()
        bound = self._timeout + SLACK  # the transport, which knows more, speaks first
        left = self._left(self._timeout)
        late = left < self._timeout
        if late:
            bound = left if self._to_the_end else left + SLACK * (left > 0)
        if bound > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(bound):
                    return await reply.receive()
        if late and self._to_the_end:
            return DeadlineExceeded(message="the deadline passed while the answer came", maybe_billed=True)
        return timeout_fault("first_token", "reading", self._timeout)

    def _left(self, timeout: float) -> float:
        if self._moment is None:
            return timeout
        return min(timeout, max(0.0, self._moment - self._line.runtime.now()))


def _phased(fault: Fault, reading: StreamReading) -> Fault:
    """A silence before the first piece of the answer is a wait for the first token."""
    if isinstance(fault, TimedOut) and not reading.transcript.spoken:
        return msgspec.structs.replace(fault, phase="first_token")
    return fault
