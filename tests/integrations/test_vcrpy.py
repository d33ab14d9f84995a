"""A cassette that vcrpy itself wrote is replayed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import vcr

from tests.acme import HI, KEY
from tests.loopback import Loopback
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.recording import Recording
from victor_fp.testing import ScriptedWire, Turn


async def ask(provider: BaseProvider, *, stream: bool) -> str:
    if stream:
        return "".join([chunk.content async for chunk in provider.stream(HI, model="m-1")])
    return (await provider.chat(HI, model="m-1")).content


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cassette_of_vcrpy_is_replayed(server: Loopback, tmp_path: Path, stream: bool) -> None:
    wire = ScriptedWire(Turn(text="Hi"))
    sent = ProviderRegistry.create("openai/m-1", api_key=KEY, base_url=f"{server.url}/v1", transport=wire)
    await ask(sent, stream=stream)
    (request,) = wire.requests
    headers = {**request.headers, "authorization": f"Bearer {KEY}"}
    with vcr.use_cassette(str(tmp_path / "c.yaml")):
        httpx.post(request.url, content=request.body, headers=headers)
    again = ProviderRegistry.create(
        "openai/m-1", api_key="k", base_url=f"{server.url}/v1", transport=Recording(tmp_path / "c.yaml").transport()
    )
    count = len(server.received)
    assert await ask(again, stream=stream) == "Hello! How can I help you today?"
    assert len(server.received) == count
