"""The laws of a stream, for any answer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.mistral.answers import (
    HEAD,
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
from tests.core.protocols.mistral.requests import build_replayed_message
from tests.example_counts import scale_examples

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(WORDS, st.none() | st.booleans() | st.integers(-9, 9) | WORDS, max_size=3)
IDS = st.lists(st.integers(0, 9) | WORDS, min_size=1, max_size=3)
FOUND = st.builds(lambda title: {"type": "tool_reference", "tool": "web_search", "title": title}, WORDS)
REFERENCES = st.builds(lambda ids: build_reference(*ids), IDS)
THOUGHTS = st.builds(
    lambda words, others, more: build_thought(build_text(words), *others, **more),
    WORDS,
    st.lists(FOUND | REFERENCES, max_size=2),
    st.fixed_dictionaries({}, optional={"signature": WORDS}),
)
IMAGES = st.builds(lambda url: {"type": "image_url", "image_url": url}, WORDS)
CONTENT = WORDS | st.lists(st.builds(build_text, WORDS) | THOUGHTS | REFERENCES | IMAGES, max_size=5) | st.just("")
COUNT = st.integers(0, 999)
USAGES = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "num_cached_tokens": st.none() | COUNT,
        "prompt_tokens_details": st.fixed_dictionaries({}, optional={"cached_tokens": COUNT}),
        "service_tier": WORDS,
    },
)
REASONS = st.sampled_from(["stop", "length", "model_length", "tool_calls", "yet_unknown"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def answers(draw: st.DrawFn, identified: bool = False) -> dict[str, Any]:
    with_ids = identified or draw(st.booleans())
    calls = [
        call(
            f"abcDEF{place:03}" if with_ids else None,
            f"f{place}",
            draw(st.sampled_from([arguments, json.dumps(arguments)])),
            place,
        )
        for place, arguments in enumerate(draw(st.lists(ARGUMENTS, max_size=3)))
    ]
    whole = answer(draw(CONTENT), draw(REASONS), draw(st.none() | USAGES), tool_calls=calls)
    head: dict[str, Any] = draw(
        st.sampled_from([HEAD, {"id": "", "created": 7}, {"id": None, "created": None, "model": None}])
    )
    return whole | head


@settings(max_examples=scale_examples(100), deadline=None)
@given(answers(), st.integers(1, 5))
def test_a_stream_folds_to_the_same_response_as_its_body(whole: dict[str, Any], size: int) -> None:
    assert read_stream(encode_sse(*events(whole, size))) == read(whole)


@settings(max_examples=scale_examples(60), deadline=None)
@given(answers(), st.integers(1, 40), st.booleans())
def test_chunk_boundaries_do_not_change_the_response(whole: dict[str, Any], size: int, done: bool) -> None:
    data = encode_sse(*events(whole), done=done)
    assert read_stream(data, size) == read_stream(data)


@settings(max_examples=scale_examples(60), deadline=None)
@given(answers(), st.data())
def test_a_truncated_stream_is_never_a_completion(whole: dict[str, Any], data: st.DataObject) -> None:
    *before, _ = events(whole)
    bytes_ = encode_sse(*before, done=False)
    kept = bytes_[: data.draw(st.integers(0, len(bytes_)))]
    assert read_stream(kept)["fault"] == "StreamTruncated"


@settings(max_examples=scale_examples(60), deadline=None)
@given(answers(), st.dictionaries(WORDS.map("x-".__add__), JSON, max_size=2), JSON)
def test_unknown_fields_never_fail_a_response(whole: dict[str, Any], odd: dict[str, Any], role: Any) -> None:
    known = read(whole)
    (choice,) = whole["choices"]
    message = {**choice["message"], **odd, "role": role}
    extended = {**whole, **odd, "object": role, "choices": [{**choice, **odd, "message": message}]}
    assert read(extended) == known
    strange = [{**event, **odd, "object": role} for event in events(whole)]
    assert read_stream(encode_sse(*strange)) == known


@settings(max_examples=scale_examples(60), deadline=None)
@given(answers(), st.data())
def test_any_value_anywhere_in_a_chunk_is_read_without_raising(whole: dict[str, Any], data: st.DataObject) -> None:
    (choice,) = whole["choices"]
    place = data.draw(st.sampled_from(["content", "tool_calls"]))
    odd = {**whole, "choices": [{**choice, "message": {**choice["message"], place: data.draw(JSON)}}]}
    assert read(odd)
    delta = {**HEAD, "choices": [{"index": 0, "delta": {place: data.draw(JSON)}, "finish_reason": None}]}
    assert read_stream(encode_sse(delta, *events(whole)))


@settings(max_examples=scale_examples(80), deadline=None)
@given(answers(identified=True))
def test_a_response_is_sent_back_unmodified(whole: dict[str, Any]) -> None:
    (choice,) = whole["choices"]
    message = choice["message"]
    if not message["tool_calls"] and not merge_texts(message["content"]):
        return  # an empty turn is omitted
    given_back = build_replayed_message(whole)
    assert [one["id"] for one in given_back.get("tool_calls", [])] == [one["id"] for one in message["tool_calls"]]
    assert merge_texts(given_back["content"]) == merge_texts(message["content"])


def merge_texts(content: str | list[dict[str, Any]]) -> list[Any]:
    """Texts that follow each other as one, and thoughts that follow each other unsigned, with what they refer to."""
    out: list[Any] = []
    for chunk in [build_text(content)] if isinstance(content, str) else content:
        if chunk["type"] == "text":
            if out and isinstance(out[-1], str):
                out[-1] += chunk["text"]
            elif chunk["text"]:
                out.append(chunk["text"])
        elif chunk["type"] == "thinking":
            words = "".join(piece["text"] for piece in chunk["thinking"] if piece["type"] == "text")
            others = [piece for piece in chunk["thinking"] if piece["type"] != "text"]
            if out and isinstance(out[-1], tuple) and out[-1][2] is None:
                words, others = out[-1][0] + words, out.pop()[1] + others
            out.append((words, others, chunk.get("signature")))
        else:
            out.append(chunk)
    return out
