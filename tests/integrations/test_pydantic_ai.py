"""The model for Pydantic AI: agents with tools, forms and streams, and what is sent for its messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput, exceptions
from pydantic_ai.direct import model_request
from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    VideoUrl,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.settings import ModelSettings, ToolOrOutput
from pydantic_ai.tools import ToolDefinition

from tests.acme import KEY
from tests.integrations.scripted_model import answer_call
from tests.loopback import Loopback
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig
from victor_fp.core import faults
from victor_fp.core.faults import FAULT_TYPES, Fault
from victor_fp.core.types import AudioPart, ImagePart, Message
from victor_fp.core.types import FilePart as OurFile
from victor_fp.core.types import TextPart as OurText
from victor_fp.integrations.pydantic_ai import VictorModel, _error_from
from victor_fp.providers.errors import error_from
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.sync import SyncProvider
from victor_fp.testing import Call, CallRecord, ScriptedProvider, ScriptedWire, Turn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class City(BaseModel):
    name: str


def build_model(server: Loopback, **options: Any) -> VictorModel:
    return VictorModel("openai/m-1", api_key="k", base_url=f"{server.url}/v1", **options)


async def test_an_agent_calls_tools_and_answers(server: Loopback) -> None:
    agent = Agent(build_model(server), instructions="Be brief.")
    seen: list[str] = []

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather in a city."""
        seen.append(city)
        return "rain"

    result = await agent.run("What is the weather in 'Oslo'?")
    assert (seen, result.output) == (["Oslo"], "Hello! How can I help you today?")
    assert result.usage.input_tokens == 18
    first = result.all_messages()[1]
    assert isinstance(first, ModelResponse)
    assert (first.model_name, first.provider_name, first.finish_reason, first.provider_response_id) == (
        "m-1",
        "openai",
        "tool_call",
        "chatcmpl-1",
    )
    asked: Any = server.received[-1].json()
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked["messages"][-1]["content"] == "rain"


@pytest.mark.parametrize("form", [City, NativeOutput(City), PromptedOutput(City)], ids=["tool", "native", "prompted"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output_in_every_mode(form: Any, streamed: bool) -> None:
    def answer(call: CallRecord) -> Turn:
        if call.tools or call.options.get("response_format"):
            return answer_call(call)
        assert '"name"' in call.messages[0].text
        return Turn(text='{"name": "Pirate"}')

    provider = ScriptedProvider(answer)
    agent = Agent(VictorModel("m", provider=provider, profile={"supports_json_schema_output": True}), output_type=form)
    if streamed:
        async with agent.run_stream("Where?") as run:
            assert await run.get_output() == City(name="Pirate")
    else:
        assert (await agent.run("Where?")).output == City(name="Pirate")


async def test_a_stream_of_text_thinking_and_calls(server: Loopback) -> None:
    async with Agent(build_model(server)).run_stream("Hi") as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
        assert pieces == ["Hello! ", "How ", "can ", "I ", "help ", "you ", "today?"]
        assert run.usage.input_tokens == 9
    turn = Turn(text="Let me look.", reasoning="Hm. Well.", calls=(Call(id="a", name="f", arguments={"x": 1}),))
    wire = ScriptedWire(turn, provider="openai")
    model = VictorModel(provider=ProviderRegistry.create("deepseek", api_key=KEY, transport=wire))
    tools = ModelRequestParameters(function_tools=[ToolDefinition(name="f")])
    asked: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("Hi")])]
    whole = await model.request(asked, None, tools)
    async with model.request_stream(asked, None, tools) as stream:
        events = [event async for event in stream]
        streamed = stream.get()
    assert events
    assert list_parts(streamed) == list_parts(whole)
    assert (streamed.usage, streamed.finish_reason, streamed.state) == (whole.usage, whole.finish_reason, "complete")
    assert (streamed.provider_details or {}).get("provider_state") == (whole.provider_details or {}).get(
        "provider_state"
    )


def list_parts(response: ModelResponse) -> list[object]:
    shown: list[object] = []
    for part in response.parts:
        match part:
            case ToolCallPart():
                shown.append((part.tool_name, part.args_as_dict(), part.tool_call_id))
            case TextPart() | ThinkingPart():
                shown.append((part.part_kind, part.content))
            case _:
                shown.append(part)
    return shown


async def test_leaving_a_stream_closes_it() -> None:
    wire = ScriptedWire(Turn(text="one two three"))
    model = VictorModel(provider=ProviderRegistry.create("openai/m", api_key=KEY, transport=wire))
    async with model.request_stream(
        [ModelRequest(parts=[UserPromptPart("Hi")])], None, ModelRequestParameters()
    ) as stream:
        async for _ in stream:
            break
        await stream.cancel()
    assert wire.left_early == 1


