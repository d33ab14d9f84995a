"""A transport in memory for the test vendor, and a managed provider over it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping

from tests import openai_shapes as shapes
from tests.acme import KEY, SPEC
from victor_fp.core.faults import ConnectionFailed, Fault
from victor_fp.providers.factory import ManagedProvider, ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.protocol import TransportResponse

BODY = json.dumps(shapes.build_body()).encode()
EVENTS = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in shapes.build_chunks("Hel", "lo")] + [
    b"data: [DONE]\n\n"
]


class FakeResponse:
    """A response in memory that yields to the event loop a chosen number of times."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, transport: FakeTransport, *, stream: bool) -> None:
        self._transport = transport
        self._pieces = list(EVENTS) if stream else [BODY]
        self.headers = {"content-type": "text/event-stream" if stream else "application/json"}
        transport.open_responses += 1

    async def read(self, limit: int) -> bytes | Fault:
        await self._transport.yield_to_loop()
        return self._pieces.pop()

    async def receive(self) -> bytes | Fault | None:
        await self._transport.yield_to_loop()
        return self._pieces.pop(0) if self._pieces else None

    async def aclose(self) -> None:
        self._transport.open_responses -= 1


class FakeTransport:
    """A transport that responds at once, or fails at random."""

    def __init__(self, random_source: random.Random | None = None) -> None:
        self.open_responses = 0
        self._random = random_source

    async def open(self, request: object, secret: object, timeout: float | None) -> TransportResponse | Fault:
        await self.yield_to_loop()
        if self._random is not None and self._random.random() < 0.2:
            return ConnectionFailed(message="random failure")
        return FakeResponse(self, stream=b'"stream":true' in getattr(request, "body", b""))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def yield_to_loop(self) -> None:
        for _ in range(0 if self._random is None else self._random.randrange(4)):
            await asyncio.sleep(0)


async def create_managed_provider(transport: FakeTransport, **keywords: object) -> ManagedProvider:
    ProviderRegistry.register_spec(SPEC)
    return await ManagedProviderFactory.create("acme", "m-1", KEY, transport=transport, **keywords)  # type: ignore[arg-type]  # any
