"""Requests of chats: every option is mapped, adjusted visibly, or rejected by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.gemini_interactions.interactions import (
    HI,
    MODEL,
    WEATHER,
    build_body,
    build_request,
    get_fault,
)
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "temperature": ({"temperature": 0.0}, {"generation_config": {"temperature": 0.0}}),
    "max_tokens": ({"max_tokens": 7}, {"generation_config": {"max_output_tokens": 7}}),
    "top_p": ({"top_p": 0.5}, {"generation_config": {"top_p": 0.5}}),
    "seed": ({"seed": 1}, {"generation_config": {"seed": 1}}),
    "stop": ({"stop": ["END"]}, {"generation_config": {"stop_sequences": ["END"]}}),
    "json": ({"response_format": "json"}, {"response_format": {"type": "text", "mime_type": "application/json"}}),
    "schema": (
        {"response_format": SCHEMA},
        {"response_format": {"type": "text", "mime_type": "application/json", "schema": SCHEMA}},
    ),
    "thinking": (
        {"reasoning_effort": "low"},
        {"generation_config": {"thinking_level": "low", "thinking_summaries": "auto"}},
    ),
    "the most thinking": (
        {"reasoning_effort": "max"},
        {"generation_config": {"thinking_level": "xhigh", "thinking_summaries": "auto"}},
    ),
    "tier": ({"service_tier": "flex"}, {"service_tier": "flex"}),
    "the tier that is there anyway": ({"service_tier": "auto"}, {}),
    "parallel_tool_calls, which is what the model does anyway": ({"parallel_tool_calls": True}, {}),
    "server-side tools": (
        {"extra_body": {"tools": [{"type": "google_search"}]}},
        {"tools": [{"type": "google_search"}]},
    ),
    "a kept interaction": ({"extra_body": {"store": True}}, {"store": True}),
}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("top_k", {"top_k": 3}),
    ("presence_penalty", {"presence_penalty": 0.1}),
    ("frequency_penalty", {"frequency_penalty": 0.1}),
    ("logprobs", {"logprobs": True}),
    ("user", {"user": "u1"}),
    ("parallel_tool_calls", {"parallel_tool_calls": False}),
    ("service_tier", {"service_tier": "gold"}),
    ("reasoning_effort", {"reasoning_effort": "none"}),
    ("reasoning_budget", {"reasoning_budget": 512}),
    ("name", {"messages": [Message(role="user", content="Hi", name="Ann")]}),
]
BARE = {"model": MODEL, "input": [{"type": "user_input", "content": [{"type": "text", "text": "Hi"}]}], "store": False}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_mapped(name: str) -> None:
    options, wanted = OPTIONS[name]
    given: dict[str, Any] = {"temperature": None, "max_tokens": None, **options}
    assert build_body(**given) == {**BARE, **wanted}


@pytest.mark.parametrize(("parameter", "options"), REFUSED)
def test_unsupported_options_are_rejected_by_name(parameter: str, options: dict[str, Any]) -> None:
    fault = get_fault(**options)
    assert (type(fault).__name__, fault.parameter) == ("UnsupportedParameter", parameter)


@pytest.mark.parametrize(("parameter", "options"), REFUSED)
def test_unsupported_options_are_dropped_visibly_if_allowed(parameter: str, options: dict[str, Any]) -> None:
    request = build_request(**options, on_unsupported="adjust")
    assert [adjustment.parameter for adjustment in request.adjustments] == [parameter]


def test_thinking_that_cannot_be_disabled_is_set_to_the_minimum() -> None:
    request = build_request(reasoning_effort="none", on_unsupported="adjust")
    assert [adjustment.action for adjustment in request.adjustments] == ["changed"]
    sent = request.json()
    assert isinstance(sent, dict)
    config = sent["generation_config"]
    assert isinstance(config, dict)
    assert config["thinking_level"] == "minimal"


def test_chat_and_stream_differ_in_one_field() -> None:
    chat, stream = build_request(tools=[WEATHER]), build_request(tools=[WEATHER], stream=True)
    assert chat.url == stream.url == "https://generativelanguage.googleapis.com/v1beta/interactions"
    assert stream.json() == {**build_body(tools=[WEATHER]), "stream": True}
    assert chat.headers["x-goog-api-key"] == "<secret>"


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "any"),
        ({"name": "weather"}, {"allowed_tools": {"mode": "any", "tools": ["weather"]}}),
    ],
)
def test_tools_are_flat_and_chosen_in_the_configuration(choice: Any, wanted: Any) -> None:
    sent = build_body(tools=[WEATHER], tool_choice=choice)
    assert sent["tools"] == [
        {"type": "function", "name": "weather", "description": "The weather", "parameters": WEATHER.parameters}
    ]
    assert sent["generation_config"]["tool_choice"] == wanted


def test_server_side_tools_are_sent_alongside_the_callers_tools() -> None:
    sent = build_body(tools=[WEATHER], extra_body={"tools": [{"type": "code_execution"}]})
    assert [tool["type"] for tool in sent["tools"]] == ["function", "code_execution"]


def test_instructions_are_separate_from_the_steps() -> None:
    messages = [Message(role="system", content="Be brief."), *HI, Message(role="developer", content="In French.")]
    sent = build_body(messages)
    assert sent["system_instruction"] == "Be brief.\n\nIn French."
    assert sent["input"] == BARE["input"]


def test_instructions_alone_are_rejected() -> None:
    fault = get_fault([Message(role="system", content="Be brief.")])
    assert type(fault).__name__ == "InvalidRequest"


def test_media_are_content_of_their_kind() -> None:
    parts: list[Part] = [
        TextPart(text="Look:"),
        ImagePart(data=b"abc", media_type="image/png", detail="low"),
        ImagePart(url="https://example.com/a.png"),
        AudioPart(data=b"RIFF", media_type="audio/wav"),
        FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
        FilePart(url="https://example.com/a.mp4", media_type="video/mp4"),
    ]
    (step,) = build_body([Message(role="user", content=parts)])["input"]
    assert step["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image", "data": "YWJj", "mime_type": "image/png", "resolution": "low"},
        {"type": "image", "uri": "https://example.com/a.png"},
        {"type": "audio", "data": "UklGRg==", "mime_type": "audio/wav"},
        {"type": "document", "data": "JVBERg==", "mime_type": "application/pdf"},
        {"type": "video", "uri": "https://example.com/a.mp4", "mime_type": "video/mp4"},
    ]
