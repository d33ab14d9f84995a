"""Decoded messages, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_search_blocks,
    build_text,
    build_thinking,
    call,
    encode_sse,
    events,
    read_response,
    read_stream,
)
from tests.core.protocols.results import join_chunks

CITED = {
    "type": "web_search_result_location",
    "url": "https://a.example/1",
    "title": "T",
    "encrypted_index": "Ei1",
    "cited_text": "sky",
}
CACHED = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 3},
    "service_tier": "standard",
    "server_tool_use": {"web_search_requests": 1},
}
DECLINED = {"type": "refusal", "category": "bio", "explanation": "Declined by a safety classifier."}

ANSWERS: dict[str, dict[str, Any]] = {
    "text": build_message(build_text("Hello there")),
    "several texts": build_message(build_text("One. "), build_text("Two.")),
    "length": build_message(build_text("Once upon"), stop="max_tokens"),
    "context window": build_message(build_text("Once"), stop="model_context_window_exceeded"),
    "stop sequence": build_message(build_text("1, 2"), stop="stop_sequence", stop_sequence=", 3"),
    "empty": build_message(),
    "tools": build_message(build_text("Let me look."), call("toolu_1", "weather", city="Paris"), stop="tool_use"),
    "parallel tools": build_message(
        call("toolu_1", "weather", city="Paris"), call("toolu_2", "weather", city="Oslo"), stop="tool_use"
    ),
    "tool without input": build_message(call("toolu_1", "now"), stop="tool_use"),
    "thinking": build_message(build_thinking("Let me see.", "Sig=="), build_text("Yes")),
    "thinking kept from us": build_message(build_thinking("", "Sig=="), build_text("Yes")),
    "thinking, redacted, then a tool": build_message(
        build_thinking("Hm.", "SigA"),
        {"type": "redacted_thinking", "data": "Enc+/="},
        call("toolu_1", "weather", city="Rome"),
        stop="tool_use",
    ),
    "two thoughts": build_message(
        build_thinking("First.", "SigA"), build_thinking("Second.", "SigB"), build_text("Done")
    ),
    "refusal": build_message(stop="refusal", stop_details=DECLINED),
    "paused": build_message(*build_search_blocks("sky", "https://a.example/1"), stop="pause_turn"),
    "search with citations": build_message(
        build_text("Looking."),
        *build_search_blocks("sky", "https://a.example/1"),
        build_text("It is blue.", citations=[CITED]),
        build_text(" Yes."),
    ),
    "a call made by code that the vendor runs": build_message(
        {**call("toolu_1", "query", sql="1"), "caller": {"type": "code_execution_20260120", "tool_id": "srv_1"}},
        stop="tool_use",
    ),
    "a block nobody knows": build_message(
        {"type": "hologram", "beams": [1, 2], "text": "no text of ours"}, build_text("Hi")
    ),
    "a reason nobody knows": build_message(build_text("Hm"), stop="tired"),
    "cache": build_message(build_text("Hi"), usage=CACHED),
    "no usage": build_message(build_text("Hi"), usage=None),
    "container": build_message(build_text("Hi"), container={"id": "container_1", "expires_at": "2026-11-22T12:00:00Z"}),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_a_message_is_decoded(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_response(ANSWERS[name])


@EACH
def test_a_stream_gives_the_same_response_as_the_body(name: str) -> None:
    whole = read_response(ANSWERS[name])
    chunks = read_stream(encode_sse(events(ANSWERS[name])))
    assert join_chunks(chunks) == {"content": "", **whole}
    assert [chunk.get("is_final", False) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_chunks_of_a_stream(snapshot: SnapshotAssertion) -> None:
    story = build_message(
        build_thinking("Let me", "Sig"),
        build_text("On it."),
        call("toolu_1", "weather", city="Rome"),
        stop="tool_use",
        usage=CACHED,
    )
    assert snapshot == read_stream(encode_sse(events(story, size=8)))


def test_an_error_body_is_classified(snapshot: SnapshotAssertion) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}
    assert snapshot == read_response(body, status=529)


def test_a_truncated_stream_keeps_partial_content(snapshot: SnapshotAssertion) -> None:
    story = build_message(build_thinking("Hm", "Sig"), build_text("Half of"), call("toolu_1", "weather", city="Rome"))
    cut = [event for event in events(story) if event["type"] not in ("message_delta", "message_stop")][:-2]
    assert snapshot == read_stream(encode_sse(cut))[-1]
