"""Behaviour of streams that the servers' documents do not describe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.protocols.openai_chat.answers import (
    USAGE,
    build_call_piece,
    build_chunk,
    build_text_chunk,
    encode_sse,
    read_stream,
)
from victor_fp import replay

STOP = build_chunk({}, "stop")
CALLS = build_chunk({}, "tool_calls")
COUNTS = {"completion_tokens": 5, "prompt_tokens": 12, "total_tokens": 17}


def read_calls(*chunks: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and arguments of the calls in a stream; that every call has an id of its own is checked on the way."""
    answer = read_stream("groq", encode_sse(*chunks, CALLS))
    assert "fault" not in answer, answer
    found = answer.get("tool_calls", [])
    ids = [call["id"] for call in found]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    return [(call["name"], call["arguments"]) for call in found]


def test_interleaved_calls_stay_apart() -> None:
    assert read_calls(
        build_chunk(build_call_piece("", id="a", name="f")),
        build_chunk(build_call_piece("", index=1, id="b", name="g")),
        build_chunk(build_call_piece('{"x"', index=1)),
        build_chunk(build_call_piece('{"y"')),
        build_chunk(build_call_piece(": 1}", index=1)),
        build_chunk(build_call_piece(": 2}")),
    ) == [("f", {"y": 2}), ("g", {"x": 1})]


def test_calls_without_an_index_are_distinguished_by_id() -> None:
    assert read_calls(
        build_chunk(build_call_piece('{"x": 1}', index=None, id="a", name="f")),
        build_chunk(build_call_piece('{"x": 2}', index=None, id="b", name="f")),
    ) == [("f", {"x": 1}), ("f", {"x": 2})]


def test_pieces_without_an_index_continue_the_newest_call() -> None:
    assert read_calls(
        build_chunk(build_call_piece("", index=None, id="a", name="f")),
        build_chunk(build_call_piece('{"x"', index=None)),
        build_chunk(build_call_piece(": 1}", index=None)),
    ) == [("f", {"x": 1})]


def test_calls_without_an_id_get_one() -> None:
    assert read_calls(
        build_chunk(build_call_piece('{"x": 1}', name="f")),
        build_chunk(build_call_piece('{"x": 2}', index=1, name="g")),
    ) == [
        ("f", {"x": 1}),
        ("g", {"x": 2}),
    ]


def test_whole_calls_without_ids_at_one_index_stay_apart() -> None:
    assert read_calls(
        build_chunk(build_call_piece('{"x": 1}', name="f")),
        build_chunk(build_call_piece('{"x": 2}', name="g")),
        build_chunk(build_call_piece('{"x": 3}', name="g")),
    ) == [
        ("f", {"x": 1}),
        ("g", {"x": 2}),
        ("g", {"x": 3}),
    ]


def test_a_repeated_call_start_does_not_begin_a_second_call() -> None:
    assert read_calls(
        build_chunk(build_call_piece('{"x"', id="a", name="f")),
        build_chunk(build_call_piece(": 1", id="a", name="f")),
        build_chunk(build_call_piece("}", id="a", name="")),
    ) == [("f", {"x": 1})]


def test_two_calls_with_one_id_get_ids_of_their_own() -> None:
    assert read_calls(
        build_chunk(build_call_piece('{"x": 1}', id="null", name="f")),
        build_chunk(build_call_piece("{}", index=1, id="null", name="g")),
    ) == [
        ("f", {"x": 1}),
        ("g", {}),
    ]


def test_arguments_that_come_as_an_object_are_kept() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}
    assert read_calls(build_chunk({"tool_calls": [call]})) == [("f", {"x": 1})]


