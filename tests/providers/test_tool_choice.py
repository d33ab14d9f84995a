"""Tool names in responses are the caller's, and a missing required call is a fault."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Result, Success

from victor_fp import ProviderRegistry, replay
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, ToolDefinition
from victor_fp.testing import Call, ScriptedWire, Turn

PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "openai": ("gpt-5.1", {}),
    "openai-responses": ("gpt-5.1", {}),
    "anthropic": ("claude-sonnet-4-5", {}),
    "google": ("gemini-3.5-flash", {}),
    "mistral": ("m", {}),
    "cohere": ("command-a-03-2025", {}),
    "bedrock": ("us.amazon.nova-2-lite-v1:0", {"region": "us-east-1"}),
    "ollama": ("m", {}),
}
"""One provider for each protocol that has tools."""
ADD, OTHER = ToolDefinition(name="math: add it"), ToolDefinition(name="math. add it")


async def ask(provider: str, *turns: Turn, stream: bool = False, **more: Any) -> CompletionResponse | Fault:
    model, settings = PLACES[provider]
    wire = ScriptedWire(*turns, provider=provider)
    asked: dict[str, Any] = {"model": model, "tools": [ADD, OTHER], **more}
    client: Any = ProviderRegistry.create(provider, api_key="k", transport=wire, max_retries=0, **settings)
    async with client:
        answer = client.stream_result("Hi", **asked).response() if stream else client.chat_result("Hi", **asked)
        result: Result[CompletionResponse, Fault] = await answer
    match outcome(result):
        case Success(response):
            return response
        case Failure(fault):
            return fault


def get_sent_name(provider: str) -> str:
    model, settings = PLACES[provider]
    built = replay.request(provider, "Hi", model=model, settings=settings, tools=[ADD, OTHER]).unwrap()
    by_caller = {name: sent for sent, name in built.tool_names.items()}
    return by_caller.get(OTHER.name, OTHER.name)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", PLACES)
async def test_calls_have_the_names_that_the_caller_gave(provider: str, stream: bool) -> None:
    turn = Turn(calls=(Call(name=get_sent_name(provider), arguments={"a": 1}),))
    response = await ask(provider, turn, stream=stream)
    assert isinstance(response, CompletionResponse)
    assert [call["name"] for call in response.tool_calls or ()] == [OTHER.name]
    blocks = ((response.metadata or {}).get("provider_state") or {}).get("blocks", [])
    assert {block["name"] for block in blocks if block["kind"] == "tool_call"} <= {OTHER.name}
    assert provider == "ollama" or (response.metadata or {})["adjustments"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", [name for name in PLACES if name != "ollama"])
async def test_a_response_without_the_required_call_is_a_fault(provider: str, stream: bool) -> None:
    fault = await ask(provider, Turn(text="No."), stream=stream, tool_choice="required")
    assert isinstance(fault, InvalidResponse)
    assert fault.message == "tool_choice requires a call of one of the tools, but the response has no call"
    assert fault.partial is not None
    assert (fault.partial.content, fault.maybe_billed) == ("No.", True)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_call_of_another_tool_than_the_required_one_is_a_fault(stream: bool) -> None:
    turn = Turn(calls=(Call(name="math__add_it"),))
    assert get_sent_name("openai") != "math__add_it"
    assert isinstance(await ask("openai", turn, stream=stream, tool_choice={"name": ADD.name}), CompletionResponse)
    fault = await ask("openai", turn, stream=stream, tool_choice={"name": OTHER.name})
    assert isinstance(fault, InvalidResponse)
    assert fault.message == (
        "tool_choice requires a call of the tool 'math. add it', but the response has calls of 'math: add it'"
    )


@pytest.mark.parametrize("stop", ["length", "content_filter"])
async def test_truncated_response_is_not_a_missing_call(stop: str) -> None:
    response = await ask("openai", Turn(text="I", stop=stop), tool_choice="required")
    assert isinstance(response, CompletionResponse)
    assert response.stop_reason == stop


async def test_an_adjusted_tool_choice_requires_no_call() -> None:
    response = await ask("ollama", Turn(text="No."), tool_choice="required", on_unsupported="adjust")
    assert isinstance(response, CompletionResponse)
    assert response.content == "No."


@pytest.mark.usefixtures("no_pauses")
async def test_missing_call_is_retried_once() -> None:
    model, _ = PLACES["openai"]
    wire = ScriptedWire(Turn(text="No."), Turn(calls=(Call(name="math__add_it"),)), provider="openai")
    async with ProviderRegistry.create("openai", api_key="k", transport=wire) as client:
        response = await client.chat(
            [Message(role="user", content="Hi")], model=model, tools=[ADD], tool_choice="required"
        )
    assert [call["name"] for call in response.tool_calls or ()] == [ADD.name]
    assert len(wire.requests) == 2


@pytest.mark.parametrize("name", [ADD.name, "math__add_it"])
async def test_calls_in_the_text_are_found_by_either_name(name: str) -> None:
    text = f'<tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>'
    response = await ask("openai", Turn(text=text), tools=[ADD], text_tool_calls="any", tool_choice="required")
    assert isinstance(response, CompletionResponse)
    assert [call["name"] for call in response.tool_calls or ()] == [ADD.name]
