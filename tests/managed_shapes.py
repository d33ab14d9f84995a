"""Managed providers over loopback servers, and a custom provider that is a direct subclass of BaseProvider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from tests.acme import KEY, SPEC
from tests.loopback import Received, Talk
from tests.openai_shapes import build_body, build_chunks, build_error
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.factory import ManagedProvider, ManagedProviderFactory, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry


async def answer_hello(talk: Talk, _: Received) -> None:
    await talk.answer(build_body())


async def stream_hello(talk: Talk, _: Received) -> None:
    await talk.send_events(*build_chunks("Hel", "lo"))


async def fail_with_500(talk: Talk, _: Received) -> None:
    await talk.answer(build_error("boom"), 500)


async def reject_request(talk: Talk, _: Received) -> None:
    await talk.answer(build_error("no such thing", None, "invalid_request_error"), 400)


async def limit_rate(talk: Talk, _: Received) -> None:
    await talk.answer(build_error("slow down", "rate_limit_exceeded"), 429, retry_after="7")


async def hold_request(talk: Talk, _: Received) -> None:
    await talk.wait_for_close(30)


def answer_with(text: str) -> Callable[[Talk, Received], Awaitable[None]]:
    """A script that answers this."""

    async def answer(talk: Talk, _: Received) -> None:
        await talk.answer(build_body(text))

    return answer


async def create_managed(url: str, model: str = "m-1", **keywords: Any) -> ManagedProvider:
    """A managed provider of the test's own kind."""
    ProviderRegistry.register_spec(SPEC)
    return await ManagedProviderFactory.create(
        "acme", model, **{"api_key": KEY, "base_url": f"{url}/v1", "timeout": 5, **keywords}
    )


def build_fallback(url: str, model: str = "m-2", **keywords: Any) -> ProviderConfig:
    """A fallback of the test's own kind."""
    return ProviderConfig(
        "acme", model, **{"api_key": "sk-canary-fallback-42", "base_url": f"{url}/v1", "timeout": 5, **keywords}
    )


class Echo(BaseProvider):
    """A custom provider that answers from a list of things to do."""

    plan: list[Any] = []  # noqa: RUF012  each test sets its own
    closed = 0

    @property
    def name(self) -> str:
        return "echo"

    def supports_tools(self) -> bool:
        return True

    def supports_streaming(self) -> bool:
        return True

    async def chat(self, messages: list[Message], *, model: str, **options: Any) -> CompletionResponse:
        what = self._pop_plan()
        if isinstance(what, Exception):
            raise what
        if iscoroutinefunction(what):
            await what()
        return CompletionResponse(content=f"{model}: {messages[-1].text}", model=model, metadata={"options": options})

    async def stream(self, messages: list[Message], *, model: str, **options: Any) -> AsyncIterator[StreamChunk]:
        what = self._pop_plan()
        if isinstance(what, Exception):
            raise what
        yield StreamChunk()
        if iscoroutinefunction(what):
            await what()
        yield StreamChunk(content=model)
        if isinstance(what, list):
            raise what[0]
        yield StreamChunk(is_final=True, stop_reason="stop", usage={"prompt_tokens": 2, "completion_tokens": 1})

    async def close(self) -> None:
        type(self).closed += 1

    def _pop_plan(self) -> Any:
        return type(self).plan.pop(0) if type(self).plan else None
