"""Messages and tools in every format, and invalid ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from returns.result import Failure, Success

from tests.acme import KEY, build_acme
from victor_fp import replay
from victor_fp.core import faults
from victor_fp.core.conversation import read_turn_state
from victor_fp.core.request_building.inputs import read_messages, read_tools
from victor_fp.core.schemas.structured import structured
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart, ToolDefinition
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.testing import Call, ScriptedWire, Turn

HI = Message(role="user", content="Hi")


def read_one(message: object) -> Message:
    (message,) = read_messages([message]).unwrap()
    assert isinstance(message, Message)
    return message


def test_messages_stay_the_same_objects() -> None:
    assert read_messages([HI]) == Success((HI,))
    assert read_messages(iter([HI])) == Success((HI,))
    assert read_messages(HI) == Success((HI,))


def test_single_text_is_a_user_message() -> None:
    assert read_messages("Hi") == Success((HI,))


def test_dicts_of_our_own_fields() -> None:
    assert read_one(HI.to_dict()) == HI
    image = Message(role="user", content=[ImagePart(data=b"x", media_type="image/png")])
    assert read_one(image.to_dict()) == image


def test_a_dumped_openai_answer_is_an_assistants_turn() -> None:
    dumped = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "a", "arguments": '{"x": 1}'}}],
    }
    read = read_one(dumped)
    assert read.content == ""
    assert read.tool_calls is not None
    assert (read.tool_calls[0]["id"], read.tool_calls[0]["name"]) == ("c1", "a")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"type": "text", "text": "a"}, TextPart(text="a")),
        ({"type": "image_url", "image_url": {"url": "https://h/i.png"}}, ImagePart(url="https://h/i.png")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,eHk=", "detail": "low"}},
            ImagePart(data=b"xy", media_type="image/png", detail="low"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "eHk=", "format": "mp3"}},
            AudioPart(data=b"xy", media_type="audio/mp3"),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,eHk=", "filename": "a.pdf"}},
            FilePart(data=b"xy", media_type="application/pdf", filename="a.pdf"),
        ),
    ],
)
def test_parts_in_the_openai_format(given: dict[str, Any], part: object) -> None:
    assert read_one({"role": "user", "content": [given]}).content == [part]


def test_reasoning_of_an_assistant_dict_is_kept_for_vendors_that_expect_it() -> None:
    state = read_turn_state(read_one({"role": "assistant", "content": "4", "reasoning_content": "2 + 2"}))
    assert state is not None
    assert [(block.kind, block.text) for block in state.blocks] == [("reasoning", "2 + 2"), ("text", "4")]


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (5, "messages"),
        ({"role": "user", "content": "Hi"}, "messages"),
        (b"Hi", "messages"),
        ([HI, 1], "messages[1]"),
        ([{"role": "user"}], "messages[0]: content is missing"),
        ([HI, {"role": "king", "content": "x"}], "messages[1]: role"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0]: content[0]: image_url"),
        ([{"role": "user", "content": ["x"]}], "messages[0]: content[0]"),
        ([{"role": "user", "content": "x", "colour": 1}], "messages[0]: colour"),
    ],
)
def test_invalid_message_is_reported_with_its_index(given: object, where: str) -> None:
    assert read_messages(given).failure().message.startswith(where)


def test_tools_in_both_spellings() -> None:
    tool = ToolDefinition(name="a", description="b", parameters={"type": "object"})
    fields = {"name": "a", "description": "b", "parameters": {"type": "object"}}
    spellings = [tool, fields, {"type": "function", "function": fields}, {"type": "function", **fields}]
    assert read_tools(spellings) == Success((tool,) * 4)
    assert read_tools([tool, 3]).failure().message.startswith("tools[1]")
    assert read_tools({"name": "a"}).failure().message.startswith("tools")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["role", "content", "type", "text", "name", "tool_calls", "image_url", "file"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_nothing_raises(anything: object) -> None:
    read_messages(anything)
    read_tools(anything)


@pytest.mark.parametrize(
    "options",
    [
        {"model": 3},
        {"temperature": "hot"},
        {"temperature": float("nan")},
        {"max_tokens": "many"},
        {"tools": [1]},
        {"timeout": "soon"},
        {"timeout": -1},
        {"deadline": "later"},
        {"extra_body": {"x": object()}},
        {"user": object()},
    ],
)
async def test_wrong_arguments_are_invalid_requests_and_never_exceptions(options: dict[str, Any]) -> None:
    async with build_acme("http://127.0.0.1:9", max_retries=0) as provider:
        given = {"model": "m", **options}
        whole = await provider.chat_result([HI], **given)
        (streamed,) = [result async for result in provider.stream_result([HI], **given)]
    assert isinstance(whole.failure(), faults.InvalidRequest)
    assert isinstance(streamed.failure(), faults.InvalidRequest)


async def test_streamed_turn_keeps_provider_state() -> None:
    wire = ScriptedWire(
        Turn(reasoning="hmm", text="ok", calls=(Call(name="a", arguments={}, id="c1"),)),
        Turn(text="done"),
        provider="anthropic",
    )
    provider = ProviderRegistry.create("anthropic", api_key=KEY, transport=wire)
    assert isinstance(provider, CatalogueProvider)
    tools = [{"name": "a", "parameters": {"type": "object"}}]
    chunks = [chunk async for chunk in provider.stream("Hi", model="m", tools=tools)]
    with pytest.raises(ValueError, match="final chunk"):
        chunks[0].to_message()
    last = chunks[-1]
    assert last.response is not None
    assert (last.response.content, last.response.usage) == ("ok", last.usage)
    assert "response" not in last.model_dump()
    turn: list[Message | dict[str, str]] = [
        HI,
        last.to_message(),
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]
    response = await provider.stream(turn, model="m", tools=tools).response()
    assert response.content == "done"
    assert "c2lnbmVk" in str(wire.requests[-1].json())


async def test_a_stream_of_results_gives_its_response_as_a_result() -> None:
    wire = ScriptedWire(Turn(text="ok"), provider="openai")
    provider = ProviderRegistry.create("openai", api_key=KEY, transport=wire)
    assert isinstance(provider, CatalogueProvider)
    result = await provider.stream_result("Hi", model="m").response()
    assert isinstance(result, Success)
    assert isinstance(await provider.stream_result(3, model="m").response(), Failure)  # type: ignore[arg-type]  # on purpose


async def test_the_final_chunk_is_read_as_structured_output() -> None:
    class City(BaseModel):
        name: str

    wire = ScriptedWire(Turn(text='{"name": "Oslo"}'), provider="openai")
    provider = ProviderRegistry.create("openai", api_key=KEY, transport=wire)
    chunks = [chunk async for chunk in provider.stream([HI], model="m", response_format=City)]
    assert structured(chunks[-1], City) == Success(City(name="Oslo"))
    assert isinstance(structured(chunks[0], City), Failure)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"city": "Rome"}', {"city": "Rome"}),
        (' {"a": [1, null]} ', {"a": [1, None]}),
        ("{}", {}),
        ("", {}),
    ],
)
@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "google", "ollama"])
def test_arguments_as_text_go_as_the_object_that_the_protocol_wants(
    provider: str, text: str, sent: dict[str, Any]
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": text}}
    ours = {"id": "call_1", "name": "f", "arguments": text}
    for spelling in (call, ours):
        history: list[dict[str, Any]] = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "tool_calls": [spelling]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ]
        built = replay.request(
            provider,
            history,
            model="m",
            tools=[{"name": "f"}],
            settings={"region": "eu-west-1"} if provider == "bedrock" else None,
        ).unwrap()
        assert [one for one in built.adjustments if one.parameter == "messages.tool_calls"] == []
        assert _find_arguments(built.json()) == [sent]


def _find_arguments(value: Any) -> list[Any]:
    """The arguments of all calls, under whatever name the protocol has for them."""
    if isinstance(value, list):
        return [found for item in value for found in _find_arguments(item)]
    if not isinstance(value, dict):
        return []
    if "name" in value and (names := {"input", "args", "arguments"} & value.keys()):
        return [value[name] for name in names]
    return [found for item in value.values() for found in _find_arguments(item)]
