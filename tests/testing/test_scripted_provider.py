"""ScriptedProvider answers by function, whole and streamed, and records its calls."""

from __future__ import annotations

import pytest
from returns.result import Failure

from tests.acme import HI
from victor_fp.core.faults import RateLimited
from victor_fp.core.types import CompletionResponse, Message, ToolDefinition
from victor_fp.providers.base import ProviderRateLimitError
from victor_fp.testing import Call, CallRecord, ScriptedProvider, Turn

TOOL = ToolDefinition(name="weather", description="Current weather", parameters={"type": "object"})


async def test_a_text_is_the_answer_and_the_call_is_recorded() -> None:
    provider = ScriptedProvider(lambda call: f"You said: {call.text}")
    response = await provider.chat(HI, model="m-1", temperature=0.5, tools=[TOOL], seed=7)
    assert (response.content, response.stop_reason, response.model) == (f"You said: {HI[0].content}", "stop", "m-1")
    (call,) = provider.calls
    assert (call.number, call.model, call.temperature, call.stream) == (0, "m-1", 0.5, False)
    assert (call.messages, call.tools, call.options) == (tuple(HI), (TOOL,), {"seed": 7})


async def test_a_sequence_of_texts_is_streamed_piece_by_piece() -> None:
    provider = ScriptedProvider(lambda _: ["Hel", "lo"])
    chunks = [chunk async for chunk in provider.stream(HI, model="m-1")]
    assert [(chunk.content, chunk.is_final) for chunk in chunks] == [("Hel", False), ("lo", False), ("", True)]
    assert (await provider.chat(HI, model="m-1")).content == "Hello"
    assert [call.stream for call in provider.calls] == [True, False]


async def test_tool_calls_get_unique_ids_within_a_conversation() -> None:
    provider = ScriptedProvider(lambda _: Turn(calls=(Call(name="a"), Call(name="b", id="call_2"))))
    ids = [call["id"] for _ in range(2) for call in (await provider.chat(HI, model="m")).tool_calls or ()]
    assert ids == ["call_1", "call_2", "call_3", "call_2"]


async def test_function_may_be_async_and_return_a_response() -> None:
    async def answer(call: CallRecord) -> CompletionResponse:
        return CompletionResponse(content="sunny", model=call.model, usage={"total_tokens": 3})

    provider = ScriptedProvider(answer)
    *_, last = [chunk async for chunk in provider.stream([Message(role="user", content="hi")], model="m-1")]
    assert (last.is_final, last.usage) == (True, {"total_tokens": 3})


async def test_a_fault_is_raised_and_returned_as_a_value() -> None:
    provider = ScriptedProvider(lambda _: RateLimited(message="slow down", retry_after=3))
    with pytest.raises(ProviderRateLimitError, match="slow down"):
        await provider.chat(HI, model="m")
    result = await provider.chat_result(HI, model="m")
    assert isinstance(result, Failure)
    assert (type(result.failure()), result.failure().provider) == (RateLimited, "scripted")
    results = [result async for result in provider.stream_result(HI, model="m")]
    assert [isinstance(result, Failure) for result in results] == [True]


async def test_closing_is_recorded_and_models_are_listed() -> None:
    async with ScriptedProvider(lambda _: "", models=["m-1", "m-2"], name="mine") as provider:
        assert [model.id for model in await provider.list_models()] == ["m-1", "m-2"]
        assert (provider.name, provider.supports_tools(), provider.supports_streaming()) == ("mine", True, True)
    assert provider.closed
