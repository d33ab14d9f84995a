"""The chat model for LangChain: what is sent for its messages, and what comes back in them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BaseModel, SecretStr

from tests.acme import KEY
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig
from victor_fp.core.faults import TimedOut
from victor_fp.core.types import AudioPart, CompletionResponse, FilePart, ImagePart, Message, TextPart
from victor_fp.integrations.langchain import ChatVictor
from victor_fp.integrations.langchain_messages import to_message
from victor_fp.providers.base import ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.sync import SyncProvider
from victor_fp.testing import Call, CallRecord, ScriptedProvider, ScriptedWire, Turn, json_answer


def record_messages(*messages: BaseMessage) -> list[Message]:
    """What a provider gets for a conversation."""
    provider = ScriptedProvider(lambda _: "ok")
    ChatVictor(provider=provider, model="m").invoke(list(messages))
    return list(provider.calls[0].messages)


def test_messages_of_every_kind_are_sent() -> None:
    assert record_messages(
        SystemMessage("Be brief."),
        HumanMessage("Hi", name="ann"),
        AIMessage("Let me look.", tool_calls=[{"id": "a", "name": "f", "args": {"x": 1}}]),
        ToolMessage("no", tool_call_id="a", status="error", name="f"),
        AIMessage(
            "", invalid_tool_calls=[{"id": "b", "name": "f", "args": "{x", "error": None, "type": "invalid_tool_call"}]
        ),
        ToolMessage("1", tool_call_id="b"),
        ChatMessage(role="user", content="and?"),
    ) == [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi", name="ann"),
        Message(role="assistant", content="Let me look.", tool_calls=[{"id": "a", "name": "f", "arguments": {"x": 1}}]),
        Message(role="tool", content="no", tool_call_id="a", name="f", is_error=True),
        Message(role="assistant", tool_calls=[{"id": "b", "name": "f", "arguments": "{x"}]),
        Message(role="tool", content="1", tool_call_id="b"),
        Message(role="user", content="and?"),
    ]


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a"}, TextPart(text="a")),
        ({"type": "image", "base64": "aGk=", "mime_type": "image/png"}, ImagePart(data=b"hi", media_type="image/png")),
        ({"type": "image", "url": "https://x.test/a.png"}, ImagePart(url="https://x.test/a.png")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ImagePart(data=b"hi", media_type="image/png"),
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ImagePart(data=b"hi", media_type="image/png"),
        ),
        ({"type": "audio", "base64": "aGk=", "mime_type": "audio/wav"}, AudioPart(data=b"hi", media_type="audio/wav")),
        (
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            AudioPart(data=b"hi", media_type="audio/wav"),
        ),
        (
            {"type": "file", "file": {"filename": "t.pdf", "file_data": "data:application/pdf;base64,aGk="}},
            FilePart(data=b"hi", media_type="application/pdf", filename="t.pdf"),
        ),
    ],
)
def test_content_blocks_of_all_spellings_are_parts(block: dict[str, Any], part: object) -> None:
    (message,) = record_messages(HumanMessage([block]))
    assert message.content == [part]
    *_, tool = record_messages(
        HumanMessage("Look"),
        AIMessage("", tool_calls=[{"id": "a", "name": "f", "args": {}}]),
        ToolMessage([block], tool_call_id="a"),
    )
    assert tool.content == [part]


def test_unsupported_content_is_rejected_by_name() -> None:
    model = ChatVictor(provider=ScriptedProvider(lambda _: "ok"), model="m")
    with pytest.raises(TypeError, match="content blocks of type 'video' cannot be sent"):
        model.invoke([HumanMessage([{"type": "video", "url": "https://x.test/v"}])])
    with pytest.raises(TypeError, match="FunctionMessage cannot be sent"):
        model.invoke([FunctionMessage(name="f", content="1")])


def test_thinking_of_other_models_is_passed_on() -> None:
    (_, message, _) = record_messages(
        HumanMessage("Hi"),
        AIMessage([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello"}]),
        HumanMessage("Go on"),
    )
    assert message.text == "Hello"
    assert message.metadata is not None
    assert "hm" in str(message.metadata["provider_state"])


def test_marks_for_caching_are_kept() -> None:
    provider = ScriptedProvider(lambda _: "ok")
    model = ChatVictor(provider=provider, model="m").bind_tools(
        [{"name": "f", "input_schema": {"type": "object", "properties": {}}, "cache_control": {"type": "ephemeral"}}]
    )
    model.invoke([HumanMessage([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}])])
    assert provider.calls[0].messages[0].cache
    assert provider.calls[0].tools[0].cache


def test_a_response_is_a_message_with_everything_in_it() -> None:
    message = to_message(
        CompletionResponse(
            content="Hello",
            tool_calls=[{"id": "a", "name": "f", "arguments": {"x": 1}}, {"id": "b", "name": "g", "arguments": "{x"}],
            stop_reason="tool_use",
            usage={
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "cache_read_input_tokens": 2,
                "cache_creation_input_tokens": 1,
                "reasoning_tokens": 1,
            },
            model="m-1",
            metadata={"reasoning_content": "hm", "provider_state": {"v": 1}, "id": "resp_1", "cost": 0.5},
        )
    )
    assert message.tool_calls == [{"id": "a", "name": "f", "args": {"x": 1}, "type": "tool_call"}]
    assert [(call["id"], call["args"]) for call in message.invalid_tool_calls] == [("b", "{x")]
    assert message.usage_metadata == {
        "input_tokens": 5,
        "output_tokens": 3,
        "total_tokens": 8,
        "input_token_details": {"cache_read": 2, "cache_creation": 1},
        "output_token_details": {"reasoning": 1},
    }
    assert message.additional_kwargs == {"reasoning_content": "hm", "provider_state": {"v": 1}}
    assert message.response_metadata == {"model_name": "m-1", "finish_reason": "tool_use", "id": "resp_1", "cost": 0.5}
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text", "tool_call"]


def test_vendor_state_is_sent_back_with_the_next_turn() -> None:
    wire = ScriptedWire(
        Turn(text="Let me look.", reasoning="Hm.", calls=(Call(name="f", arguments={"x": 1}),)),
        Turn(text="Done."),
        provider="anthropic",
    )
    model = ChatVictor(provider=ProviderRegistry.create("anthropic", api_key=KEY, transport=wire)).bind_tools(
        [{"name": "f", "description": "", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}}}]
    )
    for answer in (model.invoke, lambda asked: join_chunks(model.stream(asked))):
        wire.requests.clear()
        wire._sent = 0
        said = answer([HumanMessage("Hi")])
        model.invoke([HumanMessage("Hi"), said, ToolMessage("1", tool_call_id=said.tool_calls[0]["id"])])
        body: Any = wire.requests[-1].json()
        kinds = [block["type"] for block in body["messages"][1]["content"]]
        assert kinds == ["thinking", "text", "tool_use"]
        assert body["messages"][1]["content"][0]["signature"]


def join_chunks(chunks: Any) -> Any:
    first, *rest = chunks
    for one in rest:
        first += one
    return first


def test_a_stream_adds_up_to_the_response() -> None:
    turn = Turn(
        text="Let me look.",
        reasoning="Hm. Well.",
        calls=(Call(id="a", name="f", arguments={"x": 1}), Call(id="b", name="g")),
    )
    wire = ScriptedWire(turn, provider="openai")
    model = ChatVictor(provider=ProviderRegistry.create("deepseek", api_key=KEY, transport=wire))
    said, added = model.invoke("Hi"), join_chunks(model.stream("Hi"))
    assert added.content == said.content
    assert added.tool_calls == said.tool_calls
    assert added.usage_metadata == said.usage_metadata
    assert added.additional_kwargs.get("reasoning_content") == said.additional_kwargs.get("reasoning_content")
    assert added.response_metadata["finish_reason"] == said.response_metadata["finish_reason"]


def test_options_and_tool_choices_are_passed_on() -> None:
    provider = ScriptedProvider(lambda _: "ok")
    model = ChatVictor(
        provider=provider, model="m", temperature=0.1, max_tokens=5, stop=["a"], timeout=3, options={"seed": 1}
    )
    tools = [{"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}]
    for choice, sent in (
        ("any", "required"), (True, "required"), ("auto", "auto"), ("none", "none"), ("f", {"name": "f"}),
        ({"type": "function", "function": {"name": "f"}}, {"name": "f"}),
    ):  # fmt: skip
        model.bind_tools(tools, tool_choice=choice).invoke("Hi", stop=["b"])
        call = provider.calls[-1]
        assert call.options == {"seed": 1, "stop": ["b"], "tool_choice": sent}
        assert (call.temperature, call.max_tokens, call.model) == (0.1, 5, "m")


async def wait_for_ever(_: CallRecord) -> str:
    await asyncio.Event().wait()
    return ""


def test_timeout_limits_a_call() -> None:
    model = ChatVictor(provider=ScriptedProvider(wait_for_ever, max_retries=0), model="m", timeout=0.01)
    with pytest.raises(ProviderError) as raised:
        model.invoke("Hi")
    assert isinstance(raised.value.fault, TimedOut)


def test_errors_are_provider_errors() -> None:
    wire = ScriptedWire(json_answer({"error": {"message": "no"}}, 401))
    model = ChatVictor(provider=ProviderRegistry.create("openai", api_key=KEY, transport=wire))
    with pytest.raises(ProviderError):
        model.invoke("Hi")
    with pytest.raises(ProviderError):
        list(model.stream("Hi"))


async def test_every_kind_of_provider_is_accepted() -> None:
    def answer_model(call: CallRecord) -> str:
        return call.model

    manager = ProviderManager(
        None, ScriptedProvider(answer_model), "m", "scripted", config=ProviderManagerConfig(enable_health_checks=False)
    )
    for provider in (ScriptedProvider(answer_model), SyncProvider(ScriptedProvider(answer_model)), manager):
        model = ChatVictor(provider=provider, model="m")
        assert (await model.ainvoke("Hi")).content == "m"
        assert join_chunks([chunk async for chunk in model.astream("Hi")]).content == "m"
    await manager.close()


def test_a_model_or_a_provider_is_required_and_keys_are_not_shown() -> None:
    with pytest.raises(ValueError, match="model or provider is required"):
        ChatVictor()
    model = ChatVictor(model="openai/m-1", api_key=SecretStr(KEY))
    assert KEY not in repr(model) + str(model.model_dump())
    assert model._get_ls_params().get("ls_model_name") == "m-1"
    assert model._get_ls_params().get("ls_provider") == "openai"


class City(BaseModel):
    name: str


def test_structured_output_with_the_raw_message() -> None:
    provider = ScriptedProvider(lambda call: '{"name": "Oslo"}' if call.text == "good" else "no")
    model = ChatVictor(provider=provider, model="m").with_structured_output(
        City, method="json_schema", include_raw=True, strict=True
    )
    good, bad = model.invoke("good"), model.invoke("bad")
    assert isinstance(good, dict)
    assert isinstance(bad, dict)
    assert (good["parsed"], good["parsing_error"]) == (City(name="Oslo"), None)
    assert bad["parsed"] is None
    assert bad["parsing_error"] is not None
    form = provider.calls[0].options["response_format"]
    assert (form["json_schema"]["name"], form["json_schema"]["strict"]) == ("City", True)
    with pytest.raises(ValueError, match="unsupported arguments: tools"):
        ChatVictor(provider=provider, model="m").with_structured_output(City, method="json_schema", tools=[])
