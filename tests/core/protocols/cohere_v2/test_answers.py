"""Decoded Cohere responses, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.cohere_v2.answers import (
    USAGE,
    answer,
    build_citation,
    build_text,
    build_thought,
    call,
    encode_sse,
    events,
    read_response,
    read_stream,
)
from tests.core.protocols.results import join_chunks

ROME, OSLO = '{"city": "Rome"}', '{"city": "Oslo"}'
REASONED = {**USAGE, "tokens": {**USAGE["tokens"], "reasoning_tokens": 5, "image_tokens": 3}}

ANSWERS: dict[str, dict[str, Any]] = {
    "text": answer(build_text("Hello there"), usage=USAGE),
    "tools": answer(
        finish="TOOL_CALL", tool_plan="I will look.", tool_calls=[call("weather_1", "weather", ROME)], usage=USAGE
    ),
    "parallel tools": answer(
        finish="TOOL_CALL", tool_calls=[call("w_1", "weather", ROME), call("w_2", "weather", OSLO)]
    ),
    "tools without arguments": answer(
        finish="TOOL_CALL", tool_calls=[call("n_1", "now", ""), call("n_2", "now", "{}")]
    ),
    "a call cut by length": answer(finish="MAX_TOKENS", tool_calls=[call("w_1", "weather", '{"ci')]),
    "text beside a call": answer(build_text("One moment."), finish="TOOL_CALL", tool_calls=[call("n_1", "now", "{}")]),
    "thinking": answer(build_thought("Let me see."), build_text("Yes"), usage=REASONED),
    "thinking and a call": answer(
        build_thought("I need the time."), finish="TOOL_CALL", tool_calls=[call("n_1", "now", "{}")]
    ),
    "citations": answer(build_text("Blue."), citations=[build_citation(0, 4, "Blue"), build_citation(4, 5, ".")]),
    "length": answer(build_text("Once upon a"), finish="MAX_TOKENS"),
    "a stop sequence": answer(build_text("One, two"), finish="STOP_SEQUENCE"),
    "empty": answer(),
    "a reason nobody knows": answer(build_text("Hm"), finish="BORED"),
    "usage without tokens": answer(build_text("Hi"), usage={"billed_units": {"search_units": 1.0}}),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_a_body_is_normalised(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_response(ANSWERS[name])


@EACH
def test_a_stream_gives_the_same_response_as_its_body(name: str) -> None:
    assert join_chunks(read_stream(encode_sse(events(ANSWERS[name])))) == read_response(ANSWERS[name])


@EACH
@pytest.mark.parametrize("size", [1, 7])
def test_chunk_boundaries_do_not_change_the_response(name: str, size: int) -> None:
    data = encode_sse(events(ANSWERS[name]))
    assert read_stream(data, size=size) == read_stream(data)
    assert read_stream(data.replace(b"\n", b"\r\n"), size=size) == read_stream(data)


def test_pieces_are_delivered_as_they_arrive(snapshot: SnapshotAssertion) -> None:
    both = answer(
        build_thought("Hm"), build_text("Hello"), finish="TOOL_CALL", tool_calls=[call("w_1", "weather", ROME)]
    )
    assert snapshot == read_stream(encode_sse(events(both, size=8)))[:-1]


@pytest.mark.parametrize("error", [None, "the model broke"])
@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
def test_a_failed_generation_is_a_fault(reason: str, error: str | None, snapshot: SnapshotAssertion) -> None:
    *before, _ = events(answer(build_text("Once")))
    end = {"type": "message-end", "delta": {"finish_reason": reason, "error": error, "usage": USAGE}}
    assert snapshot == read_stream(encode_sse([*before, end]))[-1]


def test_a_body_that_broke_is_a_fault() -> None:
    assert read_response(answer(build_text("Once"), finish="ERROR"))["fault"] == "ServerFailed"


@pytest.mark.parametrize("left_out", [1, 2, 5])
def test_a_truncated_stream_keeps_partial_content(left_out: int, snapshot: SnapshotAssertion) -> None:
    whole = answer(
        build_thought("Hm"), build_text("Hello"), tool_calls=[call("w_1", "weather", ROME)], finish="TOOL_CALL"
    )
    assert snapshot == read_stream(encode_sse(list(events(whole, size=8))[:-left_out]))[-1]


def test_done_alone_does_not_complete_a_stream() -> None:
    *before, end = events(answer(build_text("Hi")))
    assert read_stream(encode_sse(before) + b"data: [DONE]\n\n")[-1]["fault"] == "StreamTruncated"
    assert join_chunks(read_stream(encode_sse([*before, end]) + b"data: [DONE]\n\n"))["content"] == "Hi"


def test_log_probabilities_follow_each_other() -> None:
    items = [
        {"text": "He", "token_ids": [1, 2], "logprobs": [-0.5, -1.0]},
        {"text": "y", "token_ids": [3], "logprobs": [0]},
    ]
    body = answer(build_text("Hey")) | {"logprobs": items}
    start, opening, delta, *rest = events(answer(build_text("Hey")), size=9)
    split = [{**delta, "delta": {"message": {"content": {"text": item["text"]}}}, "logprobs": item} for item in items]
    assert read_response(body)["metadata"]["logprobs"] == [
        {"text": "He", "token_ids": [1, 2], "logprobs": [-0.5, -1.0]},
        {"text": "y", "token_ids": [3], "logprobs": [0]},
    ]
    assert join_chunks(read_stream(encode_sse([start, opening, *split, *rest]))) == read_response(body)


def test_interleaved_calls_stay_apart() -> None:
    whole = answer(finish="TOOL_CALL", tool_calls=[call("w_1", "weather", ROME), call("w_2", "weather", OSLO)])
    start, *middle, end = events(whole, size=4)
    one = [event for event in middle if event["index"] == 0]
    two = [event for event in middle if event["index"] == 1]
    mixed = [event for pair in zip(one, two, strict=True) for event in pair]
    assert join_chunks(read_stream(encode_sse([start, *mixed, end]))) == read_response(whole)


def test_calls_with_one_index_stay_apart() -> None:
    whole = answer(finish="TOOL_CALL", tool_calls=[call("w_1", "weather", ROME), call("w_2", "weather", OSLO)])
    same = [{**event, "index": 0} if "index" in event else event for event in events(whole)]
    assert join_chunks(read_stream(encode_sse(same))) == read_response(whole)


def test_calls_without_an_id_get_one_that_is_the_same_in_body_and_stream() -> None:
    calls: list[dict[str, Any]] = [call("", "now", "{}"), call("", "now", "{}")]
    whole = answer(finish="TOOL_CALL", tool_calls=calls)
    first, second = read_response(whole)["tool_calls"]
    assert first["id"]
    assert first["id"] != second["id"]
    assert join_chunks(read_stream(encode_sse(events(whole)))) == read_response(whole)


def test_unknown_events_blocks_and_fields_are_ignored() -> None:
    known = answer(build_text("Hi"), usage=USAGE)
    strange = {"type": "hologram-start", "index": 9, "delta": {"message": {"depth": 3}}}
    start, *rest = events(known)
    assert read_stream(encode_sse([start, strange, *rest])) == read_stream(encode_sse([start, *rest]))
    body = answer({"type": "hologram", "depth": 3}, {"type": "text", "text": "Hi", "mood": "good"}, usage=USAGE)
    assert read_response({**body, "weather": "fine"}) == read_response(known)


def test_numbers_in_another_spelling_are_read() -> None:
    usage = {"tokens": {"input_tokens": 80.0, "output_tokens": "11"}, "cached_tokens": None}
    assert read_response(answer(build_text("Hi"), usage=usage))["usage"] == {
        "prompt_tokens": 80,
        "completion_tokens": 11,
        "total_tokens": 91,
    }


@pytest.mark.parametrize("body", [{}, [], "text", {"id": "ans-1"}, b"", b"<html>", b'{"id": "ans'])
def test_a_body_without_an_answer_is_an_invalid_response(body: object) -> None:
    assert read_response(body)["fault"] == "InvalidResponse"


def test_a_frame_that_is_not_an_event_is_an_invalid_response() -> None:
    start, *_ = events(answer(build_text("Hi")))
    assert read_stream(encode_sse([start]) + b"data: {oops\n\n")[-1]["fault"] == "InvalidResponse"


def test_an_error_body_in_place_of_a_response_is_a_fault() -> None:
    assert read_response({"message": "out of order", "id": "x"})["fault"] == "ServerFailed"
    start, *_ = events(answer(build_text("Hi")))
    reported = read_stream(encode_sse([start]) + b'event: error\ndata: {"message": "the model is gone"}\n\n')[-1]
    assert (reported["fault"], reported["message"], reported["maybe_billed"]) == (
        "ServerFailed",
        "the model is gone",
        True,
    )
