"""Laws of behaviour: keys stay secret, connections are released, and providers work in several event loops."""

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
from victor_fp.testing.harness import (
    HI,
    KEY,
    LAW_TIMEOUT,
    TEXT_TURN,
    Harness,
    Law,
    Problems,
    compare,
    describe_failure,
    run_in_loop,
)
from victor_fp.testing.server import serving

CLOSE_TIMEOUT = 1.0
"""Maximum seconds for closing a connection."""


class _LogCapture(logging.Handler):
    """Collects all log records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(f"{record.getMessage()} {record.__dict__!r}")


@contextmanager
def _capture_log() -> Iterator[list[str]]:
    capture, root = _LogCapture(), logging.getLogger()
    level = root.level
    root.addHandler(capture)
    root.setLevel(logging.DEBUG)
    try:
        yield capture.records
    finally:
        root.removeHandler(capture)
        root.setLevel(level)


async def _check_secret(harness: Harness) -> Problems:
    """Check that the key is only in headers, even if the vendor rejects it."""
    seen: dict[str, str] = {}
    with _capture_log() as logged:
        async with harness.connect(_build_first_answer(harness), harness.build_error(401, "bad key")) as (
            provider,
            server,
        ):
            seen["an answer"] = repr(await harness.ask(provider))
            seen["a fault"] = repr(await harness.ask(provider))
            try:
                await provider.chat([HI], model=harness.model)
            except ProviderError as error:
                seen["an exception"] = f"{error!r} {error} {''.join(traceback.format_exception(error))}"
            seen["repr(provider)"] = f"{provider!r} {provider}"
        seen["a URL"] = " ".join(received.path for received in server.received)
        seen["a body"] = " ".join(received.body.decode("utf-8", "replace") for received in server.received)
    seen["the log"] = "\n".join(logged)
    return [f"the key is in {location}" for location, words in seen.items() if KEY in words]


def _build_first_answer(harness: Harness) -> Answer:
    """Build a response, or a 404 if the protocol is not known."""
    return harness.build_error(500, "no") if harness.writer is None else harness.writer.build_answer(TEXT_TURN)


def _check_fault(harness: Harness, fault: Fault | None) -> list[str]:
    """Return a problem unless the fault is that of `_build_first_answer`."""
    if harness.writer is None and fault is not None and fault.status == 500:
        return []
    return [] if fault is None else [describe_failure(fault)]


async def _check_early_exit(harness: Harness) -> Problems:
    """Check that leaving a stream closes its connection at once."""
    writer = harness.protocol_writer
    frames = tuple(map(writer.frame, writer.events(TEXT_TURN).before))
    held = Answer(headers={"content-type": writer.content_type}, pieces=frames, ending="held")
    async with harness.connect(held) as (provider, server):
        stream = provider.stream([HI], model=harness.model)
        async for _ in stream:
            break
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
        try:
            await asyncio.wait_for(server.left.wait(), CLOSE_TIMEOUT)
        except TimeoutError:
            return [f"the connection of an abandoned stream is still open after {CLOSE_TIMEOUT:g} s"]
    return []


async def _check_close(harness: Harness) -> Problems:
    """Check that a closed provider, even if closed twice, has no open connections."""
    async with serving(harness.build_script(_build_first_answer(harness))) as server:
        async with harness.make_provider(server.url) as provider:
            result = outcome(await harness.ask(provider))
            await provider.close()
        problems = _check_fault(harness, result.failure() if isinstance(result, Failure) else None)
        for _ in range(50):
            if not server.open_connections:
                return problems
            await asyncio.sleep(CLOSE_TIMEOUT / 50)
        return [*problems, f"{server.open_connections} connections are open after close()"]


async def _check_concurrent_calls(harness: Harness) -> Problems:
    """Check that concurrent calls do not interfere."""
    async with harness.connect(harness.protocol_writer.build_answer(TEXT_TURN)) as (provider, _):
        results = await asyncio.gather(*(harness.ask(provider) for _ in range(8)))
    problems: list[str] = []
    for result in results:
        match outcome(result):
            case Failure(fault):
                problems.append(describe_failure(fault))
            case Success(response):
                problems += compare("content", TEXT_TURN.text, response.content)
    return problems


def _check_second_loop(harness: Harness) -> Problems:
    """Check that a provider works in a second event loop."""

    async def ask(provider: BaseProvider | None, url: str, *, last: bool) -> tuple[BaseProvider, Fault | None]:
        provider = provider or harness.make_provider(url)
        async with asyncio.timeout(LAW_TIMEOUT):
            result = outcome(await harness.ask(provider))
            if last:
                await provider.close()
        return provider, result.failure() if isinstance(result, Failure) else None

    provider: BaseProvider | None = None
    with _serve_in_thread(harness) as url:
        for turn in ("first", "second"):
            provider, fault = asyncio.run(ask(provider, url, last=turn == "second"))
            if problems := _check_fault(harness, fault):
                provider = None
                _collect_garbage()
                return [f"in the {turn} event loop it {problem}" for problem in problems]
    return []


def _collect_garbage() -> None:
    """Collect garbage, so that warnings of resources of closed loops are not raised later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def _serve_in_thread(harness: Harness) -> Iterator[str]:
    """Run a server in a thread, independently of the client's event loops."""
    urls: SimpleQueue[str] = SimpleQueue()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with serving(harness.build_script(_build_first_answer(harness))) as server:
            urls.put(server.url)
            await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield urls.get(timeout=LAW_TIMEOUT)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(LAW_TIMEOUT)


_STREAM = frozenset({"protocol", "streaming"})

LAWS: tuple[Law, ...] = (
    Law(
        name="secret key",
        summary="The key appears only in headers.",
        run=run_in_loop(_check_secret),
        needs=frozenset({"chat"}),
    ),
    Law(
        name="early exit",
        summary="Leaving a stream closes its connection at once.",
        run=run_in_loop(_check_early_exit),
        needs=_STREAM,
    ),
    Law(
        name="closed",
        summary="A closed provider has no open connections.",
        run=run_in_loop(_check_close),
        needs=frozenset({"chat"}),
    ),
    Law(name="concurrent calls", summary="Concurrent calls succeed.", run=run_in_loop(_check_concurrent_calls)),
    Law(
        name="second loop",
        summary="A provider works in several event loops, one after the other.",
        run=_check_second_loop,
        needs=frozenset({"chat"}),
    ),
)
