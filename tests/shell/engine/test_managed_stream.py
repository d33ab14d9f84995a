"""Managed streams over real HTTP on loopback: retried like calls up to the first chunk, and not after it."""

from __future__ import annotations

import asyncio

import pytest
from returns.result import Failure, Success

from tests import openai_shapes as shapes
from tests.acme import HI
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import build_fallback, create_managed, fail_with_500, hold_request, stream_hello
from victor_fp.core import faults
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.types import StreamChunk
from victor_fp.providers.base import ProviderError
from victor_fp.providers.factory import ManagedProvider


async def collect_stream(provider: ManagedProvider, **options: object) -> tuple[list[StreamChunk], faults.Fault | None]:
    chunks: list[StreamChunk] = []
    async for result in provider.stream_result(HI, **options):  # type: ignore[arg-type]  # any options
        match result:
            case Success(chunk):
                chunks.append(chunk)
            case Failure(fault):
                return chunks, fault
    return chunks, None


def join_content(chunks: list[StreamChunk]) -> str:
    return "".join(chunk.content for chunk in chunks)


async def cut_after_a_piece(talk: Talk, _: Received) -> None:
    await talk.send_events(shapes.build_chunk("Hel"), done=False)


async def answer_overloaded(talk: Talk, _: Received) -> None:
    await talk.send_events(shapes.build_error("busy", "overloaded_error", "overloaded_error"), done=False)


async def test_chunks_arrive_and_the_last_one_is_final() -> None:
    async with serving(stream_hello) as server, await create_managed(server.url) as provider:
        chunks, fault = await collect_stream(provider)
        stats, metrics = provider.get_rate_limit_stats(), provider.get_metrics()
    assert fault is None
    assert [(chunk.content, chunk.is_final) for chunk in chunks] == [("Hel", False), ("lo", False), ("", True)]
    assert server.received[0].json()["stream"] is True
    assert stats is not None
    assert (stats["in_flight"], stats["tokens_last_minute"]) == (0, 7)
    assert metrics is not None
    (sample,) = metrics["recent"]
    assert (sample["outcome"], sample["streamed"], sample["completion_tokens"]) == ("ok", True, 2)
    assert (sample["first_piece"] or 0.0) > 0


async def test_stream_chat_accepts_a_priority_and_is_a_context_manager() -> None:
    async with serving(stream_hello) as server, await create_managed(server.url) as provider:
        async with provider.stream_chat(HI, priority=Priority.HIGH) as stream:
            assert join_content([chunk async for chunk in stream]) == "Hello"


async def test_an_error_before_the_first_chunk_is_retried_and_then_falls_back() -> None:
    runtime = FakeRuntime()
    async with serving(answer_overloaded) as one, serving(stream_hello) as two:
        async with await create_managed(
            one.url, fallback_configs=[build_fallback(two.url)], max_retries=1, runtime=runtime
        ) as provider:
            chunks, fault = await collect_stream(provider)
    assert fault is None
    assert join_content(chunks) == "Hello"
    assert chunks[-1].metadata is not None
    attempts = [(attempt["model"], attempt["outcome"]) for attempt in chunks[-1].metadata["attempts"]]
    assert attempts == [("m-1", "Overloaded"), ("m-1", "Overloaded"), ("m-2", "ok")]
    assert two.received[0].json()["model"] == "m-2"


async def test_nothing_is_retried_or_falls_back_after_the_first_chunk() -> None:
    async with serving(cut_after_a_piece) as one, serving(stream_hello) as two:
        async with await create_managed(one.url, fallback_configs=[build_fallback(two.url)]) as provider:
            chunks, fault = await collect_stream(provider)
            stats = provider.get_rate_limit_stats()
    assert (join_content(chunks), len(one.received), two.received) == ("Hel", 1, [])
    assert isinstance(fault, faults.StreamTruncated)
    assert fault.partial is not None
    assert fault.partial.content == "Hel"
    assert len(fault.attempts) == 1
    assert stats is not None
    assert stats["in_flight"] == 0