async def record_messages(*messages: ModelMessage) -> list[Message]:
    """What a provider gets for a conversation."""
    provider = ScriptedProvider(lambda _: "ok")
    await VictorModel("m", provider=provider).request(list(messages), None, ModelRequestParameters())
    return list(provider.calls[0].messages)


async def test_messages_of_every_kind_are_sent() -> None:
    image = BinaryContent(b"hi", media_type="image/png")
    assert await record_messages(
        ModelRequest(parts=[SystemPromptPart("Be brief."), UserPromptPart("Hi")], instructions="In French."),
        ModelResponse(
            parts=[
                TextPart("Let me look."),
                ToolCallPart("f", {"x": 1}, "a"),
                ToolCallPart("g", '{"y": 2}', "b"),
                ToolCallPart("h", "{z", "c"),
            ]
        ),
        ModelRequest(
            parts=[
                ToolReturnPart("f", {"ok": True}, "a"),
                ToolReturnPart("g", ["see", image], "b"),
                ToolReturnPart("h", "no", "c", outcome="failed"),
                UserPromptPart(
                    [
                        "What is it?",
                        image,
                        ImageUrl("https://x.test/a.png"),
                        AudioUrl("https://x.test/a.wav"),
                        DocumentUrl("https://x.test/a.pdf"),
                        BinaryContent(b"hi", media_type="audio/wav"),
                        BinaryContent(b"hi", media_type="application/pdf"),
                        CachePoint(),
                    ]
                ),
            ]
        ),
    ) == [
        Message(role="system", content="Be brief."),
        Message(role="system", content="In French."),
        Message(role="user", content="Hi"),
        Message(
            role="assistant",
            content="Let me look.",
            tool_calls=[
                {"id": "a", "name": "f", "arguments": {"x": 1}},
                {"id": "b", "name": "g", "arguments": {"y": 2}},
                {"id": "c", "name": "h", "arguments": "{z"},
            ],
        ),
        Message(role="tool", tool_call_id="a", name="f", content='{"ok":true}'),
        Message(
            role="tool",
            tool_call_id="b",
            name="g",
            content=[OurText(text="see"), ImagePart(data=b"hi", media_type="image/png")],
        ),
        Message(role="tool", tool_call_id="c", name="h", content="no", is_error=True),
        Message(
            role="user",
            content=[
                OurText(text="What is it?"),
                ImagePart(data=b"hi", media_type="image/png"),
                ImagePart(url="https://x.test/a.png"),
                AudioPart(url="https://x.test/a.wav"),
                OurFile(url="https://x.test/a.pdf"),
                AudioPart(data=b"hi", media_type="audio/wav"),
                OurFile(data=b"hi", media_type="application/pdf"),
            ],
            cache=True,
        ),
    ]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (ModelRequest(parts=[UserPromptPart([VideoUrl("https://x.test/v.mp4")])]), "VideoUrl"),
        (ModelResponse(parts=[FilePart(BinaryContent(b"", media_type="image/png"))]), "FilePart"),
    ],
)
async def test_unsupported_content_is_rejected_by_name(message: ModelMessage, kind: str) -> None:
    with pytest.raises(TypeError, match=f"{kind} cannot be sent"):
        await record_messages(message)


async def test_vendor_state_is_sent_back_with_the_next_turn() -> None:
    wire = ScriptedWire(
        Turn(text="Let me look.", reasoning="Hm.", calls=(Call(name="get_one"),)),
        Turn(text="Done."),
        provider="anthropic",
    )
    agent = Agent(VictorModel(provider=ProviderRegistry.create("anthropic", api_key=KEY, transport=wire)))

    @agent.tool_plain
    def get_one() -> str:
        return "1"

    assert (await agent.run("Hi")).output == "Done."
    body: Any = wire.requests[-1].json()
    assert [block["type"] for block in body["messages"][1]["content"]] == ["thinking", "text", "tool_use"]
    assert body["messages"][1]["content"][0]["signature"]


async def test_thinking_of_other_models_is_passed_on() -> None:
    message = (await record_messages(
        ModelRequest(parts=[UserPromptPart("Hi")]),
        ModelResponse(parts=[ThinkingPart("hm"), TextPart("Hello")]),
        ModelRequest(parts=[UserPromptPart("Go on")]),
    ))[1]  # fmt: skip
    assert message.text == "Hello"
    assert "hm" in str(message.metadata)


async def test_settings_become_options() -> None:
    provider = ScriptedProvider(lambda _: "ok")
    model = VictorModel("m", provider=provider, options={"service_tier": "flex"})
    settings = ModelSettings(
        max_tokens=5, temperature=0.1, top_p=0.5, stop_sequences=["a"], seed=1, timeout=3, thinking="high",
        extra_headers={"x": "y"}, parallel_tool_calls=False,
    )  # fmt: skip
    await model_request(model, [ModelRequest.user_text_prompt("Hi")], model_settings=settings)
    call = provider.calls[0]
    assert (call.model, call.max_tokens, call.temperature) == ("m", 5, 0.1)
    assert call.options == {
        "service_tier": "flex", "top_p": 0.5, "stop": ["a"], "seed": 1, "reasoning_effort": "high",
        "extra_headers": {"x": "y"}, "parallel_tool_calls": False,
    }  # fmt: skip


