"""`nox -s bench`: short rounds that alternate between a base and victor_fp; medians of the ratios inside a round.

The base is httpx and json by hand; for the managed provider it is the plain one, and what it adds is wanted below 80 us where
the process has work to do: of one call at a time everything costs twice as much, since the processor rests in between.
CPU seconds of this process are counted, so the server, which runs beside it, costs nothing. Ratios move less than times do
from machine to machine; below 1 victor_fp is the cheaper one.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple, TypeAlias

import httpx

from tests.bench.server import CHUNKS, TEXT
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.background_loop import run
from victor_fp.sync import SyncProvider

Work: TypeAlias = Callable[[], Awaitable[None]]
ROUNDS, CALLS, TASKS, STREAMS = 8, 200, 64, 10
ASKED = [{"role": "user", "content": "Tell me about the quick brown fox. " * 4}]
MESSAGES = [Message(role="user", content=ASKED[0]["content"])]


class Plain:
    """httpx and json, as a careful program would use them by hand."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = f"{url}/chat/completions"
        self._client = client

    async def call(self) -> None:
        """One answer."""
        reply = await self._client.post(self._url, json={"model": "m", "messages": ASKED})
        assert reply.json()["choices"][0]["message"]["content"] == TEXT

    async def stream(self) -> None:
        """One stream."""
        count = 0
        body = {"model": "m", "messages": ASKED, "stream": True}
        async with self._client.stream("POST", self._url, json=body) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    choices = json.loads(line[6:])["choices"]
                    count += bool(choices and choices[0]["delta"].get("content"))
        assert count == CHUNKS


class Ours:
    """victor_fp, with retries and breaker on; managed, also with its limiter, queue, plan and metrics."""

    def __init__(self, provider: BaseProvider) -> None:
        self._provider = provider

    async def call(self) -> None:
        """One answer."""
        assert (await self._provider.chat(MESSAGES, model="m")).content == TEXT

    async def stream(self) -> None:
        """One stream."""
        count = 0
        async for chunk in self._provider.stream(MESSAGES, model="m"):
            count += bool(chunk.content)
        assert count == CHUNKS


def measure_sync(url: str) -> None:
    """What the synchronous face adds to the asynchronous one; at most 60 us a call are wanted."""
    provider = SyncProvider(ProviderRegistry.create("openai", api_key="k", base_url=url))
    ours = Ours(provider.provider)

    def call() -> None:
        for _ in range(CALLS):
            assert provider.chat(MESSAGES, model="m").content == TEXT

    def stream() -> None:
        for _ in range(STREAMS):
            assert sum(bool(chunk.content) for chunk in provider.stream(MESSAGES, model="m")) == CHUNKS

    def measure_cpu(work: Callable[[], None]) -> float:
        before = time.process_time()
        work()
        return time.process_time() - before

    for name, load, own, synchronous, units in (
        ("sync call over async", run_calls, ours.call, call, CALLS),
        ("sync chunk over async", run_streams, ours.stream, stream, STREAMS * CHUNKS),
    ):
        run(load(own))
        synchronous()
        show(name, [(run(measure_cost(load, own)), measure_cpu(synchronous)) for _ in range(ROUNDS)], units)
    provider.close()


async def run_calls(work: Work) -> None:
    """One after another."""
    for _ in range(CALLS):
        await work()


async def run_at_once(work: Work) -> None:
    """Many at once."""
    await asyncio.gather(*(work() for _ in range(TASKS)))


async def run_streams(work: Work) -> None:
    """Long streams that come as fast as they can."""
    for _ in range(STREAMS):
        await work()


async def measure_cost(load: Callable[[Work], Awaitable[None]], work: Work) -> float:
    """CPU seconds."""
    before = time.process_time()
    await load(work)
    return time.process_time() - before


class Row(NamedTuple):
    """A load put on two makers of the same work."""

    name: str
    load: Callable[[Work], Awaitable[None]]
    base: Work
    own: Work
    units: int


async def main(url: str) -> None:
    """Measure and print."""
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=200)
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(httpx.AsyncClient(limits=limits, timeout=60))
        provider = await opened.enter_async_context(ProviderRegistry.create("openai", api_key="k", base_url=url))
        managed = await opened.enter_async_context(
            await ManagedProviderFactory.create("openai", "m", api_key="k", base_url=url)
        )
        base, ours, watched = Plain(url, client), Ours(provider), Ours(managed)
        print(f"{'':26}{'base, us':>12}{'victor_fp, us':>15}{'more, us':>11}{'ratio':>9}")
        for row in (
            Row("call", run_calls, base.call, ours.call, CALLS),
            Row(f"{TASKS} calls at once", run_at_once, base.call, ours.call, TASKS),
            Row("chunk of a fast stream", run_streams, base.stream, ours.stream, STREAMS * CHUNKS),
            Row("managed call over plain", run_calls, ours.call, watched.call, CALLS),
            Row(f"managed, {TASKS} at once", run_at_once, ours.call, watched.call, TASKS),
            Row("managed chunk over plain", run_streams, ours.stream, watched.stream, STREAMS * CHUNKS),
        ):
            await row.load(row.base)
            await row.load(row.own)
            rounds = [
                (await measure_cost(row.load, row.base), await measure_cost(row.load, row.own)) for _ in range(ROUNDS)
            ]
            show(row.name, rounds, row.units)


def show(name: str, rounds: list[tuple[float, float]], units: int) -> None:
    """One row: microseconds of both, what the second adds, and the ratio, as medians over the rounds."""
    first, second, more = (
        statistics.median(column) / units * 1e6
        for column in zip(*((one, other, other - one) for one, other in rounds), strict=True)
    )
    ratio = statistics.median(other / one for one, other in rounds)
    print(f"{name:26}{first:12.1f}{second:15.1f}{more:11.1f}{ratio:9.2f}")


if __name__ == "__main__":
    # In a process without httpx: where it is loaded, each call looks whether a test double has replaced it.
    subprocess.run([sys.executable, "-m", "tests.bench.count_hops"], check=True)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
            asyncio.run(main(url))
            measure_sync(url)
        finally:
            child.terminate()
