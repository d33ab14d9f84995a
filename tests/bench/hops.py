"""Counts the functions and files of the package that one warm call or stream passes, from the caller to the transport and back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import NamedTuple, TypeAlias

import victor_fp
from tests import openai_shapes as shapes
from victor_fp.core.faults import Fault
from victor_fp.core.types import Message
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.transport.protocol import TransportResponse

Work: TypeAlias = Callable[[], Awaitable[object]]

ROOT = str(Path(victor_fp.__file__).parent)
WHOLE = json.dumps(shapes.body()).encode()
EVENTS = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in shapes.chunks("Hel", "lo")] + [b"data: [DONE]\n\n"]
ASKED = [Message(role="user", content="Hi")]


class Hops(NamedTuple):
    """What one call passed."""

    functions: int
    files: int


LIMITS = {"chat": Hops(80, 25), "stream": Hops(80, 25), "managed stream": Hops(130, 35)}
"""At most so many, for a provider of Chat Completions."""


class ReadyResponse:
    """A response in memory."""

    status = 200
    headers: Mapping[str, str] = {}

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self, limit: int) -> bytes | Fault:
        return self._pieces.pop(0)

    async def receive(self) -> bytes | Fault | None:
        return self._pieces.pop(0) if self._pieces else None

    async def aclose(self) -> None:
        """Nothing is open."""


class ReadyTransport:
    """A transport that answers at once."""

    async def open(self, request: object, secret: object, timeout: float | None) -> TransportResponse | Fault:
        is_stream = b'"stream":true' in getattr(request, "body", b"")
        return ReadyResponse(list(EVENTS) if is_stream else [WHOLE])

    async def aclose(self) -> None:
        """Nothing is open."""


async def count(work: Work) -> Hops:
    """Functions and files of the package that the third run of `work` passes."""
    seen: set[tuple[str, str]] = set()

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ROOT):
            seen.add((code.co_filename, code.co_qualname))

    await work()
    await work()
    sys.setprofile(profile)
    try:
        await work()
    finally:
        sys.setprofile(None)
    return Hops(len(seen), len({file for file, _ in seen}))


async def count_all() -> dict[str, Hops]:
    """The counts of all kinds of calls."""
    plain = ProviderRegistry.create("openai", api_key="k", transport=ReadyTransport())
    managed = await ManagedProviderFactory.create("openai", "m", api_key="k", transport=ReadyTransport())

    async def stream(provider: object) -> None:
        async for _ in provider.stream(ASKED, model="m"):  # type: ignore[attr-defined]  # either provider
            pass

    return {
        "chat": await count(lambda: plain.chat(ASKED, model="m")),
        "stream": await count(lambda: stream(plain)),
        "managed chat": await count(lambda: managed.chat(ASKED)),
        "managed stream": await count(lambda: stream(managed)),
    }


def report() -> None:
    """Print the counts and the limits."""
    print(f"{'':26}{'functions':>12}{'files':>9}{'limit':>16}")
    for name, hops in asyncio.run(count_all()).items():
        limit = LIMITS.get(name)
        bound = "" if limit is None else f"{limit.functions} in {limit.files}"
        print(f"{name:26}{hops.functions:12}{hops.files:9}{bound:>16}")


if __name__ == "__main__":
    report()
