"""Streams of Mistral: content, end and failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.protocols.mistral.answers import (
    HEAD,
    USAGE,
    build_chunk,
    build_text,
    build_thought,
    call,
    encode_sse,
    read_stream,
)
from tests.core.protocols.openai_chat.answers import read_chunks
from victor_fp.core.types import StreamChunk

STOP = build_chunk({"content": ""}, "stop")


def build_content_chunk(content: object) -> dict[str, Any]:
    return build_chunk({"content": content})


def stream_chunks(*payloads: Any) -> list[StreamChunk]:
    return [result.unwrap() for result in read_chunks("mistral", [encode_sse(*payloads)])]


def test_pieces_are_delivered_as_they_arrive() -> None:
    found = stream_chunks(
        build_content_chunk(""),
        build_content_chunk([build_thought(build_text("Hm"))]),
        build_content_chunk([build_text("Ye")]),
        build_content_chunk("s."),
        STOP,
    )
    assert [piece.content for piece in found if piece.content] == ["Ye", "s."]
    assert [piece.metadata["reasoning_content"] for piece in found[:-1] if piece.metadata] == ["Hm"]
    assert [piece.is_final for piece in found] == [False] * (len(found) - 1) + [True]


def test_whole_calls_at_one_index_stay_apart() -> None:
    calls = [call("abcDEF123", "f", '{"x": 1}'), call("abcDEF124", "f", '{"x": 2}')]
    for deltas in ([{"tool_calls": calls}], [{"tool_calls": [one]} for one in calls]):
        answer = read_stream(encode_sse(*map(build_chunk, deltas), build_chunk({}, "tool_calls")))
        assert [(one["id"], one["arguments"]) for one in answer["tool_calls"]] == [
            ("abcDEF123", {"x": 1}),
            ("abcDEF124", {"x": 2}),
        ]


def test_a_call_in_pieces_is_one_call() -> None:
    deltas = [{"tool_calls": [call("abcDEF123", "f", '{"x"')]}, {"tool_calls": [call("abcDEF123", "", ": 1}")]}]
    answer = read_stream(encode_sse(*map(build_chunk, deltas), build_chunk({}, "tool_calls")))
    assert answer["tool_calls"] == [{"id": "abcDEF123", "name": "f", "arguments": {"x": 1}}]


def test_other_answers_to_the_same_prompt_are_left_out() -> None:
    other = build_content_chunk("Two")
    other["choices"][0]["index"] = 1
    both = build_content_chunk("ne")
    both["choices"].append(other["choices"][0])
    for nothing in ({}, {"error": None}, {"error": None, "message": "", "detail": None}):
        data = encode_sse(build_content_chunk("O"), other | nothing, both | nothing, STOP)
        assert read_stream(data)["content"] == "One"


def test_usage_is_read_from_the_last_chunk_or_after_it() -> None:
    ending_chunk = build_chunk({"content": ""}, "stop", usage=USAGE)
    behind = {**HEAD, "choices": [], "usage": USAGE}
    for ending in ([ending_chunk], [STOP, behind]):
        assert read_stream(encode_sse(build_content_chunk("Hi"), *ending))["usage"] == USAGE


@pytest.mark.parametrize("done", [b"", b"data: [DONE]", b"data: [DONE] \n\n", b": a comment\n\ndata:[DONE]\n\n"])
def test_the_end_of_a_stream_is_recognised_in_all_forms(done: bytes) -> None:
    answer = read_stream(encode_sse(build_content_chunk("Hi"), STOP, done=False) + done)
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "stop")


def test_data_after_the_end_is_ignored() -> None:
    assert (
        read_stream(encode_sse(build_content_chunk("Hi"), STOP) + encode_sse(build_content_chunk(" there"), STOP))[
            "content"
        ]
        == "Hi"
    )


@pytest.mark.parametrize(
    "frames", [[], [build_content_chunk("Hi")], [build_content_chunk("Hi"), build_content_chunk(" there")]]
)
def test_a_stream_without_a_reason_is_truncated(frames: list[Any]) -> None:
    for done in (True, False):
        broken = read_stream(encode_sse(*frames, done=done))
        assert broken["fault"] == "StreamTruncated"
        assert (broken.get("partial") or {}).get("content", "") == "".join(
            frame["choices"][0]["delta"]["content"] for frame in frames
        )


def test_a_truncated_last_frame_does_not_fail_a_complete_response() -> None:
    answer = read_stream(encode_sse(build_content_chunk("Hi"), STOP, {**HEAD, "choices": []}, done=False)[:-20])
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "stop")


@pytest.mark.parametrize("garbage", ["{oops}", '{"choices": [', "[1, 2]"])
def test_a_malformed_frame_fails_the_stream(garbage: str) -> None:
    assert read_stream(encode_sse(build_content_chunk("Hi"), garbage, STOP))["fault"] == "InvalidResponse"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"object": "error", "message": "wait", "type": "rate_limited", "param": None, "code": "1300"}, "RateLimited"),
        ({"object": "error", "message": "broke", "type": "internal_server_error", "code": "1000"}, "ServerFailed"),
        ({"detail": "the engine is gone"}, "ServerFailed"),
        ({"message": "no", "request_id": "r"}, "ServerFailed"),
        ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, "Overloaded"),
        (build_chunk({"content": ""}, "error"), "ServerFailed"),
    ],
)
def test_an_error_inside_a_stream_is_a_fault_with_partial_content(error: dict[str, Any], fault: str) -> None:
    answer = read_stream(encode_sse(build_content_chunk("Hel"), build_content_chunk("lo"), error))
    assert (answer["fault"], answer["partial"]["content"]) == (fault, "Hello")
    assert answer["message"]


def test_an_error_event_is_a_fault_whatever_its_data_is() -> None:
    for words in ("engine died", json.dumps("engine died"), json.dumps({"message": "engine died"})):
        answer = read_stream(
            encode_sse(build_content_chunk("Hi"), done=False) + f"event: error\ndata: {words}\n\n".encode()
        )
        assert (answer["fault"], answer["message"]) == ("ServerFailed", "engine died")


def test_chunks_without_choices_are_ignored() -> None:
    news = {**HEAD, "object": "chat.completion.news", "choices": []}
    assert read_stream(encode_sse(news, build_content_chunk("Hi"), news, STOP)) == read_stream(
        encode_sse(build_content_chunk("Hi"), STOP)
    )


def test_log_probabilities_follow_each_other() -> None:
    pieces = [build_content_chunk(words) for words in "ab"]
    for words, piece in zip("ab", pieces, strict=True):
        piece["choices"][0]["logprobs"] = {"content": [{"token": words}]}
    assert read_stream(encode_sse(*pieces, STOP))["metadata"]["logprobs"] == {
        "content": [{"token": "a"}, {"token": "b"}]
    }
