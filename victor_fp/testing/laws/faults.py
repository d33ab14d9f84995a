"""Laws of faults: every failure is a typed fault, and never a response."""

from __future__ import annotations

import asyncio
import socket

from returns.result import Failure, Result, Success

from victor_fp.core import faults
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse
from victor_fp.testing.answers import Answer
from victor_fp.testing.harness import (
    TEXT_TURN,
    Harness,
    Law,
    NoSleepRuntime,
    NotApplicable,
    Problems,
    compare,
    describe_failure,
    run_in_loop,
)
from victor_fp.testing.writers import Event

WORDS = "the-vendors-own-words"
STATUSES: dict[int, tuple[type[faults.Fault], ...]] = {
    400: (faults.InvalidRequest,),
    401: (faults.AuthRejected,),
    403: (faults.PermissionRefused, faults.AuthRejected),
    404: (faults.ModelNotFound,),
    429: (faults.RateLimited,),
    500: (faults.ServerFailed,),
    503: (faults.Overloaded, faults.ServerFailed),
}
"""The expected faults for the status of an error."""
NO_ANSWERS = {
    "an empty body": b"",
    "a page of HTML": b"<html><body>502 Bad Gateway</body></html>",
    "half a body": b'{"id": "x", "cho',
    "an empty object": b"{}",
}


async def _check_statuses(harness: Harness) -> Problems:
    problems: list[str] = []
    for status, kinds in STATUSES.items():
        async with harness.connect(harness.build_error(status, WORDS)) as (provider, _):
            got = [_find_fault(await harness.ask(provider))]
            if "streaming" in harness.has:
                got.append((await harness.collect_stream(provider)).fault)
        for fault in got:
            problems += [f"status {status} became a response"] if fault is None else _compare_turn(status, fault, kinds)
    return problems


def _find_fault(result: Result[CompletionResponse, faults.Fault]) -> faults.Fault | None:
    match outcome(result):
        case Failure(fault):
            return fault
        case Success(_):
            return None


def _compare_turn(status: int, fault: faults.Fault, kinds: tuple[type[faults.Fault], ...]) -> list[str]:
    expected = " or ".join(kind.__name__ for kind in kinds)
    return [
        *([] if isinstance(fault, kinds) else [f"status {status}: expected {expected}, got {type(fault).__name__}"]),
        *([] if fault.status == status else [f"the fault of status {status} has status {fault.status}"]),
        *([] if fault.provider else [f"the fault of status {status} has no provider"]),
    ]


async def _check_unreadable(harness: Harness) -> Problems:
    problems: list[str] = []
    for what, body in NO_ANSWERS.items():
        answer = Answer(headers={"content-type": "application/json"}, pieces=(body,) if body else ())
        async with harness.connect(answer) as (provider, _):
            if _find_fault(await harness.ask(provider)) is None:
                problems.append(f"{what} became a response")
    return problems


