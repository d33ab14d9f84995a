"""Many concurrent, cancelled and sequential calls: responses are not mixed up, and nothing leaks."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import victor_fp
from tests import openai_shapes as shapes
from tests.acme import build_acme
from tests.loopback import Loopback, Received, Talk, serving
from tests.managed_shapes import create_managed
from victor_fp.core.types import Message
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.factory import Limits

PACKAGE = Path(victor_fp.__file__).parent


def build_messages(word: str) -> list[Message]:
    return [Message(role="user", content=word)]


def read_prompt(received: Received) -> str:
    messages: Any = received.json()["messages"]
    word = messages[-1]["content"]
    assert isinstance(word, str)
    return word


async def get_answer(provider: BaseProvider, word: str) -> str:
    return (await provider.chat(build_messages(word), model="m-1")).content


async def get_streamed(provider: BaseProvider, word: str) -> str:
    return "".join([chunk.content async for chunk in provider.stream(build_messages(word), model="m-1")])


async def repeat_late(talk: Talk, received: Received) -> None:
    """Echo the word of the prompt, after a delay that is independent of the order of calls."""
    word = read_prompt(received)
    await asyncio.sleep(random.Random(word).random() / 5)
    if received.json().get("stream"):
        await talk.send_events(*shapes.build_chunks(word[:3], word[3:]))
    else:
        await talk.answer(shapes.build_body(word))


@pytest.mark.parametrize("kind", ["plain", pytest.param("managed", marks=pytest.mark.slow)])
async def test_500_calls_at_once_each_get_their_own_answer(kind: str) -> None:
    words = [f"word-{number}" for number in range(500)]
    async with serving(repeat_late) as server:
        made: BaseProvider = build_acme(server.url) if kind == "plain" else await create_managed(server.url)
        async with made as provider:
            reported = await asyncio.gather(
                *(
                    get_answer(provider, word) if place % 2 else get_streamed(provider, word)
                    for place, word in enumerate(words)
                )
            )
    assert reported == words
    assert len(server.received) == 500, "an answer was asked for twice"


class Moods:
    """A server that stops at a random point of its answer for a while."""

    def __init__(self, seed: int) -> None:
        self._luck = random.Random(seed)

    async def __call__(self, talk: Talk, received: Received) -> None:
        rest, place = self._luck.random() / 50, self._luck.randrange(5)
        if read_prompt(received) == "last":
            place = 9
        if place == 0:
            await asyncio.sleep(rest)
        if received.json().get("stream"):
            await talk.send_head(content_type="text/event-stream")
            for number, chunk in enumerate(shapes.build_chunks("Hel", "lo")):
                if place == number + 1:
                    await asyncio.sleep(rest)
                await talk.send_event(chunk)
            await talk.send_event("[DONE]")
            await talk.end()
        else:
            await talk.send_head()
            await talk.send_chunk(b" ")
            if place >= 3:
                await asyncio.sleep(rest)
            await talk.send_chunk(
                b'{"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hello"}}]}'
            )
            await talk.end()


async def give_up_at_random(provider: BaseProvider, times: int, seed: int) -> int:
    """Ask and give up, 40 at a time; how many were given up before they had their answer."""
    luck = random.Random(seed)
    given_up = 0

    async def give_up_one() -> None:
        nonlocal given_up
        ask = get_streamed if luck.random() < 0.5 else get_answer
        task = asyncio.ensure_future(ask(provider, "hi"))
        await asyncio.sleep(luck.random() ** 2 / 25)
        task.cancel()
        given_up += not task.done()
        with suppress(asyncio.CancelledError):
            assert await task == "Hello"

    for begun in range(0, times, 40):
        await asyncio.gather(*(give_up_one() for _ in range(min(40, times - begun))))
    return given_up


def count_in_use(provider: Any) -> int:
    """Connections that the pools of a plain or managed provider hold as being in use, and responses that they await."""
    connections = [one.connection for one in getattr(provider, "_providers", (provider,))]
    sessions = [held.resource for one in connections for held in one.transport.load()._sessions.held.values()]
    return sum(len(session.connector._acquired) + session.connector.awaited for session in sessions)


def find_left_over(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Tasks other than the earlier ones and those of the server."""
    return {task for task in asyncio.all_tasks() - tasks if "serving" not in repr(task)}


