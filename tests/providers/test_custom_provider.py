"""A custom provider written the tutorial's way has everything that BaseProvider promises."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from returns.result import Failure, Success

from tests import openai_shapes as shapes
from tests.acme import HI
from tests.loopback import Received, Talk, serving
from tests.providers.tutorial_provider import CustomLLMProvider
from victor_fp.core import faults
from victor_fp.providers.base import (
    BaseProvider,
    CircuitOpenError,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitError,
    ToolDefinition,
    is_streaming_provider,
    is_tool_calling_provider,
)
from victor_fp.providers.registry import ProviderRegistry

WEATHER = ToolDefinition(name="weather", description="Tells the weather", parameters={"type": "object"})


@pytest.fixture
def registry() -> Iterator[type[ProviderRegistry]]:
    yield ProviderRegistry
    ProviderRegistry.restore()


async def call_tool(talk: Talk, _: Received) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    choice = {"message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    await talk.answer(shapes.build_body(choices=[choice]))


def status(code: int) -> object:
    async def refuse_request(talk: Talk, _: Received) -> None:
        await talk.answer(shapes.build_error("no"), code)

    return refuse_request


async def test_it_chats_and_calls_tools() -> None:
    async with serving(call_tool) as server, CustomLLMProvider(api_key="k", base_url=server.url) as provider:
        response = await provider.chat(HI, model="m", tools=[WEATHER])
        assert (provider.api_key, provider.timeout, provider.max_retries) == ("k", 60, 3)
    assert response.tool_calls == [{"id": "a", "name": "weather", "arguments": {"city": "Oslo"}}]
    assert response.usage == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert server.received[0].json()["tool_choice"] == "auto"


async def test_it_streams_under_both_names_and_as_values() -> None:
    async def stream_hello(talk: Talk, _: Received) -> None:
        await talk.send_events(*shapes.build_chunks("Hel", "lo")[:-1])

    async with serving(stream_hello) as server, CustomLLMProvider(api_key="k", base_url=server.url) as provider:
        said = [chunk.content async for chunk in provider.stream(HI, model="m")]
        again = [chunk.content async for chunk in provider.stream_chat(HI, model="m")]
        results = [result async for result in provider.stream_result(HI, model="m")]
    assert said == again == ["Hel", "lo", ""]
    assert all(isinstance(result, Success) for result in results)


async def test_its_errors_are_values_too() -> None:
    async with serving(status(401), status(429), status(500)) as server:  # type: ignore[arg-type]  # scripts
        async with CustomLLMProvider(api_key="k", base_url=server.url) as provider:
            kinds = [type((await provider.chat_result(HI, model="m")).failure()) for _ in range(3)]
            assert kinds == [faults.AuthRejected, faults.RateLimited, faults.ServerFailed]
            with pytest.raises(ProviderError):
                await provider.chat(HI, model="m")
            async for result in provider.stream_result(HI, model="m"):
                assert isinstance(result, Failure)


async def test_returned_server_errors_open_the_breaker() -> None:
    async with serving(status(503)) as server:  # type: ignore[arg-type]  # a script
        async with CustomLLMProvider(api_key="k", base_url=server.url) as provider:
            for _ in range(5):
                with pytest.raises(ProviderError):
                    await provider.chat(HI, model="m")
            assert provider.is_circuit_open()
            with pytest.raises(ProviderError, match="breaker is open"):
                await provider.chat(HI, model="m")
            assert len(server.received) == 5
            provider.reset_circuit_breaker()
            assert not provider.is_circuit_open()
            stats = provider.get_circuit_breaker_stats()
    assert stats is not None
    assert set(stats) == {
        "name",
        "state",
        "total_calls",
        "total_failures",
        "total_rejected",
        "failure_count",
        "success_count",
        "last_failure_time",
        "state_changes",
    }
    assert (stats["name"], stats["state"], stats["total_rejected"]) == ("custom_llm", "closed", 1)
    assert stats["last_failure_time"] == pytest.approx(time.time(), abs=60)


async def test_a_breaker_can_be_switched_off() -> None:
    provider = CustomLLMProvider(api_key="k", use_circuit_breaker=False)
    assert provider.get_circuit_breaker_stats() is None
    assert not provider.is_circuit_open()
    provider.reset_circuit_breaker()
    await provider.close()


async def test_defaults_of_the_optional_methods() -> None:
    async with CustomLLMProvider(api_key="k") as provider:
        capabilities = await provider.discover_capabilities("m")
        assert (capabilities.provider, capabilities.model, capabilities.source) == ("custom_llm", "m", "config")
        assert capabilities.context_window > 0
        assert (capabilities.supports_tools, capabilities.supports_streaming) == (True, True)
        assert await provider.count_tokens("12345678") == 2
        assert await provider.count_tokens("") == 0
        assert is_streaming_provider(provider)
        assert is_tool_calling_provider(provider)
        assert not is_streaming_provider(object())


async def test_it_registers(registry: type[ProviderRegistry]) -> None:
    registry.register("custom_llm", CustomLLMProvider)
    assert registry.get("custom_llm") is CustomLLMProvider
    assert "custom_llm" in registry.list_providers()
    provider = registry.create("custom_llm", api_key="k")
    assert isinstance(provider, BaseProvider)
    await provider.close()
    assert registry.unregister("custom_llm")
    assert not registry.is_registered("custom_llm")


def test_the_errors_accept_the_tutorial_keywords() -> None:
    error = ProviderRateLimitError(message="slow", provider="p", status_code=429, raw_error=ValueError("x"))
    assert (error.message, error.provider, error.status_code, type(error.raw_error)) == ("slow", "p", 429, ValueError)
    assert isinstance(ProviderAuthError(message="no", provider="p").fault, faults.AuthRejected)
    assert issubclass(CircuitOpenError, ProviderError)
