"""A chat in Ollama's body: every option mapped, visibly adjusted, or rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel
from returns.result import Failure, Success

from victor_fp import replay
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.requests import HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart, ToolCall, ToolDefinition

HI = Message(role="user", content="Hi")
WEATHER = ToolDefinition(
    name="weather",
    description="Weather of a city",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def build_request(*messages: Message, **options: Any) -> HttpRequest | Fault:
    match outcome(replay.request("ollama", messages or (HI,), model="qwen3:4b", **options)):
        case Success(request):
            return request
        case Failure(fault):
            return fault


def build_body(*messages: Message, **options: Any) -> dict[str, Any]:
    request = build_request(*messages, **options)
    assert isinstance(request, HttpRequest), request
    body: dict[str, Any] = json.loads(request.body)
    return body


def test_the_whole_request() -> None:
    request = build_request()
    assert isinstance(request, HttpRequest)
    assert (request.method, request.url) == ("POST", "http://localhost:11434/api/chat")
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {
        "model": "qwen3:4b",
        "messages": [{"role": "user", "content": "Hi"}],
        "options": {"temperature": 0.7, "num_predict": 4096},
        "stream": False,
    }


def test_a_stream_differs_in_one_field() -> None:
    assert build_body(stream=True) == {**build_body(), "stream": True}


class Answer(BaseModel):
    city: str


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 0.2}, {"temperature": 0.2}),
        ({"max_tokens": 7}, {"num_predict": 7}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"top_k": 40}, {"top_k": 40}),
        ({"seed": 0}, {"seed": 0}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"presence_penalty": 0.5}, {"presence_penalty": 0.5}),
        ({"frequency_penalty": -0.5}, {"frequency_penalty": -0.5}),
        ({"num_ctx": 8192}, {"num_ctx": 8192}),
        ({"extra_body": {"options": {"num_ctx": 8192, "min_p": 0.1}}}, {"num_ctx": 8192, "min_p": 0.1}),
        ({"extra_body": {"options": {"temperature": 0}}}, {"temperature": 0}),
        ({"num_ctx": 1, "extra_body": {"options": {"num_ctx": 2}}}, {"num_ctx": 2}),
    ],
)
def test_sampling_goes_under_options(options: dict[str, Any], expected: dict[str, Any]) -> None:
    body = build_body(**options)
    assert body["options"] == {"temperature": 0.7, "num_predict": 4096, **expected}
    assert body.keys() == {"model", "messages", "options", "stream"}


def test_options_set_to_none_are_not_sent() -> None:
    assert build_body(temperature=None, max_tokens=None).keys() == {"model", "messages", "stream"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"response_format": "json"}, {"format": "json"}),
        ({"response_format": {"type": "object"}}, {"format": {"type": "object"}}),
        ({"response_format": Answer}, {"format": Answer.model_json_schema()}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "low"}, {"think": "low"}),
        ({"reasoning_effort": "max"}, {"think": "max"}),
        ({"logprobs": True}, {"logprobs": True}),
        ({"logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"logprobs": False}, {}),
        ({"think": True}, {"think": True}),
        ({"keep_alive": "10m"}, {"keep_alive": "10m"}),
        ({"extra_body": {"keep_alive": 0, "stream": True}}, {"keep_alive": 0, "stream": True}),
        ({"tool_choice": "auto"}, {}),
        ({"parallel_tool_calls": True}, {}),
    ],
)
def test_other_options_are_sent_at_the_top_level(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert build_body(**options) == {**build_body(), **expected}


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"name": "weather"}}, "tool_choice"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"reasoning_budget": 1000}, "reasoning_budget"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"user": "me"}, "user"),
        ({"tools": [WEATHER.model_copy(update={"strict": True})]}, "tools.strict"),
    ],
)
def test_options_without_an_ollama_field_are_rejected_or_dropped_visibly(
    options: dict[str, Any], parameter: str
) -> None:
    fault = build_request(**options)
    assert isinstance(fault, UnsupportedParameter)
    assert (fault.parameter, fault.provider, fault.model) == (parameter, "ollama", "qwen3:4b")
    request = build_request(**options, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    assert [(a.parameter, a.action) for a in request.adjustments] == [(parameter, "dropped")]
    body = json.loads(request.body)
    assert {**body, "tools": None} == {**build_body(), "tools": None}


@pytest.mark.parametrize(("effort", "level"), [("minimal", "low"), ("xhigh", "high")])
def test_an_effort_between_the_levels_is_refused_or_visibly_moved(effort: str, level: str) -> None:
    fault = build_request(reasoning_effort=effort)
    assert isinstance(fault, UnsupportedParameter)
    assert fault.parameter == "reasoning_effort"
    request = build_request(reasoning_effort=effort, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    assert [(a.parameter, a.action) for a in request.adjustments] == [("reasoning_effort", "changed")]
    assert request.json() == {**build_body(), "think": level}


def test_tools() -> None:
    assert build_body(tools=[WEATHER])["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "Weather of a city", "parameters": WEATHER.parameters},
        }
    ]


def test_tool_choice_none_sends_no_tools() -> None:
    assert build_body(tools=[WEATHER], tool_choice="none") == build_body()


def call(id_: str, city: str) -> ToolCall:
    return ToolCall(id=id_, name="weather", arguments={"city": city})


def test_calls_and_results_are_sent_back_with_name_and_id() -> None:
    messages = build_body(
        HI,
        Message(role="assistant", content="One moment", tool_calls=[call("a", "Rome"), call("b", "Oslo")]),
        Message(role="tool", tool_call_id="b", content="rain"),
        Message(role="tool", tool_call_id="a", content="no such city", is_error=True),
    )["messages"]
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "One moment",
            "tool_calls": [
                {"id": "a", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
                {"id": "b", "function": {"name": "weather", "arguments": {"city": "Oslo"}}},
            ],
        },
        {"role": "tool", "content": "rain", "tool_name": "weather", "tool_call_id": "b"},
        {"role": "tool", "content": "Error: no such city", "tool_name": "weather", "tool_call_id": "a"},
    ]


def test_arguments_that_are_not_an_object_are_wrapped_visibly() -> None:
    broken = ToolCall(id="a", name="weather", arguments='{"city": "Ro')
    request = build_request(
        HI, Message(role="assistant", tool_calls=[broken]), Message(role="tool", tool_call_id="a", content="?")
    )
    assert isinstance(request, HttpRequest)
    body: Any = request.json()
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"invalid_json": '{"city": "Ro'}
    assert [(one.parameter, one.action) for one in request.adjustments] == [("messages.tool_calls", "changed")]


def test_instructions_keep_their_position() -> None:
    messages = build_body(
        Message(role="developer", content="Be brief"), HI, Message(role="system", content="Be kind"), HI
    )["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "system", "user"]


def test_images_are_sent_alongside_the_text() -> None:
    parts: list[Part] = [
        TextPart(text="What is "),
        ImagePart(data=b"\x89PNG", media_type="image/png"),
        TextPart(text="this?"),
        ImagePart(url="data:image/png;base64,AAAA"),
    ]
    assert build_body(Message(role="user", content=parts))["messages"] == [
        {"role": "user", "content": "What is this?", "images": ["iVBORw==", "AAAA"]}
    ]


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(url="https://example.org/cat.png"),
        ImagePart(url="data:image/svg+xml,<svg/>"),
        AudioPart(data=b"x", media_type="audio/wav"),
        FilePart(data=b"x", media_type="application/pdf"),
    ],
)
def test_a_part_that_ollama_does_not_accept_is_always_rejected(part: Part) -> None:
    for mode in ("fail", "adjust"):
        fault = build_request(Message(role="user", content=[part]), on_unsupported=mode)
        assert isinstance(fault, UnsupportedParameter)
        assert fault.parameter == "messages"


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        (Message(role="user", name="Ann", content="Hi"), "messages.name"),
        (
            Message(role="user", content=[ImagePart(data=b"", media_type="image/png", detail="low")]),
            "messages.detail",
        ),
    ],
)
def test_an_unsupported_message_field_is_rejected_or_dropped_visibly(message: Message, parameter: str) -> None:
    fault = build_request(message)
    assert isinstance(fault, UnsupportedParameter)
    assert fault.parameter == parameter
    request = build_request(message, on_unsupported="adjust")
    assert isinstance(request, HttpRequest)
    assert [a.parameter for a in request.adjustments] == [parameter]


def test_unknown_options_and_headers_are_sent() -> None:
    request = build_request(brand_new=1, extra_headers={"X-Trace": "7"})
    assert isinstance(request, HttpRequest)
    assert request.json() == {**build_body(), "brand_new": 1}
    assert request.headers["x-trace"] == "7"
