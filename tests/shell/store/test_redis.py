"""Against a real redis-server on loopback: many processes on one key, one of them killed, and Redis gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import openai_shapes as shapes
from tests.acme import HI, KEY
from tests.core.resilience.simulation.shared_limit import compute_allowance, count_most_requests
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import answer_hello, create_managed, fail_with_500, limit_rate
from tests.shell.store.redis_process import find_free_port, run_redis
from victor_fp.core import faults
from victor_fp.core.resilience.pool import compute_lease
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.providers.factory import ManagedProvider
from victor_fp.shell.store.redis import RedisStore

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def redis() -> AsyncIterator[str]:
    async with run_redis() as url:
        yield url


async def start_process(url: str, redis: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.shell.store.limited_process",
        url,
        redis,
        *map(str, arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}"},
        stdout=asyncio.subprocess.PIPE,
    )


async def test_stores_on_one_key_share_a_binding_rate_evenly(redis: str) -> None:
    per_minute, seconds, counts = 1200, 5.0, [0] * 4
    loop, times = asyncio.get_running_loop(), list[float]()

    async def note_time(talk: Talk, received: Received) -> None:
        times.append(time.monotonic())
        await answer_hello(talk, received)

    async def call_until_end(provider: ManagedProvider, index: int, ends: float) -> None:
        while (left := ends - loop.time()) > 0:
            result = await provider.chat_result(HI, deadline=left)
            counts[index] += result.value_or(None) is not None

    async with serving(note_time) as server:
        stores = [RedisStore(redis) for _ in counts]
        allowed = Limits(requests_per_minute=per_minute, adopt="never")
        providers = [
            await create_managed(server.url, store=store, rate_limits=allowed, enable_resilience=False)
            for store in stores
        ]
        ends = loop.time() + seconds
        await asyncio.gather(
            *(call_until_end(provider, index, ends) for index, provider in enumerate(providers) for _ in range(8))
        )
        for provider, store in zip(providers, stores, strict=True):
            await provider.shutdown()
            await store.aclose()
    assert count_most_requests(times, seconds) <= compute_allowance(per_minute, seconds)
    assert len(times) >= 0.4 * per_minute * seconds / 60  # nearly all of it; less only where the machine stalls
    assert min(counts) >= len(times) / len(counts) / 2


@pytest.mark.slow
async def test_four_processes_on_one_key_stay_within_the_limit_together(redis: str) -> None:
    times: list[float] = []

    async def note_time(talk: Talk, received: Received) -> None:
        times.append(time.monotonic())
        await answer_hello(talk, received)

    async with serving(note_time) as server:
        processes = [await start_process(server.url, redis, 30, 600, 0) for _ in range(4)]
        counts = [int((await process.communicate())[0]) for process in processes]
    assert len(times) == sum(counts)
    assert count_most_requests(times, 3) <= compute_allowance(600, 3)
    assert min(counts) >= len(times) / 4 / 2


async def test_a_process_that_is_killed_loses_its_permits_no_longer_than_the_lease_of_the_loan(redis: str) -> None:
    async def hold_first_requests(talk: Talk, received: Received) -> None:
        if len(server.received) <= 2:
            await talk.wait_for_close(60)
        else:
            await answer_hello(talk, received)

    async with serving(hold_first_requests) as server:
        doomed = await start_process(server.url, redis, 60, 0, 2)
        while len(server.received) < 2:
            await asyncio.sleep(0.02)
        killed = time.monotonic()
        doomed.send_signal(signal.SIGKILL)
        await doomed.wait()
        store = RedisStore(redis, poll=0.05)
        allowed = Limits(concurrency=2)
        async with await create_managed(
            server.url, store=store, rate_limits=allowed, enable_resilience=False
        ) as provider:
            early = await provider.chat_result(HI, deadline=1.0)
            assert isinstance(early.failure(), faults.DeadlineExceeded)
            assert (await provider.chat(HI, deadline=20.0)).content == "Hello!"
            waited = time.monotonic() - killed
        await store.aclose()
    assert waited < compute_lease(1.0) + 5


async def test_breakers_and_cooldowns_are_shared(redis: str) -> None:
    async with serving(*[fail_with_500] * 5, limit_rate) as server:
        stores = [RedisStore(redis), RedisStore(redis)]
        one, two = [await create_managed(server.url, store=store, max_retries=0) for store in stores]
        for _ in range(5):
            await one.chat_result(HI)
        assert isinstance((await two.chat_result(HI)).failure(), faults.CircuitOpen)
        assert len(server.received) == 5
        two.reset_circuit_breaker()
        await stores[1].drain()
        assert isinstance((await one.chat_result(HI)).failure(), faults.RateLimited)
        while not (limiter := two.get_rate_limit_stats()) or not limiter["cooldown"]:
            await asyncio.sleep(0.05)
        cooled = (await two.chat_result(HI, deadline=1.0)).failure()
        assert isinstance(cooled, faults.RateLimited)
        assert cooled.retry_after == pytest.approx(6.0, abs=1.0)
        assert len(server.received) == 6
        for provider, store in zip((one, two), stores, strict=True):
            await provider.shutdown()
            await store.aclose()


async def test_no_key_of_a_vendor_is_in_redis(redis: str) -> None:
    from redis.asyncio import Redis

    async with serving(*[fail_with_500] * 5) as server:
        store = RedisStore(redis, prefix="mine")
        async with await create_managed(server.url, store=store, max_retries=0) as provider:
            for _ in range(5):  # opens the circuit, as a closed one that never opened is not written
                await provider.chat_result(HI)
        await store.aclose()
    async with Redis.from_url(redis) as client:
        names = [name async for name in client.scan_iter()]
        values = [
            str(await (client.zrange(name, 0, -1) if b":limits:" in name else client.get(name))) for name in names
        ]
        expiries = [await client.pttl(name) for name in names]
    assert len(names) == 2
    assert all(name.startswith(b"mine:") for name in names)
    assert KEY not in str(names) + "".join(values)
    assert all(0 < left <= 7_200_000 for left in expiries)


async def test_a_password_is_used_and_shown_nowhere() -> None:
    port = find_free_port()
    async with run_redis("--requirepass", "hush-hush", port=port) as plain, serving(answer_hello) as server:
        store = RedisStore(plain.replace("//", "//:hush-hush@"), on_loss="closed")
        async with await create_managed(server.url, store=store) as provider:
            assert (await provider.chat(HI)).content == "Hello!"
        await store.aclose()
        assert "hush" not in repr(store) + repr(vars(store)) + repr(vars(store._server))
        wrong = RedisStore(plain, on_loss="closed")
        async with await create_managed(server.url, store=wrong) as provider:
            assert isinstance((await provider.chat_result(HI)).failure(), faults.ConnectionFailed)
        await wrong.aclose()


@pytest.mark.parametrize("on_loss", ["open", "closed"])
async def test_a_redis_outage_raises_nothing(on_loss: str) -> None:
    port = find_free_port()
    async with serving(answer_hello) as server:
        store = RedisStore(f"redis://127.0.0.1:{port}/0", on_loss=on_loss)  # type: ignore[arg-type]  # one of the two
        async with run_redis(port=port):
            provider = await create_managed(server.url, store=store, max_retries=0)
            assert (await provider.chat(HI)).content == "Hello!"
        gone = await provider.chat_result(HI)
        if on_loss == "open":
            assert gone.unwrap().content == "Hello!"
        else:
            while gone.value_or(None) is not None:  # under the loan, until its renewal finds the loss
                await asyncio.sleep(0.05)
                gone = await provider.chat_result(HI)
            fault = gone.failure()
            assert isinstance(fault, faults.ConnectionFailed)
            assert (fault.phase, fault.maybe_billed) == ("pool", False)
        async with run_redis(port=port):
            while store.find_refusal() is not None or (await provider.chat_result(HI)).value_or(None) is None:
                await asyncio.sleep(0.05)
            await provider.shutdown()
        await store.aclose()


async def test_an_unresponsive_redis_costs_one_timeout(redis: str) -> None:
    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    mute = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    async with serving(answer_hello) as server:
        store = RedisStore(f"redis://127.0.0.1:{port}/0", timeout=0.2)
        began = loop.time()
        async with await create_managed(server.url, store=store) as provider:
            for _ in range(5):
                assert (await provider.chat(HI)).content == "Hello!"
        assert loop.time() - began < 1.0
        await store.aclose()
    mute.close()
    await mute.wait_closed()


async def test_a_redis_that_loses_everything_lends_no_request_twice(redis: str) -> None:
    from redis.asyncio import Redis

    async with serving(answer_hello) as server:
        store = RedisStore(redis)
        allowed = Limits(requests_per_minute=2)
        async with await create_managed(server.url, store=store, rate_limits=allowed, max_retries=0) as provider:
            await provider.chat(HI)
            async with Redis.from_url(redis) as client:
                await client.flushall()
            for _ in range(3):
                assert isinstance((await provider.chat_result(HI, deadline=0.3)).failure(), faults.RateLimited)
        await store.aclose()
    assert len(server.received) == 1


async def test_a_hundred_streams_over_redis_return_everything(redis: str) -> None:
    async def stream_hello(talk: Talk, _: Received) -> None:
        await talk.send_events(*shapes.build_chunks("Hel", "lo"))

    async with serving(stream_hello) as server:
        store = RedisStore(redis, poll=0.02)
        async with await create_managed(server.url, store=store, rate_limits=Limits(concurrency=10)) as provider:

            async def read_stream(place: int) -> str:
                said = ""
                async with provider.stream(HI) as stream:
                    async for chunk in stream:
                        said += chunk.content
                        if place % 3 == 0:
                            break
                return said

            got = await asyncio.gather(*(read_stream(place) for place in range(100)))
            await store.drain()
            stats = provider.get_rate_limit_stats()
        await store.aclose()
    assert set(got) == {"Hel", "Hello"}
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"], stats["total_requests"]) == (0, 0, 100)


def test_invalid_url_raises_at_once() -> None:
    with pytest.raises(ValueError, match="scheme"):
        RedisStore("http://somewhere")
