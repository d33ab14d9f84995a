"""A conversation as input items."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.protocols.openai_responses.requests import (
    CLASSIC,
    HI,
    build_adjusted_body,
    build_body,
    build_items,
    get_unsupported_parameter,
)
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PNG = b"\x89PNG"
CALLS: list[Any] = [
    {"id": "call_1", "name": "weather", "arguments": {"city": "Paris"}},
    {"id": "call_2", "name": "weather", "arguments": '{"ci'},
]


def build_input_message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content, **more}


def build_user_message(*parts: Any, **more: Any) -> Message:
    return Message(role="user", content=[*parts], **more)


# Instructions and users


def test_instructions_keep_their_position_and_role() -> None:
    conversation = [Message(role="system", content="A"), HI, Message(role="developer", content="B"), HI]
    assert [(item["role"], item["content"]) for item in build_items(*conversation)] == [
        ("system", "A"),
        ("user", "Hi"),
        ("developer", "B"),
        ("user", "Hi"),
    ]
    elsewhere = build_items(*conversation, provider="xai-responses")
    assert [item["role"] for item in elsewhere] == ["system", "user", "system", "user"]


def test_text_parts_of_instructions_are_input_text() -> None:
    assert build_items(Message(role="system", content=[TextPart(text="A"), TextPart(text="B")]), HI)[
        0
    ] == build_input_message("system", [{"type": "input_text", "text": "A"}, {"type": "input_text", "text": "B"}])


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            ImagePart(url="https://x.example/a.png", detail="low"),
            {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "low"},
        ),
        (
            ImagePart(data=PNG, media_type="image/png"),
            {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
        ),
        (
            FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
        (
            FilePart(data=b"a", media_type="text/plain"),
            {"type": "input_file", "filename": "file.txt", "file_data": "data:text/plain;base64,YQ=="},
        ),
        (
            FilePart(url="https://x.example/a.pdf"),
            {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        ),
        (
            FilePart(url="data:application/pdf;base64,JVBERg=="),
            {"type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
    ],
)
def test_an_attachment_becomes_a_part(part: Any, sent: dict[str, Any]) -> None:
    assert build_items(build_user_message(TextPart(text="See"), part)) == [
        build_input_message("user", [{"type": "input_text", "text": "See"}, sent])
    ]


def test_audio_is_sent_if_the_vendor_accepts_it() -> None:
    notified = build_user_message(AudioPart(data=b"RIFF", media_type="audio/wav"))
    assert get_unsupported_parameter([notified]) == "audio"
    assert build_adjusted_body([build_user_message(TextPart(text="Hear"), *notified.content)])[1] == [
        ("audio", "dropped")
    ]
    assert build_items(notified, provider="openrouter-responses") == [
        build_input_message("user", [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}])
    ]
    far = build_user_message(AudioPart(url="https://x.example/a.wav"))
    assert get_unsupported_parameter([far], provider="openrouter-responses") == "audio"


@pytest.mark.parametrize(
    ("provider", "part", "parameter"),
    [
        ("deepseek-responses", ImagePart(url="https://x.example/a.png"), "image"),
        ("llamacpp-responses", FilePart(url="https://x.example/a.pdf"), "file"),
        ("xai-responses", FilePart(url="https://x.example/a.pdf"), "file"),
    ],
)
def test_unsupported_parts_are_rejected(provider: str, part: Any, parameter: str) -> None:
    assert get_unsupported_parameter([build_user_message(part)], provider=provider) == parameter


def test_a_participant_name_is_rejected_or_dropped_visibly() -> None:
    named = [Message(role="user", name="Ann", content="Hi"), Message(role="user", name="Bob", content="Hi")]
    assert get_unsupported_parameter(named) == "name"
    assert build_adjusted_body(named)[1] == [("name", "dropped")]


# Tools


def test_calls_and_results_are_items_of_their_own() -> None:
    conversation = [
        HI,
        Message(role="assistant", content="Looking.", tool_calls=CALLS),
        Message(role="tool", tool_call_id="call_1", content="12C"),
        Message(role="tool", tool_call_id="call_2", content="no such city", is_error=True),
        Message(role="user", content="Thanks"),
    ]
    assert build_items(*conversation)[1:] == [
        build_input_message("assistant", "Looking."),
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": '{"ci'},
        {"type": "function_call_output", "call_id": "call_1", "output": "12C"},
        {"type": "function_call_output", "call_id": "call_2", "output": "Error: no such city"},
        build_input_message("user", "Thanks"),
    ]


def build_output(provider: str = "openai-responses", **fields: Any) -> Any:
    answered = Message(role="tool", tool_call_id="call_1", **fields)
    made = build_items(HI, Message(role="assistant", tool_calls=CALLS[:1]), answered, provider=provider)
    return made[-1]["output"]


def test_a_result_may_be_empty_but_for_a_vendor_that_refuses_that() -> None:
    assert build_output(content="") == ""
    assert build_output(content="", provider="deepseek-responses") == "(no output)"
    assert build_output(content="", is_error=True) == "Error"
    assert build_output(content="error 7", is_error=True) == "error 7"


def test_a_result_may_contain_images_and_files() -> None:
    parts = [
        TextPart(text="Here"),
        ImagePart(data=PNG, media_type="image/png"),
        FilePart(url="https://x.example/a.pdf"),
    ]
    shown = [
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
    ]
    assert build_output(content=parts) == [{"type": "input_text", "text": "Here"}, *shown]
    assert build_output(content=parts, is_error=True) == [{"type": "input_text", "text": "Error: Here"}, *shown]
    assert build_output(content=[TextPart(text="a"), TextPart(text="b")]) == "ab"


def test_images_in_a_result_that_is_text_only_move_to_a_user_message_visibly_or_are_refused() -> None:
    shown = [
        HI,
        Message(role="assistant", tool_calls=CALLS[:1]),
        Message(
            role="tool", tool_call_id="call_1", content=[TextPart(text="a"), ImagePart(url="https://x.example/a.png")]
        ),
    ]
    assert get_unsupported_parameter(shown, provider="xai-responses") == "messages.content"
    sent, changes = build_adjusted_body(shown, provider="xai-responses")
    result, following = sent["input"][-2:]
    assert (result["output"], changes) == ("a", [("messages.content", "changed")])
    assert [part["type"] for part in following["content"]] == ["input_text", "input_image"]


def test_an_id_that_is_too_long_is_shortened_in_call_and_result() -> None:
    long: list[Any] = [{"id": "x" * 65, "name": "weather", "arguments": {}}]
    conversation = [
        HI,
        Message(role="assistant", tool_calls=long),
        Message(role="tool", tool_call_id="x" * 65, content=""),
    ]
    _, given, answered = build_items(*conversation)
    assert given["call_id"] == answered["call_id"] != "x" * 65
    assert build_items(*conversation, provider="xai-responses")[1]["call_id"] == "x" * 65


# Caching


def test_marks_become_breakpoints_where_the_model_has_them() -> None:
    point = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    marked = [
        Message(role="system", content="Rules", cache=True),
        build_user_message(TextPart(text="Long"), ImagePart(url="https://x.example/a.png"), cache=True),
        Message(role="assistant", tool_calls=CALLS[:1]),
        Message(role="tool", tool_call_id="call_1", content="ok", cache=True),
    ]
    sent = build_items(*marked, model="gpt-5.6")
    assert sent[0]["content"] == [{"type": "input_text", "text": "Rules", **point}]
    assert [part.get("prompt_cache_breakpoint") for part in sent[1]["content"]] == [None, {"mode": "explicit"}]
    assert sent[-1]["output"] == [{"type": "input_text", "text": "ok", **point}]
    assert "prompt_cache_breakpoint" not in str(build_body(marked, model=CLASSIC))
