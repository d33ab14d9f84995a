"""One request to a server that misbehaves: as a call and as a stream, over both HTTP clients, returned as values."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from returns.result import Failure, Result, Success

from tests.acme import HI, build_acme
from tests.loopback import Script, serving
from victor_fp.core.faults import Fault
from victor_fp.core.types import CompletionResponse, StreamChunk

CLIENTS = ("aiohttp", "httpx")
"""aiohttp, as by default; plain httpx, as a caller may bring it."""


@asynccontextmanager
async def open_client(client: str) -> AsyncIterator[httpx.AsyncClient | None]:
    """The client that a caller brings; None where the provider is left to its own."""
    if client == "aiohttp":
        yield None
        return
    async with httpx.AsyncClient(verify=False, follow_redirects=True) as own:
        yield own


async def call_once(script: Script, client: str = "aiohttp", **options: Any) -> Result[CompletionResponse, Fault]:
    """A call, tried once."""
    async with open_client(client) as own, serving(script) as server:
        async with build_acme(server.url, **{"max_retries": 0, "http_client": own, **options}) as provider:
            return await provider.chat_result(HI, model="m-1")


async def get_fault(script: Script, client: str = "aiohttp", **options: Any) -> Fault:
    """The fault of a call that must fail."""
    return (await call_once(script, client, **options)).failure()


@dataclass
class StreamOutcome:
    """What a stream said, and how it ended."""

    text: str
    end: StreamChunk | Fault | None
    pieces: int


async def stream_once(
    script: Script, client: str = "aiohttp", *, deadline: float | None = None, **options: Any
) -> StreamOutcome:
    """A stream, tried once, read to its end."""
    outcome = StreamOutcome("", None, 0)
    async with open_client(client) as own, serving(script) as server:
        async with build_acme(server.url, **{"max_retries": 0, "http_client": own, **options}) as provider:
            asked: Any = {} if deadline is None else {"deadline": deadline}
            async for result in provider.stream_result(HI, model="m-1", **asked):
                assert outcome.end is None, "something came after the end"
                outcome.pieces += 1
                match result:
                    case Success(chunk):
                        outcome.text += chunk.content
                        outcome.end = chunk if chunk.is_final else None
                    case Failure(fault):
                        outcome.end = fault
                    case _:
                        raise AssertionError(result)
    return outcome


@dataclass
class Peak:
    """The most memory in use at once, in bytes beyond what was in use before."""

    size: int = 0


@contextmanager
def measure_peak_memory() -> Iterator[Peak]:
    """Measures what Python's allocators hand out within the block."""
    peak = Peak()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield peak
        peak.size = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
