"""Conversations in Mistral's roles, and what of a response is sent back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.mistral.answers import answer, build_reference, build_text, build_thought, call
from tests.core.protocols.mistral.requests import HI, build_replayed_message, build_turns, read_message
from tests.core.protocols.openai_chat.requests import build_body
from tests.example_counts import scale_examples
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

TOOL_REFERENCE = {"type": "tool_reference", "tool": "web_search", "title": "Rome", "url": "https://rome.example"}
CALLED = Message(role="assistant", tool_calls=[{"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}])
RESULT = Message(role="tool", tool_call_id="call_1", name="weather", content="rain")


def build_content(*parts: Any) -> Any:
    return build_turns(Message(role="user", content=list(parts)))[0]["content"]


def test_instructions_have_one_role() -> None:
    developer = Message(role="developer", content=[TextPart(text="a"), TextPart(text="b")])
    assert build_turns(Message(role="system", content="s"), developer, HI)[:2] == [
        {"role": "system", "content": "s"},
        {"role": "system", "content": [build_text("a"), build_text("b")]},
    ]


@pytest.mark.parametrize(
    ("part", "chunk"),
    [
        (
            ImagePart(url="https://a.example/cat.png", detail="low"),
            {"type": "image_url", "image_url": {"url": "https://a.example/cat.png", "detail": "low"}},
        ),
        (
            ImagePart(data=b"\x89PNG", media_type="image/png"),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        ),
        (AudioPart(data=b"RIFF", media_type="audio/wav"), {"type": "input_audio", "input_audio": "UklGRg=="}),
        (AudioPart(url="https://a.example/a.mp3"), {"type": "input_audio", "input_audio": "https://a.example/a.mp3"}),
        (
            FilePart(data=b"%PDF", media_type="application/pdf", filename="a.pdf"),
            {
                "type": "document_url",
                "document_url": "data:application/pdf;base64,JVBERg==",
                "document_name": "a.pdf",
            },
        ),
        (
            FilePart(url="https://a.example/a.pdf"),
            {"type": "document_url", "document_url": "https://a.example/a.pdf"},
        ),
    ],
)
def test_parts_are_chunks(part: Any, chunk: dict[str, Any]) -> None:
    assert build_content(TextPart(text="What?"), part) == [build_text("What?"), chunk]


def test_text_alone_is_text() -> None:
    assert build_content(TextPart(text="a")) == "a"
    assert build_content(TextPart(text="a"), TextPart(text="b")) == [build_text("a"), build_text("b")]


def test_a_call_and_its_result_get_an_id_of_nine_characters_and_the_tools_name() -> None:
    _, called, result = build_turns(HI, CALLED, RESULT)
    id_ = called["tool_calls"][0]["id"]
    assert (len(id_), id_.isalnum()) == (9, True)
    assert called == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
        ],
    }
    assert result == {"role": "tool", "tool_call_id": id_, "name": "weather", "content": "rain"}


def test_a_mistral_id_is_kept() -> None:
    own = answer("", "tool_calls", tool_calls=[call("abcDEF123", "weather", "{}")])
    assert build_replayed_message(own)["tool_calls"][0]["id"] == "abcDEF123"


def test_results_that_failed_or_come_in_parts() -> None:
    failed = RESULT.model_copy(update={"is_error": True})
    assert build_turns(HI, CALLED, failed)[2]["content"] == "Error: rain"
    parts = RESULT.model_copy(update={"content": [TextPart(text="a"), TextPart(text="b")]})
    assert build_turns(HI, CALLED, parts)[2]["content"] == [build_text("a"), build_text("b")]


def test_a_final_assistant_message_is_a_prefix() -> None:
    begun = Message(role="assistant", content="Dear")
    assert build_turns(HI, begun)[1] == {"role": "assistant", "content": "Dear", "prefix": True}
    assert "prefix" not in build_turns(HI, begun, HI)[1]


def test_thinking_is_sent_back_as_a_chunk() -> None:
    thinking = build_thought(build_text("rain?"))
    assert build_replayed_message(answer([thinking, build_text("Well.")]))["content"] == [
        {**thinking, "closed": True},
        build_text("Well."),
    ]


def test_a_signature_is_sent_back_on_its_thought() -> None:
    thoughts = [build_thought(build_text(words), closed=True, signature=words * 2) for words in ("a", "b")]
    assert build_replayed_message(answer([*thoughts, build_text("Well.")]))["content"] == [
        *thoughts,
        build_text("Well."),
    ]


def test_thinking_before_a_call_is_sent_back_with_it() -> None:
    whole = answer([build_thought(build_text("rain?"))], "tool_calls", tool_calls=[call("abcDEF123", "weather", "{}")])
    assert build_replayed_message(whole)["content"] == [build_thought(build_text("rain?"), closed=True)]
    assert len(build_replayed_message(whole)["tool_calls"]) == 1


def test_references_are_sent_back_in_their_positions() -> None:
    given = [build_text("Rome"), build_reference(1, 2), build_text(" is old"), build_reference("a3")]
    assert build_replayed_message(answer(given))["content"] == given


def test_references_in_thinking_are_sent_back_with_it() -> None:
    given = [build_thought(build_text("I looked."), TOOL_REFERENCE, build_reference(4)), build_text("Yes.")]
    assert build_replayed_message(answer(given))["content"] == [{**given[0], "closed": True}, given[1]]


def test_chunks_that_are_not_text_are_sent_back_unmodified() -> None:
    given = [
        build_text("See"),
        {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}},
        {"type": "image_url", "image_url": "https://a.example/b.png"},
        {"type": "document_url", "document_url": "https://a.example/a.pdf", "document_name": "a"},
        {"type": "file", "file_id": "f"},
        {"type": "input_audio", "input_audio": "UklGRg=="},
    ]
    assert build_replayed_message(answer(given))["content"] == given


def test_a_chunk_of_an_unknown_type_is_not_sent_back() -> None:
    assert build_replayed_message(answer([build_text("See"), {"type": "yet_unknown", "deep": [1]}]))["content"] == "See"


def test_text_that_was_edited_keeps_the_references() -> None:
    edited = read_message(answer([build_text("Rome"), build_reference(1)])).model_copy(update={"content": "Oslo"})
    assert build_turns(HI, edited, HI)[1]["content"] == [build_text("Oslo"), build_reference(1)]


def test_other_vendors_are_sent_the_text_only() -> None:
    given = read_message(
        answer([build_thought(build_text("rain?"), signature="s"), build_text("Rome"), build_reference(1)])
    )
    assert build_body("openai", [HI, given, HI])["messages"][1] == {"role": "assistant", "content": "Rome"}


IDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=30)


@settings(max_examples=scale_examples(80), deadline=None)
@given(st.lists(IDS, min_size=1, max_size=4, unique=True))
def test_ids_of_others_become_nine_characters_the_same_for_call_and_result(ids: list[str]) -> None:
    calls = [{"id": id_, "name": "weather", "arguments": {}} for id_ in ids]
    results = [Message(role="tool", tool_call_id=id_, content="ok") for id_ in ids]
    given = [HI, Message.model_validate({"role": "assistant", "tool_calls": calls}), *results]
    first, again = build_turns(*given), build_turns(*given)
    named = [one["id"] for one in first[1]["tool_calls"]]
    assert named == [result["tool_call_id"] for result in first[2:]]
    assert len(set(named)) == len(ids)
    assert all(len(name) == 9 and name.isascii() and name.isalnum() for name in named)
    assert json.dumps(first) == json.dumps(again)
