"""What users of similar libraries suffer from, as far as this protocol decides it; each test is named after the pain."""

from __future__ import annotations

import json

import pytest

from tests.core.protocols.openai_chat.answers import (
    USAGE,
    build_call_piece,
    build_chunk,
    build_text_chunk,
    describe_fault,
    encode_completion,
    encode_sse,
    read,
    read_chunks,
    read_stream,
)
from tests.core.protocols.openai_chat.requests import HI, WEATHER, build_body, build_request
from victor_fp import replay
from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import ImagePart, Message, TextPart

STOP = build_chunk({}, "stop")


def test_a_stream_that_ends_without_a_finish_reason_is_truncated_and_not_stop() -> None:
    answer = read_stream("openai", encode_sse(build_text_chunk("Half an ans")))
    assert (answer["fault"], answer["partial"]["content"]) == ("StreamTruncated", "Half an ans")


def test_two_parallel_calls_with_the_same_index_are_not_merged() -> None:
    answer = read_stream(
        "openai",
        encode_sse(
            build_chunk(build_call_piece('{"city": "Oslo"}', id="call_1", name="weather")),
            build_chunk(build_call_piece('{"city": "Rome"}', id="call_2", name="weather")),
            build_chunk({}, "tool_calls"),
        ),
    )
    assert [call["arguments"] for call in answer["tool_calls"]] == [{"city": "Oslo"}, {"city": "Rome"}]


def test_finish_stop_although_tools_were_called_is_tool_use() -> None:
    call = {"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}
    answer = read("openai", encode_completion({"content": "", "tool_calls": [call]}, "stop"))
    assert (answer["stop_reason"], answer["metadata"]["stop_reason_raw"]) == ("tool_use", "stop")
    stream = read_stream("openai", encode_sse(build_chunk(build_call_piece("{}", id="call_1", name="weather")), STOP))
    assert (stream["stop_reason"], stream["metadata"]["stop_reason_raw"]) == ("tool_use", "stop")


def test_empty_tool_calls_do_not_make_it_tool_use() -> None:
    assert read("vllm", encode_completion({"content": "Hi", "tool_calls": []}, "tool_calls"))["stop_reason"] == "stop"


def test_an_unknown_finish_reason_does_not_lose_the_response() -> None:
    answer = read("deepseek", encode_completion({"content": "Hi"}, "insufficient_system_resource"))
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "insufficient_system_resource")
    assert (
        read_stream("deepseek", encode_sse(build_text_chunk("Hi"), build_chunk({}, "insufficient_system_resource")))[
            "content"
        ]
        == "Hi"
    )


@pytest.mark.parametrize("code", ["overloaded_error", "OVERLOADED_ERROR"])
def test_an_overload_inside_a_200_stream_is_the_same_fault_as_over_http(code: str) -> None:
    error = {"error": {"type": code, "message": "Overloaded"}}
    assert read_stream("openrouter", encode_sse(error))["fault"] == "Overloaded"
    assert read("openrouter", json.dumps(error).encode(), 529)["fault"] == "Overloaded"


def test_unreported_usage_is_absent_and_not_zero() -> None:
    assert "usage" not in read_stream("openai", encode_sse(build_text_chunk("Hi"), STOP))
    assert "usage" not in read("openai", encode_completion({"content": "Hi"}))


def test_cached_tokens_are_the_same_when_streaming() -> None:
    usage = {**USAGE, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 4}
    whole = read("deepseek", encode_completion({"content": "Hi"}, usage=usage))["usage"]
    assert (
        read_stream("deepseek", encode_sse(build_text_chunk("Hi"), build_chunk({}, "stop", usage=usage)))["usage"]
        == whole
    )
    assert whole["cache_read_input_tokens"] == 8


def test_usage_that_arrives_after_the_finish_chunk_is_not_missed() -> None:
    late = {**build_chunk(), "choices": [], "usage": USAGE}
    assert read_stream("openai", encode_sse(build_text_chunk("Hi"), STOP, late))["usage"]["total_tokens"] == 17


def test_retry_after_is_read_from_the_latest_fault_only() -> None:
    error = b'{"error": {"message": "wait", "code": "rate_limit_exceeded"}}'
    assert read("groq", error, 429, {"retry-after": "9"})["retry_after"] == 9.0
    assert "retry_after" not in read("groq", error, 429)


def test_numbers_in_text_are_ignored() -> None:
    error = {"error": {"message": "max 5000 tokens, error 429 and 500", "type": "invalid_request_error"}}
    assert read("openai", json.dumps(error).encode(), 400)["fault"] == "InvalidRequest"
    assert read_stream("openai", encode_sse({"error": {"message": "HTTP 401 in prose"}}))["fault"] == "ServerFailed"


def test_reasoning_is_not_lost_between_turns() -> None:
    call = {"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}
    thinking = {"content": None, "reasoning_content": "rain?", "tool_calls": [call]}
    response = replay.response("deepseek", 200, {}, encode_completion(thinking, "tool_calls")).unwrap()
    result = Message(role="tool", tool_call_id="call_1", content="rain")
    assert build_body("deepseek", [HI, response.to_message(), result])["messages"][1]["reasoning_content"] == "rain?"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_not_dropped_when_streaming(stream: bool) -> None:
    assert build_body("openai", tools=[WEATHER], stream=stream)["tools"][0]["function"]["name"] == "weather"


def test_no_key_is_in_a_url_or_a_fault() -> None:
    request = build_request("azure", settings={"endpoint": "https://mine.openai.azure.com"})
    assert isinstance(request, HttpRequest)
    assert "secret" not in request.url
    error = {"error": {"message": "Incorrect API key provided: gsk_abcdef123456.", "code": "invalid_api_key"}}
    assert "abcdef" not in str(read("groq", json.dumps(error).encode(), 401))


def test_tool_results_keep_their_ids_and_parts_stay_typed() -> None:
    called = Message(role="assistant", tool_calls=[{"id": "call_1", "name": "weather", "arguments": {}}])
    result = Message(role="tool", tool_call_id="call_1", content=[TextPart(text="a"), TextPart(text="b")])
    photo = Message(role="user", content=[TextPart(text="What?"), ImagePart(url="https://a.example/b.png")])
    messages = build_body("openai", [HI, called, result, photo])["messages"]
    assert (messages[2]["tool_call_id"], messages[2]["content"][1]) == ("call_1", {"type": "text", "text": "b"})
    assert messages[3]["content"][1]["type"] == "image_url"


def test_an_orphaned_call_is_refused_by_name_before_anything_is_sent() -> None:
    called = Message(role="assistant", tool_calls=[{"id": "call_1", "name": "weather", "arguments": {}}])
    fault = build_request("zai", [HI, called, HI])
    assert not isinstance(fault, HttpRequest)
    assert "weather (call_1)" in describe_fault(fault)["message"]


def test_every_stream_has_exactly_one_final_chunk_and_it_is_the_last() -> None:
    parts = [
        result.unwrap()
        for result in read_chunks("openai", [encode_sse(build_text_chunk("a"), build_text_chunk("b"), STOP, STOP)])
    ]
    assert [part.is_final for part in parts] == [False, False, True]