async def test_timeout_limits_a_call() -> None:
    async def wait_for_ever(_: CallRecord) -> str:
        await asyncio.Event().wait()
        return ""

    model = VictorModel("m", provider=ScriptedProvider(wait_for_ever, max_retries=0))
    with pytest.raises(exceptions.ModelAPIError):
        await model_request(model, [ModelRequest.user_text_prompt("Hi")], model_settings=ModelSettings(timeout=0.01))


@pytest.mark.parametrize(
    ("choice", "text", "tools", "sent"),
    [
        (None, True, ["f", "g", "out"], None),
        (None, False, ["f", "g", "out"], "required"),
        ("required", True, ["f", "g", "out"], "required"),
        ("none", True, ["out"], None),
        (["g"], True, ["g"], {"name": "g"}),
        (["f", "g"], True, ["f", "g"], "required"),
        (ToolOrOutput(function_tools=["f"]), True, ["f", "out"], None),
    ],
)
async def test_tool_choices(choice: Any, text: bool, tools: list[str], sent: object) -> None:
    provider = ScriptedProvider(lambda _: "ok")
    parameters = ModelRequestParameters(
        function_tools=[ToolDefinition(name="f"), ToolDefinition(name="g", description="G", strict=True)],
        output_tools=[ToolDefinition(name="out", kind="output")],
        output_mode="tool",
        allow_text_output=text,
    )
    settings = None if choice is None else ModelSettings(tool_choice=choice)
    await VictorModel("m", provider=provider).request([ModelRequest.user_text_prompt("Hi")], settings, parameters)
    assert [one.name for one in provider.calls[0].tools] == tools
    assert provider.calls[0].options.get("tool_choice") == sent


@pytest.mark.parametrize("kind", FAULT_TYPES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", [None, 418])
def test_every_fault_is_an_exception_of_pydantic_ai(kind: type[Fault], status: int | None) -> None:
    fault = kind(message="no", status=status, retry_after=2.0, provider="acme")
    error = _error_from(error_from(fault), "m")
    assert isinstance(error, exceptions.ModelAPIError)
    assert isinstance(error, exceptions.ModelHTTPError) == (status is not None)
    assert error.retry_after == 2.0
    assert "no" in str(error)


async def test_faults_are_raised_where_fallbacks_catch_them() -> None:
    limited = ScriptedProvider(lambda _: faults.RateLimited(message="slow down", status=429, retry_after=1.0))
    working = ScriptedProvider(lambda _: "ok")
    bad, good = VictorModel("m", provider=limited), VictorModel("m", provider=working)
    asked: list[ModelMessage] = [ModelRequest.user_text_prompt("Hi")]
    with pytest.raises(exceptions.ModelRateLimitError) as caught:
        await bad.request(asked, None, ModelRequestParameters())
    assert isinstance(caught.value, exceptions.ModelHTTPError)
    with pytest.raises(exceptions.ModelRateLimitError):
        async with bad.request_stream(asked, None, ModelRequestParameters()):
            pytest.fail("a stream")
    assert (await Agent(FallbackModel(bad, good)).run("Hi")).output == "ok"


async def test_every_kind_of_provider_is_accepted(server: Loopback) -> None:
    def answer_model(call: CallRecord) -> str:
        return call.model

    off = ProviderManagerConfig(enable_health_checks=False)
    manager = ProviderManager(None, ScriptedProvider(answer_model), "m", "scripted", config=off)
    for provider in (ScriptedProvider(answer_model), SyncProvider(ScriptedProvider(answer_model)), manager):
        model = VictorModel("m", provider=provider)
        assert (model.system, model.model_name) == ("scripted", "m")
        assert (await Agent(model).run("Hi")).output == "m"
    await manager.close()
    async with await ManagedProviderFactory.create("openai/m-1", api_key="k", base_url=f"{server.url}/v1") as managed:
        model = VictorModel(provider=managed)
        assert (model.model_name, model.base_url) == ("m-1", f"{server.url}/v1")
        assert (await Agent(model).run("Hi")).output.startswith("Hello!")


def test_the_synchronous_agent_works(server: Loopback) -> None:
    loop = asyncio.new_event_loop()  # which `run_sync` would make, and leave open
    asyncio.set_event_loop(loop)
    try:
        assert Agent(build_model(server)).run_sync("Hi").output.startswith("Hello!")
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_missing_and_extra_arguments_are_type_errors() -> None:
    with pytest.raises(TypeError, match="requires a model name or provider="):
        VictorModel()
    with pytest.raises(TypeError, match="unexpected keywords next to provider=: api_key"):
        VictorModel(provider=ScriptedProvider(lambda _: ""), api_key="k")
