"""Laws of conduct: keys stay secret, connections are given back, and an event loop is not for ever."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from returns.result import Failure, Success

from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.testing.answers import Answer
from victor_fp.testing.exam import HI, KEY, PATIENCE, SPOKEN, Complaints, Exam, Law, differing, in_a_loop, unanswered
from victor_fp.testing.server import serving

AT_ONCE = 1.0
"""Seconds that closing a connection may take."""


class _Ear(logging.Handler):
    """Hears every record that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.getMessage()} {record.__dict__!r}")


@contextmanager
def _listening() -> Iterator[list[str]]:
    ear, root = _Ear(), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield ear.heard
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


async def _secret(exam: Exam) -> Complaints:
    """The key is in headers and nowhere else, even where the vendor refuses it."""
    seen: dict[str, str] = {}
    with _listening() as logged:
        async with exam.facing(_first(exam), exam.error(401, "bad key")) as (provider, server):
            seen["an answer"] = repr(await exam.asked(provider))
            seen["a fault"] = repr(await exam.asked(provider))
            try:
                await provider.chat([HI], model=exam.model)
            except ProviderError as error:
                seen["an exception"] = f"{error!r} {error} {''.join(traceback.format_exception(error))}"
            seen["repr(provider)"] = f"{provider!r} {provider}"
        seen["a URL"] = " ".join(received.path for received in server.received)
        seen["a body"] = " ".join(received.body.decode("utf-8", "replace") for received in server.received)
    seen["the log"] = "\n".join(logged)
    return [f"the key is in {place}" for place, words in seen.items() if KEY in words]


def _first(exam: Exam) -> Answer:
    """An answer, or what comes next to one where nobody knows how they are written."""
    return exam.error(500, "no") if exam.writer is None else exam.writer.whole(SPOKEN)


def _unwelcome(exam: Exam, fault: Fault | None) -> list[str]:
    """A complaint about anything but what `_first` leads to."""
    if exam.writer is None and fault is not None and fault.status == 500:
        return []
    return [] if fault is None else [unanswered(fault)]


async def _left_early(exam: Exam) -> Complaints:
    """Whoever leaves a stream closes its connection at once."""
    speaks = exam.speaks
    frames = tuple(map(speaks.frame, speaks.events(SPOKEN).before))
    held = Answer(headers={"content-type": speaks.content_type}, pieces=frames, ending="held")
    async with exam.facing(held) as (provider, server):
        stream = provider.stream([HI], model=exam.model)
        async for _ in stream:
            break
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
        try:
            await asyncio.wait_for(server.left.wait(), AT_ONCE)
        except TimeoutError:
            return [f"the connection of a stream that was left is still open after {AT_ONCE:g} s"]
    return []


async def _closed(exam: Exam) -> Complaints:
    """A provider that is closed, twice even, has no connection open."""
    async with serving(exam.script(_first(exam))) as server:
        async with exam.provider(server.url) as provider:
            result = outcome(await exam.asked(provider))
            await provider.close()
        complaints = _unwelcome(exam, result.failure() if isinstance(result, Failure) else None)
        for _ in range(50):
            if not server.open_connections:
                return complaints
            await asyncio.sleep(AT_ONCE / 50)
        return [*complaints, f"{server.open_connections} connections are open behind close()"]


async def _together(exam: Exam) -> Complaints:
    """Calls at the same time do not stand in each other's way."""
    async with exam.facing(exam.speaks.whole(SPOKEN)) as (provider, _):
        results = await asyncio.gather(*(exam.asked(provider) for _ in range(8)))
    complaints: list[str] = []
    for result in results:
        match outcome(result):
            case Failure(fault):
                complaints.append(unanswered(fault))
            case Success(response):
                complaints += differing("content", SPOKEN.text, response.content)
    return complaints


def _second_loop(exam: Exam) -> Complaints:
    """A provider that served one event loop serves the next."""

    async def asked(provider: BaseProvider | None, url: str, *, last: bool) -> tuple[BaseProvider, Fault | None]:
        provider = provider or exam.provider(url)
        async with asyncio.timeout(PATIENCE):
            result = outcome(await exam.asked(provider))
            if last:
                await provider.close()
        return provider, result.failure() if isinstance(result, Failure) else None

    provider: BaseProvider | None = None
    with _served_by_a_thread(exam) as url:
        for turn in ("first", "second"):
            provider, fault = asyncio.run(asked(provider, url, last=turn == "second"))
            if complaints := _unwelcome(exam, fault):
                provider = None
                _swept()
                return [f"in the {turn} event loop it {complaint}" for complaint in complaints]
    return []


def _swept() -> None:
    """What a provider left open in a loop that is gone cannot be closed any more, and need not be heard of later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def _served_by_a_thread(exam: Exam) -> Iterator[str]:
    """A server that outlives the event loops of those who ask it."""
    urls: SimpleQueue[str] = SimpleQueue()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with serving(exam.script(_first(exam))) as server:
            urls.put(server.url)
            await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield urls.get(timeout=PATIENCE)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)


_STREAM = frozenset({"protocol", "streaming"})

LAWS: tuple[Law, ...] = (
    Law(
        name="secret key",
        says="The key travels in headers and is seen nowhere else.",
        run=in_a_loop(_secret),
        needs=frozenset(),
    ),
    Law(
        name="left early",
        says="Leaving a stream closes its connection at once.",
        run=in_a_loop(_left_early),
        needs=_STREAM,
    ),
    Law(
        name="closed",
        says="A closed provider has no connection open.",
        run=in_a_loop(_closed),
        needs=frozenset(),
    ),
    Law(name="together", says="Calls at the same time are answered.", run=in_a_loop(_together)),
    Law(
        name="second loop",
        says="A provider that served one event loop serves the next.",
        run=_second_loop,
        needs=frozenset(),
    ),
)
