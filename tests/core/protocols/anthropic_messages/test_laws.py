"""The laws of a stream, for any message."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_search_blocks,
    build_text,
    build_thinking,
    call,
    encode_sse,
    events,
    read_completion,
    read_response,
    read_stream,
)
from tests.core.protocols.anthropic_messages.requests import build_body
from tests.core.protocols.results import join_chunks
from tests.example_counts import scale_examples
from victor_fp.core.types import Message

WORDS = st.text(max_size=12)
SIGNATURES = st.text(alphabet="ABCdef012+/=", min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
INPUTS = st.dictionaries(WORDS, JSON, max_size=3)
CITATION = st.fixed_dictionaries({"type": st.just("char_location"), "cited_text": WORDS})
ONE_BLOCK = st.one_of(
    st.builds(build_text, WORDS),
    st.builds(
        lambda said, found: build_text(said, citations=found),
        st.text(min_size=1, max_size=9),
        st.lists(CITATION, min_size=1, max_size=2),
    ),
    st.builds(build_thinking, WORDS, SIGNATURES),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, SIGNATURES),
    st.builds(lambda more: {"type": "yet_unknown", "more": more}, JSON),
).map(lambda block: [block])
SEARCH = st.builds(lambda query: build_search_blocks(query, "https://a.example/1"), WORDS)
COUNTS = st.integers(0, 10**6)
USAGES = st.fixed_dictionaries(
    {"input_tokens": COUNTS, "output_tokens": COUNTS},
    optional={"cache_read_input_tokens": COUNTS, "cache_creation_input_tokens": COUNTS},
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    groups = draw(st.lists(ONE_BLOCK | SEARCH, max_size=4))
    inputs = draw(st.lists(INPUTS, max_size=3))
    calls = [call(f"toolu_{place}", "tool", **given_) for place, given_ in enumerate(map(_rename_fields, inputs))]
    reasons = ["tool_use"] if calls else ["end_turn", "max_tokens", "pause_turn", "refusal", "yet_unknown"]
    return build_message(
        *(block for group in groups for block in group),
        *calls,
        stop=draw(st.sampled_from(reasons)),
        usage=draw(st.none() | USAGES),
    )


def _rename_fields(given_: dict[str, Any]) -> dict[str, Any]:
    """Names that do not collide with the helper's own."""
    return {f"x{name}": value for name, value in given_.items()}


@settings(max_examples=scale_examples(80), deadline=None)
@given(messages(), st.integers(1, 5))
def test_a_stream_folds_to_the_same_response_as_its_body(whole: dict[str, Any], size: int) -> None:
    assert join_chunks(read_stream(encode_sse(events(whole, size=size)))) == {"content": "", **read_response(whole)}


@settings(max_examples=scale_examples(50), deadline=None)
@given(messages(), st.integers(1, 40))
def test_chunk_boundaries_do_not_change_the_response(whole: dict[str, Any], size: int) -> None:
    data = encode_sse(events(whole))
    assert read_stream(data, size=size) == read_stream(data)


@settings(max_examples=scale_examples(50), deadline=None)
@given(messages(), st.data())
def test_a_stream_cut_before_its_stop_reason_is_truncated(whole: dict[str, Any], data: st.DataObject) -> None:
    story = events(whole)
    kept = data.draw(st.integers(0, len(story) - 3))
    last = read_stream(encode_sse(story[:kept]))[-1]
    assert last["fault"] == "StreamTruncated"


@settings(max_examples=scale_examples(80), deadline=None)
@given(messages())
def test_signed_and_encrypted_content_is_sent_back_unmodified(whole: dict[str, Any]) -> None:
    answer = read_completion(whole).to_message()
    results = [
        Message(role="tool", tool_call_id=block["id"], content="ok")
        for block in whole["content"]
        if block["type"] == "tool_use"
    ]
    turns = [Message(role="user", content="Go"), answer, *results, Message(role="user", content="On")]
    sent = [turn["content"] for turn in build_body(turns)["messages"] if turn["role"] == "assistant"]
    blocks = sent[0] if sent and isinstance(sent[0], list) else []
    # Plain texts that follow each other may be joined; everything with state is whole and in place.
    assert [block for block in blocks if block["type"] != "text" or "citations" in block] == [
        block for block in whole["content"] if block["type"] != "text" or block.get("citations")
    ]


@settings(max_examples=scale_examples(50), deadline=None)
@given(messages(), st.data())
def test_extra_fields_and_unknown_events_are_ignored(whole: dict[str, Any], data: st.DataObject) -> None:
    story = events(whole)
    place = data.draw(st.integers(0, len(story)))
    odd = [{"type": "yet_unknown", "index": 0}, {"type": "content_block_delta", "index": 0, "delta": {"type": "aura"}}]
    spiced = [{**event, "novelty": {"deep": [1]}} for event in [*story[:place], *odd, *story[place:]]]
    assert join_chunks(read_stream(encode_sse(spiced))) == join_chunks(read_stream(encode_sse(story)))


@settings(max_examples=scale_examples(50), deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_and_no_event_raises(data: bytes) -> None:
    assert read_response(data)
    assert read_response(data, status=500)["fault"]
    assert read_stream(b"data: " + data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n\n")
