"""Conversations sent to Cohere: roles, parts, results, and what is sent back of earlier responses."""

from __future__ import annotations

import json

import pytest

from tests.core.protocols.cohere_v2.answers import answer, build_text, build_thought, call
from tests.core.protocols.cohere_v2.requests import HI, PLAIN, THINKING, WEATHER, build_turns, get_refusal
from victor_fp import replay
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

CALLS = [{"id": "w_1", "name": "weather", "arguments": {"city": "Rome"}}]
RESULT = Message(role="tool", tool_call_id="w_1", content="sunny")


def turn(**more: object) -> Message:
    return Message.model_validate({"role": "assistant", **more})


def test_instructions_keep_their_position() -> None:
    said = build_turns(Message(role="system", content="Be brief"), HI, Message(role="developer", content="Be kind"))
    assert [(one["role"], one["content"]) for one in said] == [
        ("system", "Be brief"),
        ("user", "Hi"),
        ("system", "Be kind"),
    ]


def test_a_turn_with_calls_and_its_result() -> None:
    assert build_turns(HI, turn(tool_calls=CALLS), RESULT)[1:] == [
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "w_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "w_1", "content": "sunny"},
    ]


def test_text_with_calls_is_kept() -> None:
    assert build_turns(HI, turn(content="One moment", tool_calls=CALLS), RESULT)[1]["content"] == "One moment"


@pytest.mark.parametrize(
    ("content", "is_error", "sent"),
    [
        ("", False, "(no output)"),
        ("boom", True, "Error: boom"),
        ("Error: boom", True, "Error: boom"),
        ("", True, "Error"),
    ],
)
def test_failed_results_are_marked_in_the_text(content: str, is_error: bool, sent: str) -> None:
    result = Message(role="tool", tool_call_id="w_1", content=content, is_error=is_error)
    assert build_turns(HI, turn(tool_calls=CALLS), result)[2]["content"] == sent


def test_images_are_sent_by_url_and_by_value() -> None:
    seen = Message(
        role="user",
        content=[
            TextPart(text="What is it?"),
            ImagePart(url="https://a.example/cat.png", detail="low"),
            ImagePart(data=b"\x00\x01", media_type="image/png"),
        ],
    )
    assert build_turns(seen)[0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "https://a.example/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAE="}},
    ]


@pytest.mark.parametrize(
    "part", [AudioPart(data=b"x", media_type="audio/wav"), FilePart(data=b"x", media_type="application/pdf")]
)
def test_audio_and_files_are_rejected(part: AudioPart | FilePart) -> None:
    assert get_refusal([Message(role="user", content=[part])]) == ("UnsupportedParameter", part.type)


def test_thinking_and_plans_are_sent_back_in_their_position() -> None:
    whole = answer(
        build_thought("I need the weather."),
        build_text("One moment."),
        tool_plan="I will look.",
        tool_calls=[call("w_1", "weather", '{"city": "Rome"}')],
        finish="TOOL_CALL",
    )
    response = replay.response("cohere", 200, {}, json.dumps(whole).encode()).unwrap()
    assert (response.metadata or {})["tool_plan"] == "I will look."
    back = build_turns(HI, response.to_message(), RESULT, model=THINKING, tools=[WEATHER])[1]
    assert back == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "I need the weather."},
            {"type": "text", "text": "One moment."},
        ],
        "tool_plan": "I will look.",
        "tool_calls": [
            {"id": "w_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
        ],
    }


def test_thinking_is_not_sent_back_to_a_model_without_thinking() -> None:
    whole = answer(build_thought("Hm"), build_text("Yes"))
    response = replay.response("cohere", 200, {}, json.dumps(whole).encode()).unwrap()
    assert build_turns(HI, response.to_message(), HI, model=PLAIN)[1] == {"role": "assistant", "content": "Yes"}


def test_a_turn_of_another_vendor_is_sent_as_text_and_calls() -> None:
    state = {
        "protocol": "anthropic-messages",
        "blocks": [{"kind": "reasoning", "text": "Hm", "state": {"signature": "x"}}, {"kind": "text", "text": "Yes"}],
    }
    said = Message(role="assistant", content="Yes", metadata={"provider_state": state})
    assert build_turns(HI, said, HI, model=THINKING)[1] == {"role": "assistant", "content": "Yes"}


def test_arguments_that_are_not_json_are_sent_back_unmodified() -> None:
    broken = [{"id": "w_1", "name": "weather", "arguments": '{"ci'}]
    assert build_turns(HI, turn(tool_calls=broken), RESULT)[1]["tool_calls"][0]["function"]["arguments"] == '{"ci'


def test_an_empty_turn_is_omitted() -> None:
    assert [one["role"] for one in build_turns(HI, turn(content=""), HI)] == ["user", "user"]
