"""Custom providers in a managed provider: retries, timeouts and statistics, and no exceptions from `chat_result`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import httpx
import pytest

from tests.acme import HI
from tests.loopback import serving
from tests.managed_shapes import Echo, answer_with, build_fallback, create_managed, stream_hello
from tests.providers.tutorial_provider import CustomLLMProvider
from victor_fp.core import faults
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.providers.base import ProviderError, ProviderRateLimitError
from victor_fp.providers.factory import ManagedProvider, ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry


@pytest.fixture(autouse=True)
def echo() -> Iterator[None]:
    ProviderRegistry.register("echo", Echo)
    ProviderRegistry.register("custom_llm", CustomLLMProvider)
    Echo.plan, Echo.closed = [], 0
    yield
    ProviderRegistry.restore()


async def create_echo(**keywords: object) -> ManagedProvider:
    return await ManagedProviderFactory.create("echo", "e-1", "k", **{"timeout": 1.0, **keywords})  # type: ignore[arg-type]  # any keywords


def make_status_error(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://echo.test")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


async def test_it_chats_streams_and_is_closed() -> None:
    async with await create_echo() as provider:
        assert (await provider.chat(HI)).content == "e-1: Hi"
        chunks = [chunk async for chunk in provider.stream(HI)]
        stats = provider.get_rate_limit_stats()
    assert [(chunk.content, chunk.is_final) for chunk in chunks] == [("", False), ("e-1", False), ("", True)]
    assert Echo.closed == 1
    assert stats is not None
    assert (stats["in_flight"], stats["total_requests"]) == (0, 2)


async def test_options_of_the_managed_provider_are_not_passed_to_the_class() -> None:
    async with await create_echo() as provider:
        response = await provider.chat(HI, deadline=2.0, seed=3)
    assert response.metadata is not None
    assert response.metadata["options"] == {"temperature": 0.7, "max_tokens": 4096, "tools": None, "seed": 3}


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ProviderRateLimitError("slow", "echo"), faults.RateLimited),
        (make_status_error(503), faults.Overloaded),
        (make_status_error(401), faults.AuthRejected),
        (httpx.ConnectError("nobody there"), faults.ConnectionFailed),
        (TimeoutError(), faults.TimedOut),
        (KeyError("choices"), faults.InvalidResponse),
    ],
)
async def test_exceptions_become_faults(raised: Exception, kind: type[faults.Fault]) -> None:
    Echo.plan = [raised, raised]
    async with await create_echo(max_retries=0) as provider:
        fault = (await provider.chat_result(HI)).failure()
        assert isinstance(fault, kind)
        assert (fault.provider, fault.model) == ("echo", "e-1")
        with pytest.raises(ProviderError):
            await provider.chat(HI)


async def test_exceptions_in_custom_code_are_logged_with_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Echo.plan = [KeyError("choices")]
    with caplog.at_level(logging.WARNING, "victor_fp"):
        async with await create_echo(max_retries=0) as provider:
            await provider.chat_result(HI)
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.usefixtures("no_pauses")
async def test_only_the_managed_provider_retries() -> None:
    Echo.plan = [make_status_error(500), make_status_error(500)]
    async with await create_echo(retry=None) as provider:
        assert provider.provider.max_retries == 0
        response = await provider.chat(HI)
    assert response.metadata is not None
    assert [attempt["outcome"] for attempt in response.metadata["attempts"]] == ["ServerFailed", "ServerFailed", "ok"]


async def test_it_is_bounded_in_time() -> None:
    async def wait_forever() -> None:
        await asyncio.sleep(60)

    Echo.plan = [wait_forever, wait_forever]
    async with await create_echo(timeout=0.1, max_retries=0) as provider:
        assert isinstance((await provider.chat_result(HI)).failure(), faults.TimedOut)
        (result,) = [result async for result in provider.stream_result(HI)]
    fault = result.failure()
    assert isinstance(fault, faults.TimedOut)
    assert fault.phase == "first_token"


async def test_streams_fall_back_before_the_first_chunk_and_not_after() -> None:
    async with serving(stream_hello) as server:
        fallback = build_fallback(server.url)
        await create_managed(server.url)
        async with await create_echo(fallback_configs=[fallback], max_retries=0) as provider:
            Echo.plan = [make_status_error(500)]
            assert "".join([chunk.content async for chunk in provider.stream(HI)]) == "Hello"
            Echo.plan = [[make_status_error(500)]]
            results = [result async for result in provider.stream_result(HI)]
    assert len(server.received) == 1
    assert [result.unwrap().content for result in results[:-1]] == ["", "e-1"]
    fault = results[-1].failure()
    assert isinstance(fault, faults.ServerFailed)
    assert fault.partial is not None
    assert fault.partial.content == "e-1"


async def test_custom_provider_waits_in_the_queue() -> None:
    busy = most = 0

    async def count_and_wait() -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1

    Echo.plan = [count_and_wait] * 6
    async with await create_echo(rate_limits=Limits(concurrency=2)) as provider:
        await asyncio.gather(*(provider.chat(HI) for _ in range(6)))
    assert most == 2


async def test_it_can_be_the_fallback_of_a_built_in_one() -> None:
    async with await create_managed(
        "http://127.0.0.1:9", max_retries=0, fallback_configs=[ProviderConfig("echo", "e-2")]
    ) as provider:
        assert (await provider.chat(HI)).content == "e-2: Hi"


async def test_a_provider_of_the_tutorial_works_behind_it() -> None:
    async with serving(answer_with("from the tutorial")) as server:
        async with await ManagedProviderFactory.create("custom_llm", "m", "k", server.url) as provider:
            assert (await provider.chat(HI)).content == "from the tutorial"
            assert provider.is_healthy()
