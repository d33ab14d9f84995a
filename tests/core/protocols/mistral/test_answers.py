"""Decoded Mistral responses, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.mistral.answers import (
    USAGE,
    answer,
    build_reference,
    build_text,
    build_thought,
    call,
    encode_sse,
    events,
    read,
    read_stream,
)

FOUND = {"type": "tool_reference", "tool": "web_search", "title": "Rome", "url": "https://rome.example"}
CACHED = {**USAGE, "prompt_tokens_details": {"cached_tokens": 8}, "service_tier": "default"}
ROME, OSLO = '{"city": "Rome"}', '{"city": "Oslo"}'

ANSWERS: dict[str, dict[str, Any]] = {
    "text": answer("Hello there", usage=USAGE),
    "text in chunks": answer([build_text("Hello "), build_text("there")]),
    "thinking": answer(
        [build_thought(build_text("Let me "), build_text("see."), closed=True), build_text("Yes")], usage=USAGE
    ),
    "thinking as a text": answer([{"type": "thinking", "thinking": "Let me see."}, build_text("Yes")]),
    "signed thinking": answer(
        [
            build_thought(build_text("Hm"), signature="c2ln"),
            build_thought(build_text("So"), signature="bmVk"),
            build_text("Yes"),
        ]
    ),
    "references": answer([build_text("Rome"), build_reference(1, 2), build_text(" is old"), build_reference("a3")]),
    "thinking that refers": answer(
        [build_thought(build_text("I looked."), FOUND, build_reference(4)), build_text("Yes")]
    ),
    "images and files": answer(
        [
            build_text("See"),
            {"type": "image_url", "image_url": "https://a.example/a.png"},
            {"type": "file", "file_id": "f"},
        ]
    ),
    "chunks of other kinds": answer([{"type": "yet_unknown", "deep": [1]}, {"type": "output_text", "text": "Hi"}]),
    "tools": answer("", "tool_calls", USAGE, tool_calls=[call("abcDEF123", "weather", ROME)]),
    "parallel tools": answer(
        "", "tool_calls", tool_calls=[call("abcDEF123", "weather", ROME), call("abcDEF124", "weather", OSLO)]
    ),
    "arguments as an object": answer("", "tool_calls", tool_calls=[call("abcDEF123", "weather", {"city": "Rome"})]),
    "calls without ids": answer(
        "", "tool_calls", tool_calls=[call("null", "now", "{}", 0), call(None, "weather", ROME, 1)]
    ),
    "text beside a call": answer("One moment.", "tool_calls", tool_calls=[call("abcDEF123", "now", "{}")]),
    "a call cut by length": answer("", "length", tool_calls=[call("abcDEF123", "weather", '{"ci')]),
    "length": answer("Once upon a", "length"),
    "the model's length": answer("Once upon a", "model_length"),
    "a reason nobody knows": answer("Hm", "bored"),
    "empty": answer(""),
    "cache": answer("Hi", usage=CACHED),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_a_body_is_normalised(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read(ANSWERS[name])


@EACH
@pytest.mark.parametrize("size", [1, 4, 99])
def test_a_stream_gives_the_same_response_as_its_body(name: str, size: int) -> None:
    assert read_stream(encode_sse(*events(ANSWERS[name], size))) == read(ANSWERS[name])


@EACH
@pytest.mark.parametrize("size", [1, 7])
def test_chunk_boundaries_do_not_change_the_response(name: str, size: int) -> None:
    data = encode_sse(*events(ANSWERS[name]))
    assert read_stream(data, size) == read_stream(data)
    assert read_stream(data.replace(b"\n", b"\r\n"), size) == read_stream(data)


def test_the_first_of_several_answers_counts() -> None:
    whole = answer("One")
    (first,) = whole["choices"]
    second = {**first, "index": 1, "message": {"role": "assistant", "content": "Two"}}
    assert read({**whole, "choices": [second, first]})["content"] == "One"


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"object": "chat.completion", "choices": None}, [], "text", None]
)
def test_a_body_without_an_answer_is_a_fault(body: object) -> None:
    assert read(body)["fault"] == "InvalidResponse"


def test_the_finish_reason_error_is_a_fault() -> None:
    broken = read(answer("Hi", "error"))
    assert (broken["fault"], broken["message"]) == ("ServerFailed", "the vendor reported an error without details")
