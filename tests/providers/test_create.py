"""`create`: every provider by name with the whole of `Provider`, also one of a class that asks for lists and a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from typing_extensions import Unpack

from tests.acme import HI, KEY, SPEC
from victor_fp import BaseProvider, CompletionResponse, Message, Provider, ProviderRegistry, StreamChunk, create
from victor_fp.core.faults import InvalidRequest, ServerFailed
from victor_fp.core.options import ChatOptions
from victor_fp.core.types import ToolDefinition
from victor_fp.providers.base import ProviderNotFoundError, error_from
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.custom_provider import CustomProvider
from victor_fp.testing import ScriptedWire, Turn


class Echo(BaseProvider):
    """A class as small as one can be; remembers what it was called with, and what was closed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.calls: list[tuple[list[Message], str, list[ToolDefinition] | None]] = []
        self.events: list[str] = []

    @property
    def name(self) -> str:
        return "echo"

    async def chat(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = 0.7,
        max_tokens: int = 4096,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        self.calls.append((messages, model, tools))
        if model == "broken":
            raise error_from(ServerFailed(message="down"))
        return CompletionResponse(content=messages[-1].text)

    async def stream(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = 0.7,
        max_tokens: int = 4096,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamChunk]:
        self.calls.append((messages, model, tools))
        try:
            for word in messages[-1].text.split():
                yield StreamChunk(content=word)
            yield StreamChunk(is_final=True, stop_reason="stop")
        finally:
            self.events.append("stream closed")

    async def close(self) -> None:
        self.events.append("closed")


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    ProviderRegistry.register_spec(SPEC)
    ProviderRegistry.register("echo", Echo)
    yield
    ProviderRegistry.restore()


async def test_a_provider_of_the_catalogue_is_returned_as_it_is() -> None:
    async with create("acme/m-1", api_key=KEY, transport=ScriptedWire(Turn(text="Hi"))) as provider:
        assert isinstance(provider, CatalogueProvider)
        assert (await provider.chat("Hello")).content == "Hi"


async def test_a_class_is_called_with_lists_and_the_default_model() -> None:
    tools = [{"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}]
    async with create("echo/m-1", api_key=KEY) as provider:
        assert isinstance(provider, Provider)
        assert isinstance(provider, CustomProvider)
        echo = provider.provider
        assert isinstance(echo, Echo)
        assert (await provider.chat("Hello")).content == "Hello"
        assert (await provider.chat_result(HI, model="m-2", tools=tools)).unwrap().content == HI[0].text
        assert (await provider.stream("Hello there").response()).content == "Hellothere"
        assert (await provider.stream_result("Hello").response()).unwrap().content == "Hello"
        assert (await provider.list_models_result()).unwrap() == []
        assert await provider.count_tokens("four", model="m-1") == 1
        assert (provider.name, provider.default_model, repr(provider)) == (
            "echo",
            "m-1",
            f"<CustomProvider around {echo!r}>",
        )
    (_, first, no_tools), (_, second, read), *_ = echo.calls
    assert (first, no_tools, second) == ("m-1", None, "m-2")
    assert [tool.name for tool in read or ()] == ["f"]
    assert all(isinstance(message, Message) for messages, _, _ in echo.calls for message in messages)
    assert echo.events == ["stream closed", "stream closed", "closed"]


async def test_invalid_requests_are_a_failure_and_the_class_is_not_called() -> None:
    provider = create("echo", max_retries=0)
    assert isinstance(provider, CustomProvider)
    for result in (
        await provider.chat_result("Hello"),
        await provider.chat_result([{"role": "nobody"}], model="m"),
        await provider.stream_result("Hello").response(),
    ):
        assert isinstance(result.failure(), InvalidRequest)
    with pytest.raises(Exception, match="no model given"):
        await provider.stream("Hello").response()
    assert isinstance((await provider.chat_result("Hello", model="broken")).failure(), ServerFailed)
    assert isinstance(provider.provider, Echo)
    assert [model for _, model, _ in provider.provider.calls] == ["broken"]


async def test_a_stream_that_is_left_closes_the_one_of_the_class() -> None:
    provider = create("echo/m-1")
    assert isinstance(provider, CustomProvider)
    assert isinstance(provider.provider, Echo)
    async with aclosing(provider.stream("one two three")) as chunks:
        async for _ in chunks:
            break
    assert provider.provider.events == ["stream closed"]


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ProviderNotFoundError):
        create("nobody/m")
