"""What users of similar libraries suffer from, where this protocol decides it."""

from __future__ import annotations

from typing import Any

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_text,
    build_thinking,
    call,
    encode_sse,
    events,
    read_completion,
    read_response,
    read_stream,
)
from tests.core.protocols.anthropic_messages.requests import HI, WEATHER, build_body, build_turns, request
from tests.core.protocols.results import join_chunks
from victor_fp.core.types import ImagePart, Message, Part, TextPart


def test_a_stream_that_ends_without_a_finish_reason_is_not_reported_as_stop() -> None:
    story = [
        event
        for event in events(build_message(build_text("Half")))
        if event["type"] not in ("message_delta", "message_stop")
    ]
    last = read_stream(encode_sse(story))[-1]
    assert (last["fault"], last["partial"]["content"]) == ("StreamTruncated", "Half")


def test_two_parallel_calls_with_the_same_index_are_not_merged() -> None:
    both = build_message(
        call("toolu_1", "weather", city="Paris"), call("toolu_2", "weather", city="Oslo"), stop="tool_use"
    )
    story = [{**event, "index": 0} if "index" in event else event for event in events(both)]
    assert [made["arguments"] for made in join_chunks(read_stream(encode_sse(story)))["tool_calls"]] == [
        {"city": "Paris"},
        {"city": "Oslo"},
    ]


def test_finish_stop_although_tools_were_called_is_tool_use() -> None:
    read = read_response(build_message(call("toolu_1", "now"), stop="end_turn"))
    assert (read["stop_reason"], read["metadata"]["stop_reason_raw"]) == ("tool_use", "end_turn")


def test_an_unknown_finish_reason_does_not_lose_the_response() -> None:
    read = read_response(build_message(build_text("Hi"), stop="yet_unknown"))
    assert (read["content"], read["stop_reason"]) == ("Hi", "yet_unknown")


def test_an_overload_inside_a_200_stream_is_the_same_fault_as_status_529() -> None:
    body_ = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert read_stream(encode_sse([body_]))[-1]["fault"] == read_response(body_, status=529)["fault"] == "Overloaded"


def test_unreported_usage_is_absent_and_never_zero() -> None:
    assert "usage" not in read_response(build_message(build_text("Hi"), usage=None))
    assert "cache_read_input_tokens" not in read_response(build_message(build_text("Hi")))["usage"]


def test_cache_tokens_are_the_same_when_streaming() -> None:
    counts = {"input_tokens": 3, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 7, "output_tokens": 2}
    whole = build_message(build_text("Hi"), usage=counts)
    usage = join_chunks(read_stream(encode_sse(events(whole))))["usage"]
    assert usage == read_response(whole)["usage"]
    assert usage["prompt_tokens"] == 100


def test_usage_that_arrives_after_the_stop_reason_is_not_missed() -> None:
    *rest, ending, stop = events(build_message(build_text("Hi")))
    late = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 77}}
    read = join_chunks(read_stream(encode_sse([*rest, ending, late, stop])))
    assert (read["usage"]["completion_tokens"], read["stop_reason"]) == (77, "stop")


def test_retry_after_on_a_200_is_not_a_fault() -> None:
    chunks = read_stream(encode_sse(events(build_message(build_text("Hi")))), headers={"retry-after": "30"})
    assert join_chunks(chunks)["content"] == "Hi"


def test_reasoning_signatures_are_not_lost_between_turns() -> None:
    blocks = [build_thinking("Hm.", "SigA"), call("toolu_1", "weather", city="Rome")]
    answer = read_completion(build_message(*blocks, stop="tool_use")).to_message()
    stored = Message.model_validate_json(answer.model_dump_json())
    said = build_turns(HI, stored, Message(role="tool", tool_call_id="toolu_1", content="12C"))
    assert said[1]["content"] == blocks


def test_tools_are_not_dropped_when_streaming() -> None:
    assert build_body(tools=[WEATHER], stream=True)["tools"] == build_body(tools=[WEATHER])["tools"]


def test_no_key_is_in_the_url() -> None:
    assert "<secret>" not in request().url
    assert request().headers["x-api-key"] == "<secret>"


def test_numbers_in_an_error_message_are_ignored() -> None:
    words = "max_tokens: 5000 > 4290, error 529 of 429"
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
    assert read_response(error, status=400)["fault"] == "InvalidRequest"


def test_tool_results_are_not_flattened_and_ids_are_not_lost() -> None:
    calls: list[Any] = [{"id": "toolu_1", "name": "look", "arguments": {}}]
    parts: list[Part] = [TextPart(text="Seen"), ImagePart(url="https://x.example/a.png")]
    said = build_turns(
        HI, Message(role="assistant", tool_calls=calls), Message(role="tool", tool_call_id="toolu_1", content=parts)
    )
    (result,) = said[2]["content"]
    assert (result["tool_use_id"], [block["type"] for block in result["content"]]) == ("toolu_1", ["text", "image"])
