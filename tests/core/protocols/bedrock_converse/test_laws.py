"""The laws of a stream, for any answer."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import aws_frames
from tests.core.protocols.bedrock_converse.answers import (
    answer,
    build_cited_text,
    build_code_blocks,
    build_redacted_thought,
    build_text,
    build_thought,
    call,
    encode_frames,
    events,
    read_completion,
    read_response,
    read_stream,
)
from tests.core.protocols.bedrock_converse.requests import build_body
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
INPUTS = st.dictionaries(WORDS.map(lambda name: f"x{name}"), JSON, max_size=3)
CITATION = st.fixed_dictionaries({"title": WORDS})
ONE_BLOCK = st.one_of(
    st.builds(build_text, WORDS),
    st.builds(lambda said, found: build_cited_text(said, *found), WORDS, st.lists(CITATION, min_size=1, max_size=2)),
    st.builds(build_thought, WORDS, st.none() | SIGNATURES),
    st.builds(lambda blob: build_redacted_thought(b64encode(blob).decode()), st.binary(min_size=1, max_size=9)),
    st.builds(lambda more: {"yetUnknown": {"more": more}}, JSON),
).map(lambda block: [block])
CODE = st.builds(build_code_blocks, WORDS, WORDS)
COUNTS = st.integers(0, 10**6)
USAGES = st.fixed_dictionaries(
    {"inputTokens": COUNTS, "outputTokens": COUNTS, "totalTokens": COUNTS},
    optional={"cacheReadInputTokens": COUNTS, "cacheWriteInputTokens": COUNTS},
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    groups = draw(st.lists(ONE_BLOCK | CODE, max_size=4))
    inputs = draw(st.lists(INPUTS, max_size=3))
    calls = [call(f"tooluse_{place}", "tool", **given_) for place, given_ in enumerate(inputs)]
    reasons = ["tool_use"] if calls else ["end_turn", "max_tokens", "guardrail_intervened", "yet_unknown"]
    return answer(
        *(block for group in groups for block in group),
        *calls,
        stop=draw(st.sampled_from(reasons)),
        usage=draw(st.none() | USAGES),
    )


@settings(max_examples=scale_examples(80), deadline=None)
@given(answers(), st.integers(1, 5))
def test_a_stream_folds_to_the_same_response_as_its_body(whole: dict[str, Any], size: int) -> None:
    assert join_chunks(read_stream(encode_frames(events(whole, size=size)))) == {"content": "", **read_response(whole)}


@settings(max_examples=scale_examples(50), deadline=None)
@given(answers(), st.integers(1, 40))
def test_chunk_boundaries_do_not_change_the_response(whole: dict[str, Any], size: int) -> None:
    data = encode_frames(events(whole))
    assert read_stream(data, size=size) == read_stream(data)


@settings(max_examples=scale_examples(50), deadline=None)
@given(answers(), st.data())
def test_a_stream_cut_before_its_stop_reason_is_truncated(whole: dict[str, Any], data: st.DataObject) -> None:
    story = encode_frames(events(whole)[:-2])
    last = read_stream(story[: data.draw(st.integers(0, len(story)))])[-1]
    assert last["fault"] == "StreamTruncated"


@settings(max_examples=scale_examples(80), deadline=None)
@given(answers())
def test_signed_and_redacted_content_is_sent_back_unmodified(whole: dict[str, Any]) -> None:
    content = whole["output"]["message"]["content"]
    own = [block["toolUse"] for block in content if "toolUse" in block]
    results = [Message(role="tool", tool_call_id=use["toolUseId"], content="ok") for use in own if "type" not in use]
    turns = [
        Message(role="user", content="Go"),
        read_completion(whole).to_message(),
        *results,
        Message(role="user", content="On"),
    ]
    sent = [turn["content"] for turn in build_body(turns)["messages"] if turn["role"] == "assistant"]
    # Plain texts that follow each other may be joined; everything with state is whole and in place.
    assert [block for block in (sent[0] if sent else []) if "text" not in block] == [
        block for block in content if is_sent_back(block)
    ]


def is_sent_back(block: dict[str, Any]) -> bool:
    match block:
        case {"text": _}:
            return False
        case {"reasoningContent": {"reasoningText": said}}:
            return "signature" in said
        case {"citationsContent": {"content": [{"text": said}]}}:
            return bool(said)
        case _:
            return True


@settings(max_examples=scale_examples(50), deadline=None)
@given(answers(), st.data())
def test_extra_fields_and_unknown_events_are_ignored(whole: dict[str, Any], data: st.DataObject) -> None:
    story = events(whole)
    place = data.draw(st.integers(0, len(story)))
    spiced = [*story[:place], ("yetUnknown", {"contentBlockIndex": 0}), *story[place:]]
    frames = encode_frames((name, {**value, "novelty": {"deep": [1]}}) for name, value in spiced)
    assert join_chunks(read_stream(frames)) == join_chunks(read_stream(encode_frames(story)))


@settings(max_examples=scale_examples(50), deadline=None)
@given(
    st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        ["contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "throttlingException"]
    ),
)
def test_no_body_and_no_event_raises(data: bytes, name: str) -> None:
    assert read_response(data)
    assert read_response(data, status=500)["fault"]
    assert read_stream(data) or not data
    assert read_stream(aws_frames.encode_message(data, event_type=name, message_type="event"))