async def _check_truncated(harness: Harness) -> Problems:
    """Check that a stream that ends before its stop reason, at any position and in any way, is a fault."""
    writer = harness.protocol_writer
    before = b"".join(map(writer.frame, writer.events(TEXT_TURN).before))
    stop = writer.frame(writer.events(TEXT_TURN).end[0])
    problems: list[str] = []
    for length in (0, len(before) // 3, len(before), len(before) + len(stop) // 2):
        pieces = ((before + stop)[:length],) if length else ()
        for ending in ("whole", "cut"):
            answer = Answer(headers={"content-type": writer.content_type}, pieces=pieces, ending=ending)
            async with harness.connect(answer) as (provider, _):
                collected = await harness.collect_stream(provider)
            if collected.fault is None:
                problems.append(f"a stream of {length} bytes ({ending}) without a stop reason is accepted as complete")
            elif any(chunk.is_final for chunk in collected.chunks) or collected.late:
                problems.append("a failed stream has a final chunk, or results after its failure")
    return problems


async def _check_error_inside(harness: Harness) -> Problems:
    """Check that an error in a stream with status 200 is a fault, before or after the first content."""
    writer = harness.protocol_writer
    before: list[Event] = list(writer.events(TEXT_TURN).before)
    problems: list[str] = []
    for index in (0, len(before)):
        frames = [*map(writer.frame, before[:index]), writer.error_frame(WORDS), writer.ending]
        async with harness.connect(writer.build_stream_answer(frames)) as (provider, _):
            collected = await harness.collect_stream(provider)
        if collected.fault is None:
            problems.append(f"an error after {index} events of a stream is lost")
            continue
        if isinstance(collected.fault, faults.StreamTruncated):
            problems.append("an error in a stream is reported as StreamTruncated")
        if any(chunk.is_final for chunk in collected.chunks) or collected.late:
            problems.append("a failed stream has a final chunk, or results after its failure")
        if index and collected.text != TEXT_TURN.text:
            problems.append(f"the text before the error is {collected.text!r}")
    return problems


async def _check_retry_after(harness: Harness) -> Problems:
    """Check that Retry-After is honoured, or reported in the fault."""
    refusal = harness.build_error(429, WORDS)
    waiting = Answer(status=429, headers={**refusal.headers, "retry-after": "1"}, pieces=refusal.pieces)
    sleeps: list[float] = []
    options: dict[str, object] = {"max_retries": 1, **({"runtime": NoSleepRuntime(sleeps)} if harness.paced else {})}
    after = harness.build_error(500, WORDS) if harness.writer is None else harness.writer.build_answer(TEXT_TURN)
    loop = asyncio.get_running_loop()
    async with harness.connect(waiting, after, **options) as (provider, server):
        began = loop.time()
        fault = _find_fault(await harness.ask(provider))
        waited = sum(sleeps) if harness.paced else loop.time() - began
    if len(server.received) > 1:
        if fault is not None and harness.writer is not None:
            return [describe_failure(fault)]
        return [] if waited >= 0.99 else [f"retried after {waited:.2f} s; the vendor requires 1 s"]
    if fault is None:
        return ["status 429 became a response"]
    if fault.retry_after is None:
        return NotApplicable("the provider neither retries nor reports the wait")
    return compare("retry_after of the fault", 1.0, fault.retry_after)


async def _check_no_server(harness: Harness) -> Problems:
    """Check that a closed port is a failed connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        async with harness.make_provider(f"http://127.0.0.1:{taken.getsockname()[1]}") as provider:
            return _is_a(_find_fault(await harness.ask(provider)), faults.ConnectionFailed)


async def _check_silence(harness: Harness) -> Problems:
    """Check that a server without response is a timeout."""
    async with harness.connect(Answer(ending="silent"), timeout=0.06) as (provider, _):
        return _is_a(_find_fault(await harness.ask(provider)), faults.TimedOut)


def _is_a(fault: faults.Fault | None, kind: type[faults.Fault]) -> list[str]:
    got = "a response" if fault is None else type(fault).__name__
    return [] if isinstance(fault, kind) else [f"expected {kind.__name__}, got {got}"]


_STREAM = frozenset({"protocol", "streaming"})

LAWS: tuple[Law, ...] = (
    Law(
        name="typed errors",
        summary="The fault of an error depends on its status and names the provider.",
        run=run_in_loop(_check_statuses),
        needs=frozenset({"chat"}),
    ),
    Law(
        name="invalid bodies",
        summary="An invalid body is never a response.",
        run=run_in_loop(_check_unreadable),
        needs=frozenset({"chat"}),
    ),
    Law(
        name="truncated streams",
        summary="A stream without a stop reason is never complete.",
        run=run_in_loop(_check_truncated),
        needs=_STREAM,
    ),
    Law(
        name="errors in streams",
        summary="An error inside a stream is a fault, and the text before it is kept.",
        run=run_in_loop(_check_error_inside),
        needs=_STREAM,
    ),
    Law(
        name="retry-after",
        summary="Retry-After is honoured.",
        run=run_in_loop(_check_retry_after),
        needs=frozenset({"chat"}),
    ),
    Law(
        name="connection refused",
        summary="A refused connection is ConnectionFailed.",
        run=run_in_loop(_check_no_server),
        needs=frozenset({"chat"}),
    ),
    Law(
        name="timeout",
        summary="A server without response is TimedOut.",
        run=run_in_loop(_check_silence),
        needs=frozenset({"chat"}),
    ),
)
