"""Thousands of calls and streams cancelled anywhere: permits, probes, queues and memory are restored."""

from __future__ import annotations

import asyncio
import gc
import random

import pytest

from tests.acme import HI, KEY
from tests.fake_transport import FakeTransport, create_managed_provider
from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.providers.factory import ProviderConfig


@pytest.mark.parametrize("rounds", [60, pytest.param(400, marks=pytest.mark.slow)])
async def test_calls_cancelled_anywhere_return_everything(rounds: int) -> None:
    random_source = random.Random(7)
    transport = FakeTransport(random_source)
    patient = BreakerPolicy(failure_threshold=3, recovery_timeout=0.0)
    fallback = ProviderConfig(
        "acme", "m-2", KEY, circuit_breaker_config=patient, extra_kwargs={"transport": transport, "max_retries": 0}
    )
    provider = await create_managed_provider(
        transport,
        rate_limits=Limits(concurrency=4),
        circuit_breaker=patient,
        max_retries=0,
        fallback_configs=[fallback],
    )

    async def stream_once() -> None:
        async with provider.stream(HI) as stream:
            async for _ in stream:
                if random_source.random() < 0.1:
                    break

    async def call_once() -> None:
        await provider.chat_result(HI)

    async def give_up(kind: int) -> None:
        task = asyncio.create_task(stream_once() if kind % 2 else call_once())
        for _ in range(random_source.randrange(25)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    for _ in range(rounds):
        await asyncio.gather(*(give_up(kind) for kind in range(25)))
    stats, resilience = provider.get_rate_limit_stats(), provider.get_resilience_stats()
    assert stats is not None
    for target in stats["targets"].values():
        assert (target["in_flight"], target["waiting"]) == (0, 0)
    assert transport.open_responses == 0
    assert resilience is not None
    assert resilience["primary_successes"] > 0
    assert len(asyncio.all_tasks()) == 1
    await provider.shutdown()


async def test_five_hundred_at_once_each_get_an_answer() -> None:
    provider = await create_managed_provider(FakeTransport(), rate_limits=Limits(concurrency=50))
    got = await asyncio.gather(*(provider.chat(HI) for _ in range(500)))
    stats = provider.get_rate_limit_stats()
    assert [response.content for response in got] == ["Hello!"] * 500
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"], stats["total_requests"]) == (0, 0, 500)
    await provider.shutdown()


@pytest.mark.slow
async def test_memory_stays_flat() -> None:
    import tracemalloc

    provider = await create_managed_provider(FakeTransport(), rate_limits=Limits(concurrency=2))
    for _ in range(1200):
        await provider.chat(HI)
    gc.collect()
    tracemalloc.start()
    for _ in range(1000):
        await provider.chat(HI)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await provider.shutdown()
    # The window of a thousand samples is replaced by traced ones; nothing else may stay.
    assert grown < 700_000
