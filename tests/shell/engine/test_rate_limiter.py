"""The rate limiter of a key: admission, order of the queue, and refusals."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests import openai_shapes as shapes
from tests.acme import HI
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import answer_hello, create_managed, hold_request, limit_rate
from victor_fp.core import faults
from victor_fp.core.resilience.queue import Priority, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.shell.store.memory import MemoryStore


async def answer_after(release: asyncio.Event, talk: Talk, _: Received) -> None:
    await release.wait()
    await talk.answer(shapes.build_body())


async def test_concurrency_is_limited_and_calls_are_admitted_by_priority() -> None:
    busy = most = 0
    order: list[str] = []

    async def count_and_answer(talk: Talk, received: Received) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        order.append(str(received.json()["user"]))
        await asyncio.sleep(0.02)
        busy -= 1
        await talk.answer(shapes.build_body())

    async with serving(count_and_answer) as server:
        async with await create_managed(server.url, rate_limits=Limits(concurrency=1)) as provider:
            first = asyncio.create_task(provider.chat(HI, user="first"))
            await asyncio.sleep(0.005)
            later = [
                asyncio.create_task(provider.chat(HI, user=level.name, priority=level)) for level in reversed(Priority)
            ]
            await asyncio.gather(first, *later)
            stats = provider.get_rate_limit_stats()
    assert most == 1
    assert order == ["first", "CRITICAL", "HIGH", "NORMAL", "LOW", "BATCH"]
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"], stats["total_requests"]) == (0, 0, 6)


async def test_the_end_of_a_call_admits_calls_of_other_providers_with_the_same_store() -> None:
    store = MemoryStore()
    release = asyncio.Event()
    async with serving(partial(answer_after, release)) as server:
        async with (
            await create_managed(server.url, rate_limits=Limits(concurrency=1), store=store) as one,
            await create_managed(server.url, rate_limits=Limits(concurrency=1), store=store) as other,
        ):
            calls = [asyncio.create_task(provider.chat(HI)) for provider in (one, other, one, other)]
            while not server.received:
                await asyncio.sleep(0)
            stats = other.get_rate_limit_stats()
            release.set()
            async with asyncio.timeout(10):
                await asyncio.gather(*calls)
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"]) == (1, 3)
    assert len(server.received) == 4


async def test_closing_a_provider_ends_its_waiting_calls_and_not_those_of_others() -> None:
    store = MemoryStore()
    release = asyncio.Event()
    async with serving(partial(answer_after, release)) as server:
        async with (
            await create_managed(server.url, rate_limits=Limits(concurrency=1), store=store) as one,
            await create_managed(server.url, rate_limits=Limits(concurrency=1), store=store) as other,
        ):
            sent = asyncio.create_task(other.chat(HI))
            while not server.received:
                await asyncio.sleep(0)
            ended, kept = asyncio.create_task(one.chat_result(HI)), asyncio.create_task(other.chat(HI))
            await asyncio.sleep(0)
            await one.close()
            fault = (await ended).failure()
            release.set()
            async with asyncio.timeout(10):
                await asyncio.gather(sent, kept)
    assert isinstance(fault, faults.Cancelled)
    assert fault.message == "the provider was shut down"
    assert len(server.received) == 2


async def test_cancelled_call_leaves_the_queue_and_is_not_sent() -> None:
    async def answer_slowly(talk: Talk, _: Received) -> None:
        await asyncio.sleep(0.1)
        await talk.answer(shapes.build_body())

    async with serving(answer_slowly) as server:
        async with await create_managed(server.url, rate_limits=Limits(concurrency=1)) as provider:
            first = asyncio.create_task(provider.chat(HI))
            await asyncio.sleep(0.02)
            second = asyncio.create_task(provider.chat(HI))
            await asyncio.sleep(0.02)
            second.cancel()
            await asyncio.wait([second])
            await first
            stats = provider.get_rate_limit_stats()
            metrics = provider.get_metrics()
    assert len(server.received) == 1
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"]) == (0, 0)
    assert metrics is not None
    assert metrics["summary"]["outcomes"] == {"ok": 1, "Cancelled": 1}
    assert metrics["summary"]["total_failures"] == 0


async def test_a_cancelled_call_gives_its_permit_back() -> None:
    async with serving(hold_request) as server:
        async with await create_managed(server.url, rate_limits=Limits(concurrency=1)) as provider:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(provider.chat(HI), 0.1)
            stats = provider.get_rate_limit_stats()
    assert len(server.received) == 3
    assert stats is not None
    assert stats["in_flight"] == 0


async def test_full_queue_and_deadline_in_the_queue_are_faults() -> None:
    async with serving(hold_request) as server:
        async with await create_managed(
            server.url, rate_limits=Limits(concurrency=1), queue=QueuePolicy(max_size=1), max_retries=0
        ) as provider:
            first = asyncio.create_task(provider.chat_result(HI, deadline=1.5))
            await asyncio.sleep(0.05)
            waits = asyncio.create_task(provider.chat_result(HI, deadline=1.0))
            await asyncio.sleep(0.05)
            full = (await provider.chat_result(HI)).failure()
            late = (await waits).failure()
            await first
    assert isinstance(full, faults.QueueFull)
    assert isinstance(late, faults.DeadlineExceeded)
    assert (full.provider, full.model) == ("acme", "m-1")
    assert len(server.received) == 1


async def test_rate_limit_starts_a_cooldown_of_the_key() -> None:
    async with serving(limit_rate, answer_hello) as server:
        async with await create_managed(server.url, max_retries=0) as provider:
            assert isinstance((await provider.chat_result(HI)).failure(), faults.RateLimited)
            again = (await provider.chat_result(HI, deadline=2.0)).failure()
            stats = provider.get_rate_limit_stats()
    assert isinstance(again, faults.RateLimited)
    assert again.retry_after == pytest.approx(7.0, abs=0.5)
    assert len(server.received) == 1
    assert stats is not None
    assert stats["cooldown"] == pytest.approx(7.0, abs=0.5)


async def test_reported_limits_are_adopted() -> None:
    async def answer_with_limits(talk: Talk, _: Received) -> None:
        await talk.answer(
            shapes.build_body(),
            x_ratelimit_limit_requests="2",
            x_ratelimit_remaining_requests="0",
            x_ratelimit_reset_requests="5s",
        )

    async with serving(answer_with_limits) as server, await create_managed(server.url) as provider:
        await provider.chat(HI)
        fault = (await provider.chat_result(HI, deadline=0.3)).failure()
        stats = provider.get_rate_limit_stats()
    assert isinstance(fault, faults.RateLimited)
    assert 4 < (fault.retry_after or 0) < 5.1
    assert len(server.received) == 1
    assert stats is not None
    assert stats["state"] == "held"


async def test_reported_usage_replaces_the_estimate() -> None:
    async with (
        serving(answer_hello) as server,
        await create_managed(server.url, rate_limits="openai-tier-1") as provider,
    ):
        await provider.chat(HI)
        stats = provider.get_rate_limit_stats()
    assert stats is not None
    assert (stats["tokens_last_minute"], stats["requests_per_minute"]) == (7, 500)


async def test_shutdown_rejects_waiting_calls_and_is_idempotent() -> None:
    async with serving(hold_request) as server:
        provider = await create_managed(server.url, rate_limits=Limits(concurrency=1), max_retries=0)
        first = asyncio.create_task(provider.chat_result(HI, deadline=0.3))
        await asyncio.sleep(0.05)
        waits = asyncio.create_task(provider.chat_result(HI))
        await asyncio.sleep(0.05)
        await provider.shutdown()
        assert isinstance((await waits).failure(), faults.Cancelled)
        await first
        await provider.shutdown()


async def test_calls_wait_for_the_next_minute_and_one_timer_wakes_all() -> None:
    runtime = FakeRuntime()
    async with serving(answer_hello) as server:
        async with await create_managed(
            server.url, runtime=runtime, rate_limits=Limits(requests_per_minute=2, adopt="never")
        ) as provider:
            await asyncio.gather(*(provider.chat(HI, deadline=100.0) for _ in range(4)))
            metrics = provider.get_metrics()
    assert len(server.received) == 4
    assert 60.0 <= sum(runtime.slept) <= 63.1
    assert metrics is not None
    queue_seconds = metrics["summary"]["queue_seconds"]
    assert queue_seconds is not None
    assert 60.0 <= queue_seconds["max"] <= 63.1
