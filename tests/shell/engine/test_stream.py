"""Streams over real HTTP on loopback: pieces, endings, retries before the first piece, and leaving early."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from returns.result import Failure, Success

from tests import openai_shapes as shapes
from tests.acme import HI, build_acme
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from victor_fp.core import faults
from victor_fp.core.types import StreamChunk
from victor_fp.providers.base import ProviderError


async def stream_hello(talk: Talk, _: Received) -> None:
    await talk.send_events(*shapes.build_chunks("Hel", "lo"))


async def answer_overloaded(talk: Talk, _: Received) -> None:
    await talk.send_events(shapes.build_error("busy", "overloaded_error", "overloaded_error"), done=False)


async def cut_after_a_piece(talk: Talk, _: Received) -> None:
    await talk.send_events(shapes.build_chunk("Hel"), done=False)


async def collect_stream(stream: object) -> tuple[list[StreamChunk], faults.Fault | None]:
    chunks: list[StreamChunk] = []
    async for result in stream:  # type: ignore[attr-defined]  # any stream of results
        match result:
            case Success(chunk):
                chunks.append(chunk)
            case Failure(fault):
                return chunks, fault
    return chunks, None


async def test_chunks_arrive_and_the_last_one_is_final() -> None:
    async with serving(stream_hello) as server, build_acme(server.url) as provider:
        chunks, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
    assert fault is None
    assert [(chunk.content, chunk.is_final) for chunk in chunks] == [("Hel", False), ("lo", False), ("", True)]
    assert chunks[-1].usage == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert server.received[0].json()["stream"] is True


async def test_stream_raises_the_faults_of_stream_result() -> None:
    async with serving(cut_after_a_piece) as server, build_acme(server.url) as provider:
        said = ""
        with pytest.raises(ProviderError) as caught:
            async for chunk in provider.stream(HI, model="m-1"):
                said += chunk.content
    assert said == "Hel"
    assert isinstance(caught.value.fault, faults.StreamTruncated)
    assert caught.value.fault.partial is not None
    assert caught.value.fault.partial.content == "Hel"


async def test_an_error_event_before_the_first_piece_is_retried() -> None:
    runtime = FakeRuntime()
    async with serving(answer_overloaded, stream_hello) as server, build_acme(server.url, runtime=runtime) as provider:
        chunks, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
    assert fault is None
    assert "".join(chunk.content for chunk in chunks) == "Hello"
    assert chunks[-1].metadata is not None
    assert [attempt["outcome"] for attempt in chunks[-1].metadata["attempts"]] == ["Overloaded", "ok"]


async def test_nothing_is_retried_after_the_first_chunk() -> None:
    async with serving(cut_after_a_piece, stream_hello) as server, build_acme(server.url) as provider:
        chunks, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
    assert isinstance(fault, faults.StreamTruncated)
    assert ([chunk.content for chunk in chunks], len(server.received)) == (["Hel"], 1)


async def test_usage_after_the_finish_chunk_is_read() -> None:
    async def send_usage_last(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("Hi"))
        await talk.send_event(shapes.build_chunk(finish="stop"))
        await asyncio.sleep(0.05)
        await talk.send_event(shapes.build_chunk(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 1}))
        await talk.send_event("[DONE]")
        await talk.end()

    async with serving(send_usage_last) as server, build_acme(server.url) as provider:
        chunks, _ = await collect_stream(provider.stream_result(HI, model="m-1"))
    assert chunks[-1].usage == {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@pytest.mark.parametrize("plain", [False, True], ids=["aiohttp", "httpx"])
class TestLeavingAndBreaking:
    """The same under httpx over aiohttp and under plain httpx."""

    async def test_leaving_the_loop_closes_the_upstream_at_once(self, plain: bool) -> None:
        closed = asyncio.Event()

        async def wait_until_left(talk: Talk, _: Received) -> None:
            await talk.send_head(content_type="text/event-stream")
            await talk.send_event(shapes.build_chunk("Hel"))
            if await talk.wait_for_close():
                closed.set()

        client = httpx.AsyncClient() if plain else None
        async with serving(wait_until_left) as server, build_acme(server.url, http_client=client) as provider:
            async for _ in provider.stream(HI, model="m-1"):
                break
            await asyncio.wait_for(closed.wait(), 2)
            assert provider.get_circuit_breaker_stats() is not None
        if client is not None:
            await client.aclose()

    async def test_async_with_closes_the_upstream(self, plain: bool) -> None:
        closed = asyncio.Event()

        async def wait_until_left(talk: Talk, _: Received) -> None:
            await talk.send_head(content_type="text/event-stream")
            await talk.send_event(shapes.build_chunk("Hel"))
            if await talk.wait_for_close():
                closed.set()

        client = httpx.AsyncClient() if plain else None
        async with serving(wait_until_left) as server, build_acme(server.url, http_client=client) as provider:
            async with provider.stream(HI, model="m-1") as stream:
                assert (await anext(stream)).content == "Hel"
            await asyncio.wait_for(closed.wait(), 2)
        if client is not None:
            await client.aclose()

    async def test_a_stall_before_the_first_piece(self, plain: bool) -> None:
        async def keep_silent(talk: Talk, _: Received) -> None:
            await talk.send_head(content_type="text/event-stream")
            await talk.wait_for_close(10)

        client = httpx.AsyncClient() if plain else None
        async with serving(keep_silent) as server:
            async with build_acme(server.url, timeout=0.2, max_retries=0, http_client=client) as provider:
                _, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
        assert isinstance(fault, faults.TimedOut)
        assert fault.phase == "first_token"
        if client is not None:
            await client.aclose()

    async def test_a_stall_in_the_middle_keeps_partial_content(self, plain: bool) -> None:
        async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
            await talk.send_head(content_type="text/event-stream")
            await talk.send_event(shapes.build_chunk("Hel"))
            await talk.wait_for_close(10)

        client = httpx.AsyncClient() if plain else None
        async with serving(stop_after_one_chunk) as server:
            async with build_acme(server.url, timeout=0.2, http_client=client) as provider:
                _, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
        assert isinstance(fault, faults.TimedOut)
        assert fault.phase == "stream"
        assert fault.partial is not None
        assert fault.partial.content == "Hel"
        if client is not None:
            await client.aclose()

    async def test_a_reset_in_the_middle(self, plain: bool) -> None:
        async def reset_after_one_chunk(talk: Talk, _: Received) -> None:
            await talk.send_head(content_type="text/event-stream")
            await talk.send_event(shapes.build_chunk("Hel"))
            await talk.reset()

        client = httpx.AsyncClient() if plain else None
        async with serving(reset_after_one_chunk) as server, build_acme(server.url, http_client=client) as provider:
            _, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
        assert isinstance(fault, faults.StreamInterrupted)
        if client is not None:
            await client.aclose()


async def test_a_slow_but_steady_stream_may_exceed_the_default_deadline() -> None:
    async def stream_slowly(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        for _piece in range(10):
            await talk.send_event(shapes.build_chunk("x"))
            await asyncio.sleep(0.05)
        await talk.send_event(shapes.build_chunk(finish="stop"))
        await talk.end()

    async with serving(stream_slowly) as server, build_acme(server.url, timeout=0.2, max_retries=0) as provider:
        chunks, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
    assert fault is None
    assert "".join(chunk.content for chunk in chunks) == "x" * 10


async def test_explicit_deadline_bounds_the_stream() -> None:
    async def stream_endlessly(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        while True:
            await talk.send_event(shapes.build_chunk("x"))
            await asyncio.sleep(0.02)

    async with serving(stream_endlessly) as server, build_acme(server.url) as provider:
        _, fault = await collect_stream(provider.stream_result(HI, model="m-1", deadline=0.3))
    assert isinstance(fault, faults.DeadlineExceeded)
    assert fault.seconds == 0.3
    assert fault.partial is not None
    assert fault.partial.content.startswith("xxx")


async def test_complete_body_instead_of_a_stream_is_accepted() -> None:
    async def answer_request(talk: Talk, _: Received) -> None:
        await talk.answer(shapes.build_body("Hello!"))

    async with serving(answer_request) as server, build_acme(server.url) as provider:
        chunks, fault = await collect_stream(provider.stream_result(HI, model="m-1"))
    assert fault is None
    assert [(chunk.content, chunk.is_final) for chunk in chunks] == [("Hello!", False), ("", True)]


async def test_many_abandoned_streams_leave_no_connections() -> None:
    async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(shapes.build_chunk("Hel"))
        await talk.wait_for_close(10)

    async def leave_early() -> None:
        async for _ in provider.stream(HI, model="m-1"):
            break

    async with serving(stop_after_one_chunk) as server, build_acme(server.url) as provider:
        await asyncio.gather(*(leave_early() for _ in range(50)))
        for _ in range(100):
            if server.open_connections == 0:
                break
            await asyncio.sleep(0.02)
        assert (server.connections, server.open_connections) == (50, 0)
