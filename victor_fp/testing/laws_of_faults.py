"""Laws of faults: whatever goes wrong is a typed fault, and never an answer."""

from __future__ import annotations

import asyncio
import socket

from returns.result import Failure, Result, Success

from victor_fp.core import faults
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse
from victor_fp.testing.answers import Answer
from victor_fp.testing.exam import (
    SPOKEN,
    Complaints,
    Exam,
    Law,
    NotShown,
    RestlessRuntime,
    differing,
    in_a_loop,
    unanswered,
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
"""What an error's status alone must come to."""
NO_ANSWERS = {
    "an empty body": b"",
    "a page of HTML": b"<html><body>502 Bad Gateway</body></html>",
    "half a body": b'{"id": "x", "cho',
    "a body of nothing": b"{}",
}


async def _statuses(exam: Exam) -> Complaints:
    complaints: list[str] = []
    for status, kinds in STATUSES.items():
        async with exam.facing(exam.error(status, WORDS)) as (provider, _):
            got = [_fault_in(await exam.asked(provider))]
            if "streaming" in exam.has:
                got.append((await exam.heard(provider)).fault)
        for fault in got:
            complaints += [f"status {status} became an answer"] if fault is None else _amiss(status, fault, kinds)
    return complaints


def _fault_in(result: Result[CompletionResponse, faults.Fault]) -> faults.Fault | None:
    match outcome(result):
        case Failure(fault):
            return fault
        case Success(_):
            return None


def _amiss(status: int, fault: faults.Fault, kinds: tuple[type[faults.Fault], ...]) -> list[str]:
    wanted = " or ".join(kind.__name__ for kind in kinds)
    return [
        *([] if isinstance(fault, kinds) else [f"status {status} is {type(fault).__name__} where {wanted} is right"]),
        *([] if fault.status == status else [f"the fault of status {status} says status {fault.status}"]),
        *([] if fault.provider else [f"the fault of status {status} does not say whose it is"]),
    ]


async def _unreadable(exam: Exam) -> Complaints:
    complaints: list[str] = []
    for what, body in NO_ANSWERS.items():
        answer = Answer(headers={"content-type": "application/json"}, pieces=(body,) if body else ())
        async with exam.facing(answer) as (provider, _):
            if _fault_in(await exam.asked(provider)) is None:
                complaints.append(f"{what} became an answer")
    return complaints


async def _truncated(exam: Exam) -> Complaints:
    """A stream that ends before its stop reason, at any place, in good order or not, is a fault."""
    speaks = exam.speaks
    before = b"".join(map(speaks.frame, speaks.events(SPOKEN).before))
    stop = speaks.frame(speaks.events(SPOKEN).end[0])
    complaints: list[str] = []
    for length in (0, len(before) // 3, len(before), len(before) + len(stop) // 2):
        pieces = ((before + stop)[:length],) if length else ()
        for ending in ("whole", "cut"):
            answer = Answer(headers={"content-type": speaks.content_type}, pieces=pieces, ending=ending)
            async with exam.facing(answer) as (provider, _):
                heard = await exam.heard(provider)
            if heard.fault is None:
                complaints.append(f"a stream of {length} bytes ({ending}), without its stop reason, passes for whole")
            elif any(chunk.is_final for chunk in heard.chunks) or heard.late:
                complaints.append("a stream that failed has a final chunk, or results behind its failure")
    return complaints


async def _error_inside(exam: Exam) -> Complaints:
    """An error in a stream with status 200 is a fault, before the first piece or after it."""
    speaks = exam.speaks
    before: list[Event] = list(speaks.events(SPOKEN).before)
    complaints: list[str] = []
    for place in (0, len(before)):
        frames = [*map(speaks.frame, before[:place]), speaks.error_frame(WORDS), speaks.ending]
        async with exam.facing(speaks.stream_of(frames)) as (provider, _):
            heard = await exam.heard(provider)
        if heard.fault is None:
            complaints.append(f"an error behind {place} events of a stream is lost")
            continue
        if isinstance(heard.fault, faults.StreamTruncated):
            complaints.append("an error in a stream is taken for a stream that broke off")
        if any(chunk.is_final for chunk in heard.chunks) or heard.late:
            complaints.append("a stream that failed has a final chunk, or results behind its failure")
        if place and heard.text != SPOKEN.text:
            complaints.append(f"the text before the error is {heard.text!r}")
    return complaints


async def _retry_after(exam: Exam) -> Complaints:
    """The wait that the vendor asks for is kept, and told to whoever does not retry."""
    refusal = exam.error(429, WORDS)
    waiting = Answer(status=429, headers={**refusal.headers, "retry-after": "1"}, pieces=refusal.pieces)
    rests: list[float] = []
    options: dict[str, object] = {"max_retries": 1, **({"runtime": RestlessRuntime(rests)} if exam.paced else {})}
    after = exam.error(500, WORDS) if exam.writer is None else exam.writer.whole(SPOKEN)
    loop = asyncio.get_running_loop()
    async with exam.facing(waiting, after, **options) as (provider, server):
        began = loop.time()
        fault = _fault_in(await exam.asked(provider))
        waited = sum(rests) if exam.paced else loop.time() - began
    if len(server.received) > 1:
        if fault is not None and exam.writer is not None:
            return [unanswered(fault)]
        return [] if waited >= 0.99 else [f"tried again after {waited:.2f} s, where the vendor asked for 1"]
    if fault is None:
        return ["status 429 became an answer"]
    if fault.retry_after is None:
        return NotShown("it neither tries again nor tells the wait")
    return differing("the fault's wait", 1.0, fault.retry_after)


async def _nobody_there(exam: Exam) -> Complaints:
    """A port where nobody listens is a failed connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        async with exam.provider(f"http://127.0.0.1:{taken.getsockname()[1]}") as provider:
            return _is_a(_fault_in(await exam.asked(provider)), faults.ConnectionFailed)


async def _silence(exam: Exam) -> Complaints:
    """A server that says nothing is timed out."""
    async with exam.facing(Answer(ending="silent"), timeout=0.06) as (provider, _):
        return _is_a(_fault_in(await exam.asked(provider)), faults.TimedOut)


def _is_a(fault: faults.Fault | None, kind: type[faults.Fault]) -> list[str]:
    got = "an answer" if fault is None else type(fault).__name__
    return [] if isinstance(fault, kind) else [f"{got} where {kind.__name__} is right"]


_STREAM = frozenset({"protocol", "streaming"})

LAWS: tuple[Law, ...] = (
    Law(
        name="typed errors",
        says="An error's status decides its fault, which says whose it is.",
        run=in_a_loop(_statuses),
        needs=frozenset(),
    ),
    Law(
        name="no answer",
        says="A body that is no answer never becomes one.",
        run=in_a_loop(_unreadable),
        needs=frozenset(),
    ),
    Law(
        name="truncated streams",
        says="A stream that ends before it says why is never complete.",
        run=in_a_loop(_truncated),
        needs=_STREAM,
    ),
    Law(
        name="errors in streams",
        says="An error inside a stream is a fault, and what came before it is kept.",
        run=in_a_loop(_error_inside),
        needs=_STREAM,
    ),
    Law(
        name="retry-after",
        says="The wait that a vendor asks for is kept.",
        run=in_a_loop(_retry_after),
        needs=frozenset(),
    ),
    Law(
        name="nobody there",
        says="A refused connection is ConnectionFailed.",
        run=in_a_loop(_nobody_there),
        needs=frozenset(),
    ),
    Law(name="silence", says="A silent server is TimedOut.", run=in_a_loop(_silence), needs=frozenset()),
)
