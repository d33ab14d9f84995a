"""One stream: carry out the machine's orders; once a piece of the answer is out, deliver it to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import assert_never

import msgspec
from returns.result import Failure, Success

from victor_fp.core.answers import Asked, placed
from victor_fp.core.faults import Attempt, Fault, TimedOut
from victor_fp.core.protocols import Speaker
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.resilience.call import (
    Abandoned,
    Answered,
    Committed,
    Deliver,
    Event,
    Failed,
    Rested,
    Send,
    Settle,
    Wait,
    advance,
    begin,
)
from victor_fp.core.result import outcome
from victor_fp.core.stream_reading import StreamReading, fed, finished, interrupted, opened
from victor_fp.core.types import StreamChunk
from victor_fp.shell.call import SLACK, dated, redirected
from victor_fp.shell.line import Line
from victor_fp.shell.transport_faults import timed_out
from victor_fp.shell.wire import Reply

DRAIN = 0.25
"""Seconds granted to a server for closing an answer that is over, so that its connection can be used again."""


class Batch(msgspec.Struct, frozen=True):
    """What one read from the network brought: chunks, then at most one fault, which is the end."""

    chunks: list[StreamChunk]
    fault: Fault | None = None


async def streamed(
    line: Line, request: ChatRequest, *, timeout: float | None = None, deadline: float | None = None
) -> AsyncGenerator[Batch, None]:
    """The answer as it comes, in batches. The last chunk of the last batch is final, or the batch has a fault.

    `timeout` bounds each silence, connecting included. `deadline` bounds the whole stream where it is given; where not,
    the default one bounds the time to the first piece, since an answer that flows may take as long as it takes.
    """
    match outcome(await line.ready()):
        case Failure(fault):
            yield Batch([], fault)
            return
        case Success(speaker):
            pass
    match outcome(speaker.request(request)):
        case Failure(fault):
            yield Batch([], fault)
            return
        case Success(built):
            asked = Asked(endpoint=line.endpoint, model=request.model, adjustments=built.adjustments)
    async with aclosing(_carried_out(line, speaker, asked, built, timeout or line.timeout, deadline)) as batches:
        async for batch in batches:
            yield batch


async def _carried_out(
    line: Line, speaker: Speaker, asked: Asked, request: HttpRequest, timeout: float, deadline: float | None
) -> AsyncGenerator[Batch, None]:
    gate, runtime = line.gate, line.runtime
    began = runtime.now()
    bounded = deadline is not None
    call, gate.breaker, order = begin(
        line.retries,
        gate.breaker,
        began,
        timeout=timeout,
        deadline=None if deadline is None else began + deadline,
        provider=asked.endpoint.spec.name,
        model=asked.model,
    )
    event: Event
    try:
        while True:
            match order:
                case Send(timeout=seconds, deadline=moment):
                    event = Answered(200)
                    committed = False
                    tries = _attempted(line, speaker, asked, request, seconds, moment, bounded=bounded)
                    async with aclosing(tries) as batches:
                        async for batch in batches:
                            if batch.chunks and not committed:
                                committed = True
                                call, gate.breaker, order = advance(call, gate.breaker, Committed(), runtime.now())
                            if batch.fault is not None:
                                event = Failed(batch.fault, runtime.luck())
                                if batch.chunks:
                                    yield Batch(batch.chunks)
                                break
                            if batch.chunks and batch.chunks[-1].is_final:
                                call, gate.breaker, order = advance(call, gate.breaker, event, runtime.now())
                                yield _with_attempts(batch, order)
                            elif batch.chunks:
                                yield batch
                    if isinstance(order, Settle):
                        return
                case Wait(seconds=seconds):
                    await runtime.sleep(seconds)
                    event = Rested()
                case Deliver():
                    event = Answered()
                case Settle(fault=fault):
                    if fault is not None:
                        yield Batch([], fault)
                    return
                case _:
                    assert_never(order)
            call, gate.breaker, order = advance(call, gate.breaker, event, runtime.now())
    finally:
        _, gate.breaker, _ = advance(call, gate.breaker, Abandoned(), runtime.now())


def _with_attempts(batch: Batch, order: object) -> Batch:
    attempts: tuple[Attempt, ...] = order.attempts if isinstance(order, Settle) else ()
    if len(attempts) < 2:
        return batch
    last = batch.chunks[-1]
    metadata = {**(last.metadata or {}), "attempts": [msgspec.to_builtins(attempt) for attempt in attempts]}
    return Batch([*batch.chunks[:-1], last.model_copy(update={"metadata": metadata})])


async def _attempted(
    line: Line,
    speaker: Speaker,
    asked: Asked,
    request: HttpRequest,
    timeout: float,
    moment: float,
    *,
    bounded: bool,
) -> AsyncGenerator[Batch, None]:
    """One try. `moment`, in the runtime's clock, is the deadline of the whole call."""
    match outcome(await line.signed(request)):
        case Failure(fault):
            yield Batch([], fault)
            return
        case Success(signed):
            pass
    reply = await _opened(line, signed, timeout)
    if isinstance(reply, msgspec.Struct):
        yield Batch([], placed(asked, reply))
        return
    try:
        if 300 <= reply.status < 400:
            yield Batch([], placed(asked, redirected(reply.status)))
            return
        reading = opened(asked, speaker, reply.status, dated(line, reply))
        async with aclosing(reply.chunks()) as pieces:
            async with aclosing(_read(line, reading, pieces, timeout, moment, bounded=bounded)) as batches:
                async for batch in batches:
                    yield batch
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN):
                    async for _ in pieces:
                        pass
    finally:
        await reply.aclose()


async def _opened(line: Line, request: HttpRequest, timeout: float) -> Reply | Fault:
    try:
        async with asyncio.timeout(timeout + SLACK):
            return await line.wire.open(request, line.secret, timeout)
    except TimeoutError:
        return timed_out("read", "opening", timeout)


async def _read(
    line: Line,
    reading: StreamReading,
    pieces: AsyncGenerator[bytes | Fault, None],
    timeout: float,
    moment: float,
    *,
    bounded: bool,
) -> AsyncGenerator[Batch, None]:
    watched, left = True, timeout
    while True:
        try:
            if watched:
                left = max(0.0, moment - line.runtime.now()) if bounded else timeout
                async with asyncio.timeout(min(left, timeout) + SLACK):
                    piece = await anext(pieces, None)
            else:
                piece = await anext(pieces, None)
        except TimeoutError:
            piece = timed_out("first_token", "reading", min(timeout, left))
        if isinstance(piece, bytes):
            read = fed(reading, piece)
        elif piece is None:
            read = finished(reading)
        else:
            read = interrupted(reading, _phased(piece, reading))
        reading = read.reading
        if read.chunks or read.fault is not None:
            watched = bounded
            yield Batch(read.chunks, read.fault)
        if reading.over:
            return


def _phased(fault: Fault, reading: StreamReading) -> Fault:
    """A silence before the first piece of the answer is a wait for the first token."""
    if isinstance(fault, TimedOut) and not reading.transcript.spoken:
        return msgspec.structs.replace(fault, phase="first_token")
    return fault
