"""One call: carry out the machine's orders until it settles."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from functools import partial
from typing import assert_never

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.answers import Asked, completion, placed
from victor_fp.core.completing import folded
from victor_fp.core.faults import Attempt, Fault, FaultBase, InvalidResponse
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.resilience.call import (
    Abandoned,
    Answered,
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
from victor_fp.core.stream_reading import BODY_LIMIT
from victor_fp.core.tool_calling.hearing import hearing
from victor_fp.core.types import CompletionResponse
from victor_fp.shell.following import Work
from victor_fp.shell.line import Line
from victor_fp.shell.transport.errors import timeout_fault
from victor_fp.shell.transport.protocol import TransportResponse, prepare_model

SLACK = 0.05
"""Seconds by which the bound on a whole attempt is later than the transport's own, which knows what it waited for."""


async def called(
    line: Line, request: ChatRequest, *, timeout: float | None = None, deadline: float | None = None
) -> Result[CompletionResponse, Fault]:
    """A whole answer, or the fault that the call settled with. `timeout` and `deadline` in seconds."""
    match outcome(await line.ready(request.model)):
        case Failure(fault):
            return Failure(fault)
        case Success(speaker):
            pass
    match outcome(speaker.request(request)):
        case Failure(fault):
            return Failure(fault)
        case Success(built):
            asked = Asked(endpoint=line.endpoint, model=request.model, adjustments=built.adjustments)
            if (unready := await prepare_model(line.transport, request.model)) is not None:
                return Failure(placed(asked, unready))
            return await _carried_out(line, hearing(speaker, request), asked, built, timeout or line.timeout, deadline)


async def _carried_out(
    line: Line, speaker: Codec, asked: Asked, request: HttpRequest, timeout: float, deadline: float | None
) -> Result[CompletionResponse, Fault]:
    gate, runtime = line.gate, line.runtime
    began = runtime.now()
    call, gate.breaker, order = begin(
        line.retries,
        gate.breaker,
        began,
        timeout=timeout,
        deadline=None if deadline is None else began + deadline,
        provider=asked.endpoint.spec.name,
        model=asked.model,
    )
    response: CompletionResponse | None = None
    event: Event
    try:
        while True:
            match order:
                case Send(timeout=seconds):
                    match outcome(await attempted(line, speaker, asked, request, seconds)):
                        case Success(answer):
                            response, event = answer, Answered(200)
                        case Failure(fault):
                            event = Failed(fault, runtime.luck())
                case Wait(seconds=seconds):
                    await runtime.sleep(seconds)
                    event = Rested()
                case Deliver():
                    event = Answered()
                case Settle(fault=fault, attempts=attempts):
                    if fault is not None:
                        return Failure(fault)
                    if response is not None:
                        return Success(with_attempts(response, attempts))
                    return Failure(placed(asked, InvalidResponse(message="settled without an answer")))
                case _:
                    assert_never(order)
            call, gate.breaker, order = advance(call, gate.breaker, event, runtime.now())
    finally:
        _, gate.breaker, _ = advance(call, gate.breaker, Abandoned(), runtime.now())


async def attempted(
    line: Line, speaker: Codec, asked: Asked, request: HttpRequest, timeout: float
) -> Result[CompletionResponse, Fault]:
    """One try of a call; `timeout` bounds all of it."""
    answer = await _tried(line, speaker, asked, request, timeout)
    return answer.alt(lambda fault: line.shown(placed(asked, fault)))


async def _tried(
    line: Line, speaker: Codec, asked: Asked, request: HttpRequest, timeout: float
) -> Result[CompletionResponse, Fault]:
    match outcome(await _answered(line, speaker, request, timeout)):
        case Failure(fault):
            return Failure(fault)
        case Success((status, headers, body)):
            if status >= 400:
                return Failure(speaker.error(status, headers, body))
            if status >= 300:
                return Failure(redirected(status))
            return completion(asked, folded(speaker, body), body)


async def _answered(
    line: Line, speaker: Codec, request: HttpRequest, timeout: float
) -> Result[tuple[int, Mapping[str, str], bytes], Fault]:
    """The whole answer, in one exchange or in as many as the protocol needs."""
    if speaker.follow is None:
        return await exchanged(line, request, timeout)
    work = Work(partial(exchanged, line), line.runtime, speaker.follow, request, timeout, stream=False)
    async with aclosing(work):
        return await work.answered()


async def exchanged(
    line: Line, request: HttpRequest, timeout: float
) -> Result[tuple[int, Mapping[str, str], bytes], Fault]:
    """One request and its whole answer: status, headers, body."""
    match outcome(await line.signed(request)):
        case Failure(fault):
            return Failure(fault)
        case Success(signed):
            pass
    reply: TransportResponse | Fault | None = None
    try:
        async with asyncio.timeout(timeout + SLACK):
            reply = await line.transport.open(signed, line.secret, timeout)
            if isinstance(reply, FaultBase):
                return Failure(reply)
            body = await reply.read(BODY_LIMIT)
            if not isinstance(body, bytes):
                return Failure(body)
            return Success((reply.status, dated(line, reply), body))
    except TimeoutError:
        return Failure(timeout_fault("read", "opening", timeout))
    finally:
        if reply is not None and not isinstance(reply, FaultBase):
            await reply.aclose()


def dated(line: Line, reply: TransportResponse) -> Mapping[str, str]:
    """An answer's headers; an error's with a date, against which a Retry-After in the form of a date is measured."""
    if reply.status < 400:
        return reply.headers
    return {"date": line.runtime.date(), **reply.headers}


def redirected(status: int) -> Fault:
    """A key is not carried to another place."""
    return InvalidResponse(status=status, message=f"status {status}: a redirect, which is not followed with a key")


def with_attempts(response: CompletionResponse, attempts: tuple[Attempt, ...]) -> CompletionResponse:
    """A response that tells of the tries before the one that brought it."""
    if len(attempts) < 2:
        return response
    metadata = {**(response.metadata or {}), "attempts": attempts_as_dicts(attempts)}
    return response.model_copy(update={"metadata": metadata})


def attempts_as_dicts(attempts: tuple[Attempt, ...]) -> list[dict[str, object]]:
    """The log of tries as it stands in metadata."""
    return [msgspec.to_builtins(attempt) for attempt in attempts]