def test_an_answer_without_id_and_time_still_has_ids_for_its_calls() -> None:
    bare = {"choices": [{"index": 0, "delta": build_call_piece('{"x": 1}', name="f")}]}
    first = read_stream(
        "zai", encode_sse(bare, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    )
    assert first["tool_calls"][0]["id"]
    other = json.loads(json.dumps(bare).replace(": 1}", ": 2}"))
    second = read_stream(
        "zai", encode_sse(other, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    )
    assert second["tool_calls"][0]["id"] != first["tool_calls"][0]["id"]


def test_a_legacy_function_call_is_a_call() -> None:
    heads = [
        build_chunk({"function_call": {"name": "f", "arguments": '{"x"'}}),
        build_chunk({"function_call": {"arguments": ": 1}"}}),
    ]
    answer = read_stream("openai", encode_sse(*heads, build_chunk({}, "function_call")))
    assert [(call["name"], call["arguments"]) for call in answer["tool_calls"]] == [("f", {"x": 1})]
    assert answer["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    "ending",
    [
        [build_chunk({}, "stop", usage=USAGE)],
        [STOP, {**build_chunk(), "choices": [], "usage": USAGE}],
        [STOP, {**build_chunk(), "choices": [], "usage": USAGE, "object": "chat.completion"}],
        [build_chunk({}, "stop", x_groq={"id": "req_1", "usage": USAGE})],
        [{**STOP, "choices": [{**STOP["choices"][0], "usage": USAGE}]}],
        [
            build_chunk({"content": ""}, usage={**USAGE, "completion_tokens": 3, "total_tokens": 15}),
            build_chunk({}, "stop", usage=USAGE),
        ],
    ],
    ids=["on the finish chunk", "after it", "as a completion", "in x_groq", "in the choice", "cumulative"],
)
def test_usage_is_found_in_every_field(ending: list[dict[str, Any]]) -> None:
    assert read_stream("moonshot", encode_sse(build_text_chunk("Hi"), *ending))["usage"] == COUNTS


@pytest.mark.parametrize(
    "done", [b"", b"data: [DONE]", b"data: [DONE] \n\n", b"data:[DONE]\n\n", b"data: \n\ndata: [DONE]\n\n"]
)
def test_the_end_of_a_stream_is_recognised_in_all_forms(done: bytes) -> None:
    answer = read_stream("huggingface", encode_sse(build_text_chunk("Hi"), STOP, done=False) + done)
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "stop")


def test_data_after_the_end_is_ignored() -> None:
    assert (
        read_stream(
            "openai",
            encode_sse(build_text_chunk("Hi"), STOP)
            + encode_sse(build_text_chunk(" there"), build_chunk({}, "length")),
        )["content"]
        == "Hi"
    )


def test_a_truncated_last_frame_does_not_fail_a_complete_response() -> None:
    answer = read_stream(
        "openai", encode_sse(build_text_chunk("Hi"), STOP, {**build_chunk(), "choices": []}, done=False)[:-30]
    )
    assert (answer["content"], answer["stop_reason"]) == ("Hi", "stop")


def test_a_malformed_frame_fails_the_stream() -> None:
    assert read_stream("openai", encode_sse(build_text_chunk("Hi"), "{oops}", STOP))["fault"] == "InvalidResponse"
    assert (
        read_stream("openai", encode_sse(build_text_chunk("Hi"), '{"choices": [', STOP))["fault"] == "InvalidResponse"
    )
    assert read_stream("openai", encode_sse(build_text_chunk("Hi"), "[1, 2]", STOP))["fault"] == "InvalidResponse"


def test_a_reason_that_is_repeated_or_changed_is_the_last_one() -> None:
    assert (
        read_stream("openrouter", encode_sse(build_text_chunk("Hi"), STOP, build_chunk({}, "length")))["stop_reason"]
        == "length"
    )


@pytest.mark.parametrize(
    ("error", "fault", "code"),
    [
        ({"error": {"code": 502, "message": "Upstream error"}}, "ServerFailed", "502"),
        (
            {
                "error": {
                    "code": "tool_use_failed",
                    "type": "invalid_request_error",
                    "message": "No call",
                    "status_code": 400,
                }
            },
            "InvalidRequest",
            "tool_use_failed",
        ),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded", "overloaded_error"),
        ({"error": "out of memory"}, "ServerFailed", None),
        ({"error": {"message": "slow", "code": None}, "status_code": 429}, "RateLimited", "429"),
        ({"object": "error", "message": "bad", "code": 400}, "InvalidRequest", "400"),
        ({**build_chunk({"content": ""}, "error"), "error": {"code": 503, "message": "gone"}}, "Overloaded", "503"),
        (build_chunk({}, "error"), "ServerFailed", None),
        (
            {**build_chunk(), "x_groq": {"error": {"code": "rate_limit_exceeded", "message": "wait"}}},
            "RateLimited",
            "rate_limit_exceeded",
        ),
    ],
)
def test_an_error_inside_a_stream_is_a_fault_with_partial_content(
    error: dict[str, Any], fault: str, code: str | None
) -> None:
    answer = read_stream("cerebras", encode_sse(build_text_chunk("Hel"), build_text_chunk("lo"), error))
    assert (answer["fault"], answer.get("code")) == (fault, code)
    assert answer["partial"]["content"] == "Hello"


def test_an_error_event_with_plain_text_is_a_fault() -> None:
    data = encode_sse(build_text_chunk("Hi"), done=False) + b"event: error\ndata: engine died\n\n"
    answer = read_stream("huggingface", data)
    assert (answer["fault"], answer["message"]) == ("ServerFailed", "engine died")


def test_an_error_after_the_reason_still_fails() -> None:
    answer = read_stream(
        "openrouter",
        encode_sse(build_text_chunk("Hi"), build_chunk({}, "length"), {"error": {"code": 500, "message": "late"}}),
    )
    assert answer["fault"] == "ServerFailed"


def test_executed_tools_and_audio_are_complete() -> None:
    search = {"index": 0, "type": "search", "arguments": "{}"}
    answer = read_stream(
        "groq",
        encode_sse(
            build_chunk({"executed_tools": [search]}),
            build_chunk({"executed_tools": [search | {"output": "found"}]}),
            build_chunk({"audio": {"id": "a1", "data": "AA", "transcript": "He"}}),
            build_chunk({"audio": {"data": "BB", "transcript": "y"}}),
            STOP,
        ),
    )
    assert answer["metadata"]["executed_tools"] == [search | {"output": "found"}]
    assert answer["metadata"]["audio"] == {"id": "a1", "data": "AABB", "transcript": "Hey"}


def test_citations_and_log_probabilities_grow_chunk_by_chunk() -> None:
    pieces = [
        {
            **build_chunk({"content": text, "annotations": [text]}),
        }
        for text in ("a", "b")
    ]
    for text, one in zip(("a", "b"), pieces, strict=True):
        one["choices"][0]["logprobs"] = {"content": [{"token": text, "logprob": -1.0}], "refusal": None}
    metadata = read_stream("openrouter", encode_sse(*pieces, STOP))["metadata"]
    assert metadata["annotations"] == ["a", "b"]
    assert [entry["token"] for entry in metadata["logprobs"]["content"]] == ["a", "b"]


def test_repeated_extra_fields_are_merged() -> None:
    answer = read_stream(
        "xai", encode_sse(build_chunk({"content": "a"}, citations=["x"]), build_chunk({}, "stop", citations=["x", "y"]))
    )
    assert answer["metadata"]["citations"] == ["x", "y"]


@pytest.mark.parametrize("provider", ["vllm", "mistral"])
def test_a_whole_completion_as_the_only_event_is_read(provider: str) -> None:
    whole = b'data: {"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}\n\n'
    *before, last = replay.stream(provider, 200, {}, [whole])
    assert "".join(chunk.unwrap().content for chunk in before) == "Hi"
    assert last.unwrap().stop_reason == "stop"


def test_the_accumulated_text_of_a_chunk_with_a_delta_is_not_repeated() -> None:
    events = [
        b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"H"},"message":{"content":"H"}}]}\n\n',
        b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"i"},"message":{"content":"Hi"}}]}\n\n',
        b'data: {"id":"x","choices":[{"index":0,"delta":{},"message":{"content":"Hi"},"finish_reason":"stop"}]}\n\n',
    ]
    *_, last = replay.stream("perplexity", 200, {}, events)
    response = last.unwrap().response
    assert response is not None
    assert response.content == "Hi"