async def test_fault_after_all_targets_failed_has_all_attempts() -> None:
    async with serving(fail_with_500) as one, serving(fail_with_500) as two:
        fallback = build_fallback(two.url, extra_kwargs={"max_retries": 0})
        async with await create_managed(one.url, fallback_configs=[fallback], max_retries=0) as provider:
            _, fault = await collect_stream(provider)
            with pytest.raises(ProviderError, match="all 2 targets failed"):
                async for _chunk in provider.stream(HI):
                    pass
    assert isinstance(fault, faults.AllFallbacksFailed)
    assert [attempt.model for attempt in fault.attempts] == ["m-1", "m-2"]


async def test_streams_count_for_the_breaker() -> None:
    async with serving(fail_with_500) as server, await create_managed(server.url, max_retries=0) as provider:
        for _ in range(5):
            await collect_stream(provider)
        assert provider.is_circuit_open()
        _, fault = await collect_stream(provider)
    assert isinstance(fault, faults.CircuitOpen)
    assert len(server.received) == 5


async def test_leaving_early_closes_the_connection_and_returns_everything() -> None:
    left = asyncio.Event()

    async def stream_until_left(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("Hel"))
        assert await talk.wait_for_close()
        left.set()

    async with serving(stream_until_left) as server:
        async with await create_managed(server.url, rate_limits=Limits(concurrency=1)) as provider:
            async with provider.stream(HI) as stream:
                async for _ in stream:
                    break
            await asyncio.wait_for(left.wait(), 2)
            stats, metrics = provider.get_rate_limit_stats(), provider.get_metrics()
    assert stats is not None
    assert stats["in_flight"] == 0
    assert metrics is not None
    assert metrics["summary"]["outcomes"] == {"left": 1}
    assert metrics["summary"]["total_failures"] == 0


async def test_unstarted_stream_uses_no_permit() -> None:
    async with serving(stream_hello) as server, await create_managed(server.url) as provider:
        await provider.stream(HI).aclose()
        stats = provider.get_rate_limit_stats()
    assert (server.received, stats) == ([], {"targets": {}})


async def test_cancelled_stream_leaves_the_queue() -> None:
    async with serving(hold_request) as server:
        async with await create_managed(server.url, rate_limits=Limits(concurrency=1), max_retries=0) as provider:
            first = asyncio.create_task(collect_stream(provider, deadline=0.3))
            await asyncio.sleep(0.05)
            second = asyncio.create_task(collect_stream(provider))
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.wait([first, second])
            stats = provider.get_rate_limit_stats()
    assert len(server.received) == 1
    assert stats is not None
    assert (stats["in_flight"], stats["waiting"]) == (0, 0)


async def test_keep_alive_without_content_ends_at_the_deadline() -> None:
    async def keep_alive(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        while True:
            await talk.send_chunk(b": keepalive\n\n")
            await asyncio.sleep(0.05)

    loop = asyncio.get_running_loop()
    async with serving(keep_alive) as one, serving(stream_hello) as two:
        fallback = build_fallback(two.url, timeout=0.4, extra_kwargs={"max_retries": 0})
        async with await create_managed(one.url, fallback_configs=[fallback], timeout=0.4, max_retries=0) as provider:
            began = loop.time()
            chunks, fault = await collect_stream(provider)
    assert fault is None
    assert join_content(chunks) == "Hello"
    assert loop.time() - began < 3.0


async def test_a_deadline_holds_in_the_middle_of_an_answer() -> None:
    async def stream_slowly(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        for _piece in range(100):
            await talk.send_event(shapes.build_chunk("x"))
            await asyncio.sleep(0.05)

    async with serving(stream_slowly) as server, await create_managed(server.url) as provider:
        chunks, fault = await collect_stream(provider, deadline=0.3)
    assert chunks
    assert isinstance(fault, faults.DeadlineExceeded | faults.TimedOut)
