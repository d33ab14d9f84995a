"""Provider `llamacpp` against the real llama.cpp server."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator

import pytest
from returns.result import Failure

from tests.e2e.conftest import Place
from tests.e2e.conversations import CAPITAL, PERSON, STORY, TOOLS, WEATHER, count_tokens, gather_stream
from victor_fp.core.faults import AuthRejected, ContextLengthExceeded
from victor_fp.providers.base import BaseProvider, Message
from victor_fp.providers.registry import ProviderRegistry


@pytest.fixture
async def provider(llamacpp_server: Place) -> AsyncIterator[BaseProvider]:
    async with ProviderRegistry.create(
        "llamacpp", api_key=llamacpp_server.key, base_url=f"{llamacpp_server.url}/v1"
    ) as made:
        yield made


async def test_chat(provider: BaseProvider) -> None:
    response = await provider.chat(CAPITAL, model="smollm2", temperature=0.0, max_tokens=30)
    assert "Paris" in response.content
    assert response.stop_reason == "stop"
    assert response.model == "smollm2"
    assert count_tokens(response)[1] > 3


async def test_a_stream_gives_the_same_response_as_a_call(provider: BaseProvider) -> None:
    whole = await provider.chat(CAPITAL, model="smollm2", temperature=0.0, max_tokens=30)
    text, last = await gather_stream(provider.stream(CAPITAL, model="smollm2", temperature=0.0, max_tokens=30))
    assert text == whole.content
    assert last.stop_reason == whole.stop_reason
    assert count_tokens(last) == count_tokens(whole)


async def test_a_truncated_response_has_the_stop_reason_length(provider: BaseProvider) -> None:
    response = await provider.chat(STORY, model="smollm2", max_tokens=3)
    assert response.stop_reason == "length"


async def test_a_tool_is_called_and_its_result_answered(provider: BaseProvider) -> None:
    called = await provider.chat(WEATHER, model="smollm2", temperature=0.0, max_tokens=100, tools=TOOLS)
    assert called.stop_reason == "tool_use"
    assert called.tool_calls is not None
    [call] = called.tool_calls
    assert (call["name"], call["arguments"]) == ("get_weather", {"city": "Paris"})
    follow = [*WEATHER, called.to_message(), Message(role="tool", tool_call_id=call["id"], content="sunny")]
    answer = await provider.chat(follow, model="smollm2", temperature=0.0, max_tokens=50, tools=TOOLS)
    assert answer.content
    assert answer.stop_reason in {"stop", "length"}


async def test_a_streamed_tool_call_is_complete_in_the_last_chunk(provider: BaseProvider) -> None:
    _, last = await gather_stream(
        provider.stream(WEATHER, model="smollm2", temperature=0.0, max_tokens=100, tools=TOOLS, tool_choice="required")
    )
    assert last.stop_reason == "tool_use"
    assert last.tool_calls is not None
    [call] = last.tool_calls
    assert (call["name"], call["arguments"]) == ("get_weather", {"city": "Paris"})


async def test_a_schema_is_enforced(provider: BaseProvider) -> None:
    asked = [Message(role="user", content="Describe a person.")]
    response = await provider.chat(asked, model="smollm2", max_tokens=100, temperature=0.0, response_format=PERSON)
    person = json.loads(response.content)
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)
    text, _ = await gather_stream(
        provider.stream(asked, model="smollm2", max_tokens=100, temperature=0.0, response_format=PERSON)
    )
    assert json.loads(text).keys() == person.keys()


async def test_a_context_overflow_is_a_distinct_fault(provider: BaseProvider) -> None:
    match await provider.chat_result([Message(role="user", content="word " * 6000)], model="smollm2"):
        case Failure(ContextLengthExceeded(status=400, provider="llamacpp")):
            pass
        case other:
            pytest.fail(f"unexpected {other}")


async def test_a_wrong_key_is_a_distinct_fault(llamacpp_server: Place) -> None:
    async with ProviderRegistry.create("llamacpp", api_key="wrong", base_url=f"{llamacpp_server.url}/v1") as provider:
        match await provider.chat_result(CAPITAL, model="smollm2"):
            case Failure(AuthRejected(status=401)):
                pass
            case other:
                pytest.fail(f"unexpected {other}")


async def test_the_context_window_is_discovered(provider: BaseProvider) -> None:
    found = await provider.discover_capabilities("smollm2")
    assert (found.source, found.context_window) == ("discovered", 4096)


async def test_leaving_a_stream_stops_the_generation(provider: BaseProvider, llamacpp_server: Place) -> None:
    async for chunk in provider.stream(STORY, model="smollm2", max_tokens=3000, extra_body={"ignore_eos": True}):
        if chunk.content:
            break
    end = time.monotonic() + 5
    while await asyncio.to_thread(is_busy, llamacpp_server):
        assert time.monotonic() < end, "the server still generates"


async def test_chats_after_streams_on_the_same_connections(provider: BaseProvider) -> None:
    """The server often closes a kept connection after a stream; callers must not be affected."""
    for _ in range(10):
        await gather_stream(provider.stream(CAPITAL, model="smollm2", max_tokens=2))
        response = await provider.chat(CAPITAL, model="smollm2", max_tokens=2)
        assert "attempts" not in (response.metadata or {})


def is_busy(place: Place) -> bool:
    request = urllib.request.Request(f"{place.url}/slots", headers={"authorization": f"Bearer {place.key}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as reply:
        return any(slot["is_processing"] for slot in json.load(reply))
