"""The laws of a stream, for any answer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.cohere_v2.answers import (
    answer,
    build_citation,
    call,
    encode_sse,
    events,
    read_response,
    read_stream,
)
from tests.core.protocols.cohere_v2.requests import HI, THINKING, WEATHER, build_turns
from tests.core.protocols.results import join_chunks
from tests.example_counts import scale_examples
from victor_fp import replay
from victor_fp.core.types import Message

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(WORDS, st.none() | st.booleans() | st.integers(-9, 9) | WORDS, max_size=3).map(json.dumps)
CONTENT = st.builds(lambda kind, words: {"type": kind, kind: words}, st.sampled_from(["text", "thinking"]), WORDS)
COUNTS = st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "reasoning_tokens"]), st.integers(0, 999))
USAGES = st.fixed_dictionaries({}, optional={"tokens": COUNTS, "billed_units": COUNTS, "cached_tokens": st.integers(0)})
REASONS = st.sampled_from(["COMPLETE", "MAX_TOKENS", "STOP_SEQUENCE", "TOOL_CALL", "YET_UNKNOWN"])


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    message: dict[str, Any] = {}
    if arguments := draw(st.lists(ARGUMENTS, max_size=3)):
        message["tool_calls"] = [call(f"call_{place}", "weather", text) for place, text in enumerate(arguments)]
        message["tool_plan"] = draw(st.text(max_size=9))
    if draw(st.booleans()):
        message["citations"] = [build_citation(0, 3, draw(WORDS))]
    return answer(*draw(st.lists(CONTENT, max_size=3)), finish=draw(REASONS), usage=draw(st.none() | USAGES), **message)


@settings(max_examples=scale_examples(80), deadline=None)
@given(answers(), st.integers(1, 5))
def test_a_stream_folds_to_the_same_response_as_its_body(whole: dict[str, Any], size: int) -> None:
    assert join_chunks(read_stream(encode_sse(events(whole, size=size)))) == read_response(whole)


@settings(max_examples=scale_examples(50), deadline=None)
@given(answers(), st.integers(1, 40))
def test_chunk_boundaries_do_not_change_the_response(whole: dict[str, Any], size: int) -> None:
    data = encode_sse(events(whole))
    assert read_stream(data, size=size) == read_stream(data)


@settings(max_examples=scale_examples(50), deadline=None)
@given(answers(), st.data())
def test_a_truncated_stream_is_never_a_completion(whole: dict[str, Any], data: st.DataObject) -> None:
    *before, _ = events(whole)
    bytes_ = encode_sse(before)
    kept = bytes_[: data.draw(st.integers(0, len(bytes_)))]
    assert read_stream(kept)[-1]["fault"] == "StreamTruncated"


@settings(max_examples=scale_examples(60), deadline=None)
@given(answers())
def test_a_response_is_sent_back_unmodified(whole: dict[str, Any]) -> None:
    response = replay.response("cohere", 200, {}, json.dumps(whole).encode()).unwrap()
    results = [Message(role="tool", tool_call_id=one["id"], content="ok") for one in response.tool_calls or ()]
    message = whole["message"]
    if not message.get("content") and not message.get("tool_calls"):
        return  # an empty turn is omitted
    back = build_turns(HI, response.to_message(), *results, model=THINKING, tools=[WEATHER])[1]
    assert [one["id"] for one in back.get("tool_calls", [])] == [one["id"] for one in message.get("tool_calls", [])]
    assert back.get("tool_plan", "") == message.get("tool_plan", "")
    content = back.get("content", [])
    said = [{"type": "text", "text": content}] if isinstance(content, str) else content
    assert merge_texts([one for one in said if one.get("text") != ""]) == merge_texts(message.get("content", []))


def merge_texts(content: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Texts that follow each other as one: without thinking between them, the boundaries are not kept."""
    out: list[tuple[str, str]] = []
    for block in content:
        kind = block["type"]
        if out and out[-1][0] == kind == "text":
            out[-1] = (kind, out[-1][1] + block[kind])
        else:
            out.append((kind, block[kind]))
    return out