async def check_as_it_was(provider: BaseProvider, server: Loopback, tasks: set[asyncio.Task[Any]]) -> None:
    for _ in range(200):  # the loop may still be taking a connection that was given up
        if count_in_use(provider) == 0 and not find_left_over(tasks):
            break
        await asyncio.sleep(0.01)
    assert count_in_use(provider) == 0
    assert server.open_connections <= 40 + 5
    assert find_left_over(tasks) == set()
    assert await get_answer(provider, "last") == "Hello"
    assert await get_streamed(provider, "last") == "Hello"


@pytest.mark.parametrize("times", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_calls_cancelled_at_random_points_leave_nothing(times: int) -> None:
    async with serving(Moods(seed=times)) as server, build_acme(server.url, max_retries=0) as provider:
        tasks = asyncio.all_tasks()
        given_up = await give_up_at_random(provider, times, seed=times)
        assert given_up > times / 10, "hardly any was given up, which proves little"
        await check_as_it_was(provider, server, tasks)
        stats = provider.get_circuit_breaker_stats()
        assert stats is not None
        assert (stats["state"], stats["total_failures"]) == ("closed", 0)


@pytest.mark.parametrize("times", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_calls_cancelled_at_random_points_return_their_permits(times: int) -> None:
    async with serving(Moods(seed=times)) as server:
        async with await create_managed(server.url, rate_limits=Limits(concurrency=16)) as provider:
            tasks = asyncio.all_tasks()
            given_up = await give_up_at_random(provider, times, seed=times)
            assert times / 10 < given_up <= times
            await check_as_it_was(provider, server, tasks)
            stats = provider.get_rate_limit_stats()
            assert stats is not None
            left = {name: stats[name] for name in ("in_flight", "waiting") if name in stats}
            assert left
            assert set(left.values()) == {0}, stats


async def measure_growth(provider: BaseProvider, server: Loopback, calls: int) -> int:
    """Bytes still held after so many calls and streams, ten at a time."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(calls // 10):
        await asyncio.gather(
            *(get_answer(provider, "hi") for _ in range(5)), *(get_streamed(provider, "hi") for _ in range(5))
        )
        server.received.clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before


async def answer_at_once(talk: Talk, received: Received) -> None:
    if received.json().get("stream"):
        await talk.send_events(*shapes.build_chunks("Hel", "lo"))
    else:
        await talk.answer(shapes.build_body("Hello"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "managed"])
async def test_memory_is_flat_over_20_000_calls(kind: str) -> None:
    async with serving(answer_at_once) as server:
        made: BaseProvider = build_acme(server.url) if kind == "plain" else await create_managed(server.url)
        async with made as provider:
            tracemalloc.start()
            try:
                await measure_growth(provider, server, 2000)
                grown = await measure_growth(provider, server, 20_000)
            finally:
                tracemalloc.stop()
    assert grown <= 20 * 10 * 1024, f"{grown / 20:.0f} bytes per 1,000 calls"


def measure_package() -> int:
    """Bytes that the package has allocated. How many connections are open at the moment differs, and is not counted."""
    traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{PACKAGE}/*")]).traces
    return sum(trace.size for trace in traces)


@pytest.mark.slow
async def test_memory_is_flat_over_cancelled_calls() -> None:
    async with serving(Moods(seed=5)) as server, build_acme(server.url, max_retries=0) as provider:
        tracemalloc.start()
        try:
            await give_up_at_random(provider, 1000, seed=1)
            server.received.clear()
            gc.collect()
            before = measure_package()
            await give_up_at_random(provider, 5000, seed=2)
            server.received.clear()
            gc.collect()
            grown = measure_package() - before
        finally:
            tracemalloc.stop()
    assert grown <= 5 * 10 * 1024, f"{grown / 5:.0f} bytes per 1,000 calls"
