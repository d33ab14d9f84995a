"""Accepted forms of messages and tools, and how others are rejected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.request_building.inputs import read_messages, read_tools
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart, ToolDefinition


def test_one_text_is_a_message_of_the_user() -> None:
    assert read_messages("Hi") == Success((Message(role="user", content="Hi"),))


def test_typed_messages_are_used_unmodified() -> None:
    message = Message(role="user", content="Hi")
    assert read_messages([message]).unwrap()[0] is message


def test_openai_dicts_become_the_same_messages() -> None:
    given_messages = [
        {"role": "developer", "content": "Be brief.", "name": None},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "See"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "2"},
    ]
    expected = (
        Message(role="developer", content="Be brief."),
        Message(
            role="user",
            content=[
                TextPart(text="See"),
                ImagePart(url="https://example.com/a.png", detail="low"),
                AudioPart(data=b"\x00\x01\x02", media_type="audio/wav"),
                FilePart(data=b"\x00", media_type="application/pdf", filename="a.pdf"),
            ],
        ),
        Message(role="assistant", tool_calls=[{"id": "1", "name": "f", "arguments": '{"x": 1}'}]),
        Message(role="tool", tool_call_id="1", content="2"),
    )
    assert read_messages(given_messages) == Success(expected)


@pytest.mark.parametrize(
    ("given_messages", "problem"),
    [
        ([{"role": "user"}], "messages[0]: content is missing"),
        ([1], "messages[0]: expected a message or a dict, got int"),
        (["Hi", {"role": "user", "content": "x"}], "messages[0]: expected a message or a dict, got str"),
        ([Message(role="user", content="x"), {"content": "x"}], "messages[1]: role: Field required"),
        ({"role": "user", "content": "x"}, "messages: expected messages, dicts or a string, got dict"),
        (None, "messages: expected messages, dicts or a string, got NoneType"),
    ],
)
def test_anything_else_is_described_with_its_index(given_messages: Any, problem: str) -> None:
    assert read_messages(given_messages) == Failure(InvalidRequest(message=problem))


def test_tools_in_both_spellings() -> None:
    tool = ToolDefinition(name="f", description="d", parameters={"type": "object"})
    flat = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert read_tools([tool, flat, {"type": "function", "function": flat}]) == Success((tool, tool, tool))
    assert read_tools([{"type": "function"}]).failure().message.startswith("tools[0]: ")
    assert read_tools([3]).failure().message == "tools[0]: expected a tool definition or a dict, got int"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "type", "text"]), inner)
    ),
    max_leaves=10,
)


@given(json_values)
def test_no_value_raises(value: Any) -> None:
    read_messages(value)
    read_tools(value)
    read_messages([value])
    read_tools([value])
