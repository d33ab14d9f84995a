"""The transport that a provider's arguments select."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acme import HI, build_acme
from tests.shell.transport.peers import answer, serve_answers
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.providers.classes import make_provider_class
from victor_fp.shell.transport.http import LazyTransport
from victor_fp.shell.transport.local.transport import LocalTransport
from victor_fp.testing import ScriptedWire, Turn


async def load_transport(**options: Any) -> str:
    """The class of the transport that a provider uses, by name."""
    async with serve_answers(answer()) as peer, build_acme(peer.url, max_retries=0, **options) as provider:
        assert isinstance(provider.connection.transport, LazyTransport), "nothing is loaded before the first request"
        await provider.chat_result(HI, model="m-1")
        return type(provider.connection.transport.load()).__name__


@pytest.mark.parametrize(
    ("transport", "kind"), [(None, "AiohttpTransport"), ("aiohttp", "AiohttpTransport"), ("httpx", "HttpxTransport")]
)
async def test_by_name(transport: Any, kind: str) -> None:
    assert await load_transport(transport=transport) == kind


async def test_callers_client_is_used_and_not_closed() -> None:
    async with httpx.AsyncClient(verify=False, headers={"x-own": "1"}) as client:
        async with serve_answers(answer()) as peer:
            async with build_acme(peer.url, max_retries=0, http_client=client) as provider:
                await provider.chat_result(HI, model="m-1")
            assert "x-own: 1" in peer.heads[0]
        assert not client.is_closed


async def test_a_client_is_used_with_the_name_httpx_as_well() -> None:
    async with httpx.AsyncClient(verify=False) as client:
        assert await load_transport(http_client=client, transport="httpx") == "ClientTransport"


async def test_an_object_is_used_as_it_is() -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    async with build_acme("http://vendor.test", transport=wire) as provider:
        assert provider.connection.transport is wire
        assert (await provider.chat(HI, model="m-1")).content == "Hi"


async def test_the_provider_in_this_process_can_be_given_a_transport() -> None:
    local = make_provider_class(CATALOGUE.find("local").unwrap())
    assert type(local(transport="aiohttp").connection.transport) is LazyTransport
    embedded = local().connection.transport
    assert isinstance(embedded, LazyTransport)
    assert type(embedded.load()) is LocalTransport


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "requests"}, "transport: expected 'aiohttp', 'httpx' or a transport object, got 'requests'"),
        ({"transport": 1}, "transport: expected 'aiohttp', 'httpx' or a transport object, got int"),
        ({"http_client": httpx.Client(verify=False)}, "http_client: expected an httpx.AsyncClient, got Client"),
        ({"http_client": "httpx"}, "http_client: expected an httpx.AsyncClient, got str"),
    ],
)
def test_unusable_arguments_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        build_acme("http://vendor.test", **options)
    assert str(caught.value) == message


async def test_a_client_and_aiohttp_contradict_each_other() -> None:
    async with httpx.AsyncClient(verify=False) as client:
        with pytest.raises(TypeError, match="transport='aiohttp'"):
            build_acme("http://vendor.test", http_client=client, transport="aiohttp")
