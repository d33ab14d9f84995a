"""A wire in memory for the test vendor, and a managed provider over it."""

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

WHOLE = json.dumps(shapes.body()).encode()
EVENTS = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in shapes.chunks("Hel", "lo")] + [b"data: [DONE]\n\n"]


class PaperResponse:
    """An answer in memory, with as many turns of the loop in it as a test likes."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, wire: PaperTransport, *, stream: bool) -> None:
        self._wire = wire
        self._pieces = list(EVENTS) if stream else [WHOLE]
        self.headers = {"content-type": "text/event-stream" if stream else "application/json"}
        wire.open_replies += 1

    async def read(self, limit: int) -> bytes | Fault:
        await self._wire.turns()
        return self._pieces.pop()

    async def receive(self) -> bytes | Fault | None:
        await self._wire.turns()
        return self._pieces.pop(0) if self._pieces else None

    async def aclose(self) -> None:
        self._wire.open_replies -= 1


class PaperTransport:
    """A wire that answers at once, or fails by luck."""

    def __init__(self, luck: random.Random | None = None) -> None:
        self.open_replies = 0
        self._luck = luck

    async def open(self, request: object, secret: object, timeout: float | None) -> TransportResponse | Fault:
        await self.turns()
        if self._luck is not None and self._luck.random() < 0.2:
            return ConnectionFailed(message="no luck")
        return PaperResponse(self, stream=b'"stream":true' in getattr(request, "body", b""))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def turns(self) -> None:
        for _ in range(0 if self._luck is None else self._luck.randrange(4)):
            await asyncio.sleep(0)


async def over(wire: PaperTransport, **keywords: object) -> ManagedProvider:
    ProviderRegistry.register_spec(SPEC)
    return await ManagedProviderFactory.create("acme", "m-1", KEY, transport=wire, **keywords)  # type: ignore[arg-type]  # any
