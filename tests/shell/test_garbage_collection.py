"""A call frees its objects as it ends, without the cycle collector, whose runs are expensive."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tests import openai_shapes as shapes
from tests.acme import HI, KEY, build_acme
from tests.fake_transport import FakeTransport, create_managed_provider
from tests.loopback import Received, Talk, serving
from victor_fp.core.requests import HttpRequest
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.aiohttp_transport import AiohttpResponse, AiohttpTransport
from victor_fp.shell.transport.http import HttpResponse
from victor_fp.shell.transport.httpx_transport import HttpxResponse

CALLS = 100


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def create_provider(kind: str) -> BaseProvider:
    if kind == "managed":
        return await create_managed_provider(FakeTransport())
    return ProviderRegistry.create("acme", api_key=KEY, transport=FakeTransport())


async def send_call(provider: BaseProvider, *, stream: bool) -> None:
    if not stream:
        await provider.chat(HI, model="m-1")
        return
    async for _ in provider.stream(HI, model="m-1"):
        pass


@pytest.mark.parametrize("kind", ["plain", "managed"])
@pytest.mark.parametrize("stream", [False, True], ids=["chat", "stream"])
async def test_calls_leave_no_reference_cycles(kind: str, stream: bool, no_collector: None) -> None:
    await create_managed_provider(FakeTransport())  # registers the provider
    provider = await create_provider(kind)
    await send_call(provider, stream=stream)
    gc.collect()
    for _ in range(CALLS):
        await send_call(provider, stream=stream)
    assert gc.collect() < CALLS / 10
    await provider.close()


@pytest.mark.parametrize(("transport", "kind"), [("aiohttp", AiohttpResponse), ("httpx", HttpxResponse)])
@pytest.mark.parametrize("stream", [False, True], ids=["chat", "stream"])
async def test_responses_are_freed_as_their_calls_end(
    transport: str, kind: type[HttpResponse], stream: bool, no_collector: None
) -> None:
    async def respond(talk: Talk, _: Received) -> None:
        if stream:
            await talk.send_events(*shapes.build_chunks("Hel", "lo"))
        else:
            await talk.answer(shapes.build_body())

    async with serving(respond) as server, build_acme(server.url, transport=transport) as provider:
        for _ in range(5):
            await send_call(provider, stream=stream)
        assert not [found for found in gc.get_objects() if isinstance(found, kind)]


async def test_an_unclosed_response_is_freed() -> None:
    async def respond(talk: Talk, _: Received) -> None:
        await talk.send_head()
        await talk.send_chunk(b"some")
        await talk.wait_for_close(60)

    transport = AiohttpTransport()
    async with serving(respond) as server:
        response = await transport.open(HttpRequest(url=server.url, body=b"{}"), None, 60)
        assert isinstance(response, AiohttpResponse)
        assert await response.receive() == b"some"
        alive = weakref.ref(response)
        del response
        gc.collect()
        assert alive() is None
        await transport.aclose()
