"""The laws of a stream, for any response."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.protocols.openai_responses.answers import (
    build_custom_call,
    build_message,
    build_reasoning,
    build_refusal,
    build_search_call,
    build_text,
    call,
    encode_sse,
    events,
    read,
    read_message,
    read_stream,
    response,
)
from tests.core.protocols.openai_responses.requests import HI, THINKER, build_items
from tests.example_counts import scale_examples
from victor_fp.core.types import Message

SAID = st.text(min_size=1, max_size=10)
WORDS = st.text(max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
CITATION = st.fixed_dictionaries({"type": st.just("url_citation"), "url": WORDS})
PARTS = st.one_of(
    st.builds(build_refusal, SAID),
    st.builds(lambda said, cited: build_text(said, *cited), SAID, st.lists(CITATION, max_size=2)),
)
ARGUMENTS = st.dictionaries(WORDS, JSON, max_size=3).map(json.dumps)
ITEMS = st.one_of(
    st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: build_message(*parts)),
    st.lists(PARTS, min_size=1, max_size=2).map(lambda parts: build_message(*parts, phase="commentary")),
    st.lists(SAID, max_size=3).map(lambda parts: build_reasoning(*parts)),
    st.builds(call, st.just("weather"), ARGUMENTS),
    st.builds(lambda words: build_custom_call("shout", f"!{words}"), WORDS),
    st.builds(build_search_call, WORDS),
    JSON.map(lambda more: {"type": "yet_unknown", "id": "", "more": more, "less": None}),
)
REASONS = st.sampled_from([None, "max_output_tokens", "content_filter", "yet_unknown"])
COUNTS = st.fixed_dictionaries({}, optional={"input_tokens": st.integers(0, 99), "output_tokens": st.integers(0, 99)})


@st.composite
def responses(draw: st.DrawFn) -> dict[str, Any]:
    """Any output, its items with ids of their own."""
    output = []
    for number, item in enumerate(draw(st.lists(ITEMS, max_size=5))):
        numbered = {**item, "id": f"it_{number}"}
        output.append({**numbered, "call_id": f"call_{number}"} if "call_id" in item else numbered)
    reason = draw(REASONS)
    details = {} if reason is None else {"status": "incomplete", "incomplete_details": {"reason": reason}}
    return response(*output, usage=draw(st.none() | COUNTS), **details)


def build_results(answer: Message) -> list[Message]:
    return [Message(role="tool", tool_call_id=made["id"], content="ok") for made in answer.tool_calls or ()]


def build_replayed_item(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is sent back: without nulls, and without generated fields that the vendor does not read."""
    back = {name: value for name, value in item.items() if value is not None}
    if item["type"] == "message":
        parts = [{name: value for name, value in part.items() if name != "logprobs"} for part in item["content"]]
        return {**back, "content": parts}
    if item["type"] == "function_call":
        return {**{k: v for k, v in back.items() if k != "status"}, "arguments": json.loads(item["arguments"])}
    return back


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses())
def test_a_stream_folds_to_the_same_response_as_its_body(whole: dict[str, Any]) -> None:
    assert read_stream(encode_sse(events(whole))) == read(whole)


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses(), st.integers(1, 60))
def test_chunk_boundaries_do_not_change_the_response(whole: dict[str, Any], size: int) -> None:
    data = encode_sse(events(whole))
    assert read_stream(data, size=size) == read_stream(data)


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses(), st.data())
def test_a_stream_cut_before_its_end_is_truncated(whole: dict[str, Any], data: st.DataObject) -> None:
    story = events(whole)
    kept = data.draw(st.integers(0, len(story) - 1))
    assert read_stream(encode_sse(story[:kept]))["fault"] == "StreamTruncated"


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses())
def test_everything_is_sent_back_to_its_vendor_unmodified_and_in_order(whole: dict[str, Any]) -> None:
    answer = read_message(whole)
    sent = build_items(HI, answer, *build_results(answer), HI, model=THINKER)[1:-1]
    back = [build_replayed_item(item) for item in sent if not item["type"].endswith("_output")]
    assert back == [build_replayed_item(item) for item in whole["output"]]


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses(), st.randoms(use_true_random=False))
def test_items_whose_events_are_mixed_stay_apart(whole: dict[str, Any], luck: Any) -> None:
    first, _, *reported, last = events(whole)
    queues = [[event for event in reported if event["output_index"] == place] for place in range(len(whole["output"]))]
    mixed = []
    while queues := [queue for queue in queues if queue]:
        mixed.append(luck.choice(queues).pop(0))
    got, want = read_stream(encode_sse([first, *mixed, last])), read(whole)
    assert sorted(got.get("tool_calls", []), key=str) == sorted(want.get("tool_calls", []), key=str)
    assert (got["stop_reason"], got.get("usage")) == (want["stop_reason"], want.get("usage"))
    assert sorted(got["content"]) == sorted(want["content"])


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses(), st.randoms(use_true_random=False))
def test_reasoning_is_sent_back_completely_and_once_for_any_event_order(whole: dict[str, Any], luck: Any) -> None:
    first, _, *reported, last = events(whole)
    ends = [event for event in reported if event["type"].endswith("item.done")]
    luck.shuffle(ends)
    # As llama.cpp sends them: the ends of all items behind everything else.
    late = [*[event for event in reported if event not in ends], *ends]
    state = read_stream(encode_sse([first, *late, last])).get("metadata", {}).get("provider_state")
    content = read(whole)["content"]
    answer = read_message(whole).model_copy(update={"metadata": {"provider_state": state}, "content": content})
    sent = build_items(HI, answer, *build_results(answer), HI, model=THINKER)
    thoughts = [build_replayed_item(item) for item in whole["output"] if item["type"] == "reasoning"]
    assert [item for item in sent if item["type"] == "reasoning"] == thoughts


@settings(max_examples=scale_examples(60), deadline=None)
@given(responses(), st.data())
def test_extra_fields_and_unknown_events_are_ignored(whole: dict[str, Any], data: st.DataObject) -> None:
    story = events(whole)
    place = data.draw(st.integers(0, len(story)))
    odd = [
        {"type": "response.yet_unknown", "output_index": 0},
        {"type": "response.output_text.delta", "output_index": 99},
    ]
    spiced = [{**event, "novelty": {"deep": [1]}} for event in [*story[:place], odd[0], *story[place:]]]
    assert read_stream(encode_sse(spiced)) == read_stream(encode_sse(story))


@settings(max_examples=scale_examples(60), deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_and_no_event_raises(data: bytes) -> None:
    assert read_stream(data)
    assert read_stream(b"data: " + data.replace(b"\n", b"") + b"\n\n")
    assert read(data.decode("latin-1"))


@settings(max_examples=scale_examples(60), deadline=None)
@given(
    st.lists(
        JSON | st.sampled_from([event["type"] for event in events(response(build_message("x"), build_reasoning("y")))]),
        max_size=4,
    ),
    JSON,
)
def test_events_of_the_right_kind_and_the_wrong_shape_raise_nothing(kinds: list[Any], filling: Any) -> None:
    names = ("item", "response", "delta", "part", "output_index", "item_id", "content_index", "annotation", "error")
    frames = [{"type": kind, **dict.fromkeys(names, filling)} for kind in kinds if isinstance(kind, str)]
    assert read_stream(
        encode_sse([frame for frame in frames if frame["type"].isascii() and frame["type"].isprintable()])
    )
