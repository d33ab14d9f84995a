"""Decoded responses, from bodies and streams, as snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.openai_responses.answers import (
    HEAD,
    USAGE,
    build_custom_call,
    build_incomplete_response,
    build_message,
    build_reasoning,
    build_refusal,
    build_search_call,
    build_text,
    build_thought,
    call,
    encode_sse,
    events,
    read,
    read_stream,
    response,
)

CITED = {"type": "url_citation", "url": "https://sky.example", "title": "Sky", "start_index": 0, "end_index": 5}
LOGPROB = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
PARIS, OSLO = '{"city": "Paris"}', '{"city": "Oslo"}'

ANSWERS: dict[str, dict[str, Any]] = {
    "text": response(build_message("Hello there"), service_tier="default"),
    "several texts": response(build_message("One. ", "Two. "), build_message("Three.", id="msg_2")),
    "phases": response(
        build_message("Looking.", phase="commentary"),
        build_search_call("sky"),
        build_message("Blue.", id="msg_2", phase="final_answer"),
    ),
    "tools": response(call("weather", PARIS)),
    "parallel tools": response(build_message("Both."), call("weather", PARIS, "1"), call("weather", OSLO, "2")),
    "two calls alike": response(call("weather", PARIS, "1"), call("weather", PARIS, "2")),
    "a call without arguments": response(call("now", "{}"), call("now", "", "2")),
    "a call made by a program": response(
        {"type": "program", "id": "cm_1", "call_id": "call_9", "code": "await tools.weather()", "fingerprint": "fp"},
        call("weather", PARIS, caller={"type": "program", "caller_id": "call_9"}),
    ),
    "a custom tool": response(build_custom_call("sql", "select 1")),
    "reasoning": response(build_reasoning("Let me see.", "That is it."), build_message("Yes")),
    "reasoning that is not shown": response(build_reasoning(), build_message("Yes")),
    "reasoning in plain text": response(build_thought("Let me see."), build_message("Yes")),
    "reasoning before calls": response(
        build_reasoning("Hm."), call("weather", PARIS), build_reasoning(id="rs_2"), call("now", "{}", "2")
    ),
    "refusal": response(build_message(build_refusal("I'd rather not."))),
    "text and refusal": response(build_message("Well. ", build_refusal("No."))),
    "length": build_incomplete_response(build_message("Once upon a", status="incomplete")),
    "length while calling": build_incomplete_response(call("weather", '{"ci', status="incomplete")),
    "length while reasoning": build_incomplete_response(build_reasoning()),
    "content filter": build_incomplete_response(build_message("Once"), reason="content_filter"),
    "a reason nobody knows": build_incomplete_response(build_message("Once"), reason="tired"),
    "empty": response(),
    "usage with cache": response(
        build_message("Hi"),
        usage={
            **USAGE,
            "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 3},
        },
    ),
    "no usage": response(build_message("Hi"), usage=None),
    "cost in dollars": response(build_message("Hi"), usage={**USAGE, "cost": 0.25, "is_byok": False}),
    "cost in ticks": response(
        build_message("Hi"), usage={**USAGE, "cost_in_usd_ticks": 25_000_000, "num_sources_used": 2}
    ),
    "citations": response(build_search_call("sky"), build_message(build_text("Blue.", CITED))),
    "log probabilities": response(build_message(build_text("Hi", logprobs=[LOGPROB]))),
    "the vendor's own tools": response(
        build_search_call("sky"),
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA", "size": None},
        build_message("Here."),
    ),
}
EACH = pytest.mark.parametrize("name", ANSWERS)


@EACH
def test_a_response(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read(ANSWERS[name])


@EACH
def test_a_stream_gives_the_same_response_as_its_body(name: str) -> None:
    assert read_stream(encode_sse(events(ANSWERS[name]))) == read(ANSWERS[name])


@EACH
@pytest.mark.parametrize("size", [1, 7])
def test_chunk_boundaries_do_not_change_the_response(name: str, size: int) -> None:
    data = encode_sse(events(ANSWERS[name]))
    assert read_stream(data, size=size) == read_stream(data)
    assert read_stream(data.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n") == read_stream(data)


@EACH
def test_a_stream_without_its_last_event_is_truncated(name: str) -> None:
    assert read_stream(encode_sse(events(ANSWERS[name])[:-1]))["fault"] == "StreamTruncated"


@EACH
def test_content_missing_from_events_is_read_from_the_last_one(name: str) -> None:
    reported = events(ANSWERS[name])
    assert read_stream(encode_sse([reported[0], reported[-1]])) == read(ANSWERS[name])
    only_done = [event for event in reported if event["type"].endswith("output_item.done")]
    assert read_stream(encode_sse([reported[0], *only_done, reported[-1]])) == read(ANSWERS[name])


@EACH
def test_items_that_end_only_with_the_last_event_are_decoded(name: str) -> None:
    unended = [event for event in events(ANSWERS[name]) if not event["type"].endswith(".done")]
    late, whole = read_stream(encode_sse(unended)), read(ANSWERS[name])
    for answer in (late, whole):
        # The provider state has the same items in another order, which the tests of turns check.
        answer["metadata"].pop("provider_state", None)
    assert late == whole


@EACH
def test_events_without_indexes_are_decoded(name: str) -> None:
    bare = [{k: v for k, v in event.items() if not k.endswith("_index")} for event in events(ANSWERS[name])]
    bodiless, whole = read_stream(encode_sse(bare)), read(ANSWERS[name])
    if name in ("several texts", "text and refusal", "reasoning"):
        # Where one part ends and the next begins is not to be seen.
        for answer in (bodiless, whole):
            answer["metadata"].pop("provider_state")
            answer["metadata"].pop("reasoning_content", None)
    assert bodiless == whole


BROKEN: dict[str, list[dict[str, Any]]] = {
    "error in the middle": [
        *events(response(build_message("Hello")))[:6],
        {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "Slow down"}},
    ],
    "error before anything": [{"type": "error", "code": "insufficient_quota", "message": "Pay first", "param": None}],
    "failed without an error event": [
        {
            "type": "response.failed",
            "response": response(status="failed", error={"code": "server_error", "message": "Oh"}),
        }
    ],
    "failed without a word": [{"type": "response.failed", "response": response(status="failed")}],
    "truncated with a call": events(response(build_message("One"), call("weather", PARIS)))[:-2],
    "nothing": [],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_stream(encode_sse(BROKEN[name]))


@pytest.mark.parametrize("last", ['{"type": "response.out', "<html>", "[]", '"done"', "nonsense"])
def test_a_frame_that_is_not_an_event_ends_the_stream_with_a_fault(last: str) -> None:
    said, *_ = [event for event in events(response(build_message("Hi!"))) if event["type"].endswith("text.delta")]
    end = read_stream(
        encode_sse([said]) + f"data: {last}\n\n".encode() + encode_sse(events(response(build_message("Hi"))))
    )
    assert (end["fault"], end["partial"]["content"]) == ("InvalidResponse", "Hi!")


def test_unknown_events_items_parts_and_fields_are_ignored() -> None:
    whole = response(build_message("Hi"), news={"a": [1]})
    reported = events(whole)
    odd = {"type": "response.mood.changed", "mood": "good", "output_index": 0, "item_id": "msg_1"}
    assert read_stream(encode_sse([odd, *reported[:4], odd, *reported[4:]])) == read(response(build_message("Hi")))
    unknown = response(
        {"type": "dance", "id": "d_1", "steps": [1, 2]}, build_message({"type": "hum", "tune": "la"}, "Hi")
    )
    answer = read(unknown)
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "stop")
    assert answer["metadata"]["provider_state"]["blocks"][0]["state"] == {"type": "dance", "id": "d_1", "steps": [1, 2]}
    assert answer["metadata"]["output_parts"] == [{"type": "hum", "tune": "la"}]


@pytest.mark.parametrize(
    "whole",
    [
        {},
        [],
        "text",
        7,
        {"object": "list", "data": []},
        {**HEAD, "status": "queued", "output": []},
        response(status="in_progress"),
    ],
)
def test_a_body_without_an_answer_is_invalid(whole: Any) -> None:
    assert read(whole)["fault"] == "InvalidResponse"


@pytest.mark.parametrize(
    ("whole", "kind"),
    [
        ({"error": {"code": "invalid_prompt", "message": "No"}}, "ContentRefused"),
        ({"error": "boom"}, "ServerFailed"),
        ({"code": "rate_limit_exceeded", "message": "Slow down"}, "RateLimited"),
        (response(status="failed", error={"code": "rate_limit_exceeded", "message": "Slow"}), "RateLimited"),
        (response(status="failed", error={"code": "vector_store_timeout", "message": "Slow"}), "TimedOut"),
        (response(status="failed"), "ServerFailed"),
    ],
)
def test_an_error_in_a_body_with_status_200_is_a_fault(whole: Any, kind: str) -> None:
    assert read(whole)["fault"] == kind


def test_a_response_without_a_status_is_accepted() -> None:
    bare = {"id": "resp_1", "model": "m", "output": [build_message("Hi")]}
    assert (read(bare)["content"], read(bare)["stop_reason"]) == ("Hi", "stop")


def test_numbers_in_another_spelling_are_counts() -> None:
    usage = {"input_tokens": 12.0, "output_tokens": "5", "total_tokens": None, "input_tokens_details": None}
    assert read(response(build_message("Hi"), usage=usage))["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "total_tokens": 17,
    }


def test_json_that_is_a_stream_of_one_whole_body_is_a_whole_body() -> None:
    assert read_stream(json.dumps(response(build_message("Hi"))).encode())["content"] == "Hi"


def test_timings_of_a_local_server_are_read_from_its_last_event() -> None:
    *reported, last = events(response(build_message("Hi")))
    end = read_stream(encode_sse([*reported, {**last, "timings": {"predicted_n": 6}}]), provider="llamacpp-responses")
    assert end["metadata"]["timings"] == {"predicted_n": 6}
