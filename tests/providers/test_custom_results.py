"""`chat_result` and `stream_result` of a custom provider return a value for every exception of its `chat` and `stream`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.acme import HI
from victor_fp.core import faults
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider, ProviderRateLimitError

RAISED = [
    (httpx.ConnectError("nobody there"), faults.ConnectionFailed),
    (httpx.ReadTimeout("slow"), faults.TimedOut),
    (TimeoutError(), faults.TimedOut),
    (ConnectionResetError(), faults.ConnectionFailed),
    (ValueError("no JSON"), faults.InvalidResponse),
    (RuntimeError("odd"), faults.ServerFailed),
    (ProviderRateLimitError("slow down"), faults.RateLimited),
]


class Own(BaseProvider):
    """Says `before` pieces and raises."""

    def __init__(self, raised: BaseException, before: int = 0, *, at_once: bool = False) -> None:
        super().__init__()
        self.raised, self.before, self.at_once, self.closed = raised, before, at_once, False

    @property
    def name(self) -> str:
        return "own"

    async def chat(self, messages: list[Message], **options: Any) -> CompletionResponse:
        raise self.raised

    def stream(self, messages: list[Message], **options: Any) -> AsyncIterator[StreamChunk]:
        if self.at_once:
            raise self.raised
        return self._yield_chunks()

    async def _yield_chunks(self) -> AsyncIterator[StreamChunk]:
        try:
            for number in range(self.before):
                yield StreamChunk(content=str(number))
            raise self.raised
        finally:
            self.closed = True

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(("raised", "kind"), RAISED, ids=lambda part: type(part).__name__)
async def test_exceptions_become_failures(raised: Exception, kind: type[faults.Fault]) -> None:
    fault = (await Own(raised).chat_result(HI, model="m")).failure()
    assert type(fault) is kind
    assert (fault.provider, fault.model) == ("own", "m")
    for own in (Own(raised), Own(raised, at_once=True)):
        (result,) = [result async for result in own.stream_result(HI, model="m")]
        assert type(result.failure()) is kind
        assert result.failure().partial is None


async def test_a_broken_stream_has_partial_content_in_the_fault() -> None:
    results = [result async for result in Own(httpx.ReadError("reset"), before=2).stream_result(HI, model="m")]
    assert [result.unwrap().content for result in results[:-1]] == ["0", "1"]
    fault = results[-1].failure()
    assert isinstance(fault, faults.StreamInterrupted)
    assert fault.partial == faults.Partial(content="01")
    assert fault.maybe_billed


async def test_cancellation_propagates() -> None:
    with pytest.raises(asyncio.CancelledError):
        await Own(asyncio.CancelledError()).chat_result(HI, model="m")
    with pytest.raises(KeyboardInterrupt):
        [result async for result in Own(KeyboardInterrupt()).stream_result(HI, model="m")]


async def test_leaving_closes_the_stream() -> None:
    own = Own(RuntimeError("never seen"), before=5)
    results: Any = own.stream_result(HI, model="m")
    await anext(results)
    await results.aclose()
    assert own.closed
