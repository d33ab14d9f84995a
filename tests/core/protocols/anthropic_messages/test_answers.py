"""Decoded messages, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.anthropic_messages.answers import (
    answered,
    call,
    events,
    joined,
    message,
    searched,
    sse,
    streamed,
    text,
    thinking,
)

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
    "text": message(text("Hello there")),
    "several texts": message(text("One. "), text("Two.")),
    "length": message(text("Once upon"), stop="max_tokens"),
    "context window": message(text("Once"), stop="model_context_window_exceeded"),
    "stop sequence": message(text("1, 2"), stop="stop_sequence", stop_sequence=", 3"),
    "empty": message(),
    "tools": message(text("Let me look."), call("toolu_1", "weather", city="Paris"), stop="tool_use"),
    "parallel tools": message(
        call("toolu_1", "weather", city="Paris"), call("toolu_2", "weather", city="Oslo"), stop="tool_use"
    ),
    "tool without input": message(call("toolu_1", "now"), stop="tool_use"),
    "thinking": message(thinking("Let me see.", "Sig=="), text("Yes")),
    "thinking kept from us": message(thinking("", "Sig=="), text("Yes")),
    "thinking, redacted, then a tool": message(
        thinking("Hm.", "SigA"),
        {"type": "redacted_thinking", "data": "Enc+/="},
        call("toolu_1", "weather", city="Rome"),
        stop="tool_use",
    ),
    "two thoughts": message(thinking("First.", "SigA"), thinking("Second.", "SigB"), text("Done")),
    "refusal": message(stop="refusal", stop_details=DECLINED),
    "paused": message(*searched("sky", "https://a.example/1"), stop="pause_turn"),
    "search with citations": message(
        text("Looking."), *searched("sky", "https://a.example/1"), text("It is blue.", citations=[CITED]), text(" Yes.")
    ),
    "a call made by code that the vendor runs": message(
        {**call("toolu_1", "query", sql="1"), "caller": {"type": "code_execution_20260120", "tool_id": "srv_1"}},
        stop="tool_use",
    ),
    "a block nobody knows": message({"type": "hologram", "beams": [1, 2], "text": "no text of ours"}, text("Hi")),
    "a reason nobody knows": message(text("Hm"), stop="tired"),
    "cache": message(text("Hi"), usage=CACHED),
    "no usage": message(text("Hi"), usage=None),
    "container": message(text("Hi"), container={"id": "container_1", "expires_at": "2026-11-22T12:00:00Z"}),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_a_message_is_decoded(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == answered(ANSWERS[name])


@EACH
def test_a_stream_gives_the_same_response_as_the_body(name: str) -> None:
    whole = answered(ANSWERS[name])
    chunks = streamed(sse(events(ANSWERS[name])))
    assert joined(chunks) == {"content": "", **whole}
    assert [chunk.get("is_final", False) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_chunks_of_a_stream(snapshot: SnapshotAssertion) -> None:
    story = message(
        thinking("Let me", "Sig"),
        text("On it."),
        call("toolu_1", "weather", city="Rome"),
        stop="tool_use",
        usage=CACHED,
    )
    assert snapshot == streamed(sse(events(story, size=8)))


def test_an_error_body_is_classified(snapshot: SnapshotAssertion) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}
    assert snapshot == answered(body, status=529)


def test_a_truncated_stream_keeps_partial_content(snapshot: SnapshotAssertion) -> None:
    story = message(thinking("Hm", "Sig"), text("Half of"), call("toolu_1", "weather", city="Rome"))
    cut = [event for event in events(story) if event["type"] not in ("message_delta", "message_stop")][:-2]
    assert snapshot == streamed(sse(cut))[-1]
