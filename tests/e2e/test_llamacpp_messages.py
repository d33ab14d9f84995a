"""Provider `anthropic` against llama.cpp's /v1/messages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from returns.result import Failure

from tests.e2e.conftest import Place
from tests.e2e.conversations import CAPITAL, STORY, TOOLS, WEATHER, count_tokens, gather_stream
from victor_fp.core.faults import ContextLengthExceeded
from victor_fp.providers.base import BaseProvider, Message
from victor_fp.providers.registry import ProviderRegistry


@pytest.fixture
async def provider(llamacpp_server: Place) -> AsyncIterator[BaseProvider]:
    async with ProviderRegistry.create("anthropic", api_key=llamacpp_server.key, base_url=llamacpp_server.url) as made:
        yield made


async def test_chat(provider: BaseProvider) -> None:
    response = await provider.chat(CAPITAL, model="smollm2", temperature=0.0, max_tokens=30)
    assert "Paris" in response.content
    assert response.stop_reason == "stop"
    assert count_tokens(response)[1] > 3


async def test_a_system_message_is_accepted(provider: BaseProvider) -> None:
    response = await provider.chat(
        [Message(role="system", content="You answer in one word."), *CAPITAL], model="smollm2", max_tokens=20
    )
    assert response.content


async def test_a_stream_gives_the_same_response_as_a_call(provider: BaseProvider) -> None:
    whole = await provider.chat(CAPITAL, model="smollm2", temperature=0.0, max_tokens=30)
    text, last = await gather_stream(provider.stream(CAPITAL, model="smollm2", temperature=0.0, max_tokens=30))
    assert text == whole.content
    assert last.stop_reason == "stop"
    assert count_tokens(last) == count_tokens(whole)


async def test_a_truncated_response_has_the_stop_reason_length(provider: BaseProvider) -> None:
    assert (await provider.chat(STORY, model="smollm2", max_tokens=3)).stop_reason == "length"


async def test_a_tool_is_called_and_its_result_answered(provider: BaseProvider) -> None:
    called = await provider.chat(WEATHER, model="smollm2", temperature=0.0, max_tokens=100, tools=TOOLS)
    assert called.stop_reason == "tool_use"
    assert called.tool_calls is not None
    [call] = called.tool_calls
    assert (call["name"], call["arguments"]) == ("get_weather", {"city": "Paris"})
    _, last = await gather_stream(
        provider.stream(WEATHER, model="smollm2", temperature=0.0, max_tokens=100, tools=TOOLS)
    )
    assert last.tool_calls is not None
    assert [(call["name"], call["arguments"]) for call in last.tool_calls] == [("get_weather", {"city": "Paris"})]
    follow = [*WEATHER, called.to_message(), Message(role="tool", tool_call_id=call["id"], content="sunny")]
    assert (await provider.chat(follow, model="smollm2", max_tokens=50, tools=TOOLS)).content


async def test_a_context_overflow_is_recognised_in_an_error_of_another_format(
    provider: BaseProvider,
) -> None:
    match await provider.chat_result([Message(role="user", content="word " * 6000)], model="smollm2"):
        case Failure(ContextLengthExceeded(status=400)):
            pass
        case other:
            pytest.fail(f"unexpected {other}")
