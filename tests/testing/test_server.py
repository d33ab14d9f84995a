"""The scripted server uses real HTTP, including transport errors."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from victor_fp.testing import Answer, Received, Turn, json_answer, serving, vendor


@pytest.fixture
async def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, timeout=2.0)


async def test_it_responds_and_records_requests(client: httpx.AsyncClient) -> None:
    async with serving(lambda _: json_answer({"a": 1}, 418, {"x-b": "c"})) as server, client:
        reply = await client.post(f"{server.url}/path?q=1", json={"hi": 1}, headers={"X-Key": "v"})
    (received,) = server.received
    assert (reply.status_code, reply.json(), reply.headers["x-b"]) == (418, {"a": 1}, "c")
    assert (received.method, received.path, received.headers["x-key"], received.json()) == (
        "POST",
        "/path?q=1",
        "v",
        {"hi": 1},
    )
    assert Received(method="GET", path="/").json() is None


async def test_pieces_are_sent_unmodified(client: httpx.AsyncClient) -> None:
    async with serving(lambda _: Answer(pieces=(b"a", b"bc"))) as server, client:
        assert (await client.get(server.url)).content == b"abc"
        assert (await client.get(server.url)).content == b"abc"
        assert server.open_connections == 1


async def test_a_connection_can_break(client: httpx.AsyncClient) -> None:
    async with serving(lambda _: Answer(pieces=(b"a",), ending="cut")) as server, client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


@pytest.mark.parametrize("ending", ["held", "silent"])
async def test_a_client_that_disconnects_is_detected(client: httpx.AsyncClient, ending: str) -> None:
    answer = Answer(ending="held") if ending == "held" else Answer(ending="silent")
    async with serving(lambda _: answer) as server, client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=0.05)
        await asyncio.wait_for(server.left.wait(), 1.0)


async def test_vendor_writes_bodies_and_streams(client: httpx.AsyncClient) -> None:
    async with serving(vendor("anthropic", Turn(text="One."), Answer(status=503), Turn(text="Two."))) as server, client:
        whole = await client.post(server.url, json={"stream": False})
        error = await client.post(server.url, json={})
        stream = await client.post(server.url, json={"stream": True})
    assert whole.json()["content"] == [{"type": "text", "text": "One."}]
    assert error.status_code == 503
    assert b"event: message_stop" in stream.content
