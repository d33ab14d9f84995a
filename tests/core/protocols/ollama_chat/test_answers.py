"""Decoded Ollama responses, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.ollama_chat.answers import TIME, build_line, call, encode_lines, read_response, read_stream

PARIS, OSLO = {"city": "Paris"}, {"city": "Oslo"}
LOGPROB = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Yo", "logprob": -2.5}]}

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "text": [build_line(content="Hel"), build_line(content="lo"), build_line("stop")],
    "length": [build_line(content="Once upon a"), build_line("length")],
    "empty": [build_line("stop")],
    "thinking": [
        build_line(thinking="Let me"),
        build_line(thinking=" see."),
        build_line(content="Yes"),
        build_line("stop"),
    ],
    "thinking in tags": [
        build_line(content="<thi"),
        build_line(content="nk>Hm</think>"),
        build_line(content="Yes"),
        build_line("stop"),
    ],
    "tools": [build_line(tool_calls=[call("weather", PARIS, id="call_1", index=0)]), build_line("stop")],
    "tools in an older version": [build_line(tool_calls=[call("weather", PARIS)]), build_line("stop")],
    "parallel tools on one line": [
        build_line(content="Both."),
        build_line(tool_calls=[call("weather", PARIS), call("weather", OSLO)]),
        build_line("stop"),
    ],
    "parallel tools with one index": [
        build_line(tool_calls=[call("weather", PARIS, index=0)]),
        build_line(tool_calls=[call("weather", PARIS, index=0)]),
        build_line("stop"),
    ],
    "no arguments, and arguments as text": [
        build_line(tool_calls=[call("now", None), call("weather", '{"city": "Rome"}'), call("weather", '{"ci')]),
        build_line("stop"),
    ],
    "logprobs": [{**build_line(content="Hi"), "logprobs": [LOGPROB]}, build_line("stop")],
    "images": [build_line(images=["AAAA"]), build_line("stop")],
    "load": [build_line("load")],
    "a reason nobody knows": [build_line(content="Hm"), build_line("tired")],
    "hosted": [
        build_line(content="Hi"),
        {**build_line("stop"), "remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com"},
    ],
    "counts in another spelling": [
        build_line(content="Hi"),
        {**build_line("stop"), "eval_count": 9.0, "prompt_eval_count": None},
    ],
}
EACH = pytest.mark.parametrize("name", ANSWERS)


def fold_lines(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The body that a server sends for the same answer when it does not stream."""
    message: dict[str, Any] = {}
    logprobs: list[Any] = []
    for one in lines:
        logprobs += one.get("logprobs", [])
        for key, value in one["message"].items():
            message[key] = message[key] + value if key in message and key != "role" else value
    return {**lines[-1], "message": message, **({"logprobs": logprobs} if logprobs else {})}


@EACH
def test_a_stream(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_stream(encode_lines(ANSWERS[name]))


@EACH
def test_a_body_gives_the_same_response_as_its_stream(name: str) -> None:
    *parts, final = read_stream(encode_lines(ANSWERS[name]))
    body = read_response(fold_lines(ANSWERS[name]))
    assert final.pop("is_final") is True
    assert "".join(part.get("content", "") for part in parts) == body.pop("content")
    assert body == final


@EACH
@pytest.mark.parametrize("size", [1, 7])
def test_chunk_boundaries_do_not_change_the_response(name: str, size: int) -> None:
    data = encode_lines(ANSWERS[name])
    assert read_stream(data, size=size) == read_stream(data)
    assert read_stream(data.replace(b"\n", b"\r\n\r\n")) == read_stream(data)
    assert read_stream(data.removesuffix(b"\n")) == read_stream(data)


@EACH
def test_a_stream_without_its_last_line_is_truncated(name: str) -> None:
    parts = read_stream(encode_lines(ANSWERS[name][:-1]))
    assert parts[-1]["fault"] == "StreamTruncated"
    assert not any(part.get("is_final") for part in parts)


BROKEN: dict[str, list[dict[str, Any]]] = {
    "error in the middle": [build_line(content="Hel"), {"error": "the model runner has stopped"}],
    "error before anything": [{"error": "the input length exceeds the context length"}],
    "error as an object": [build_line(content="Hel"), {"error": {"message": "upstream is gone", "code": 502}}],
    "truncated with a call": [build_line(content="One"), build_line(tool_calls=[call("weather", PARIS, id="call_1")])],
    "nothing": [],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_stream(encode_lines(BROKEN[name]))


@pytest.mark.parametrize("last", [b'{"model": "qwen3', b"<html>", b"[]", b'"done"', b"\xff"])
def test_a_line_that_is_not_a_response_ends_the_stream_with_a_fault(last: bytes) -> None:
    *parts, end = read_stream(
        encode_lines([build_line(content="Hi")]) + last + b"\n" + encode_lines([build_line("stop")])
    )
    assert [part["content"] for part in parts] == ["Hi"]
    assert end["fault"] == "InvalidResponse"
    assert end["partial"]["content"] == "Hi"


def test_generated_call_ids_are_unique_within_a_conversation() -> None:
    lines = [build_line(tool_calls=[call("weather", PARIS), call("weather", PARIS)]), build_line("stop")]
    later = [{**one, "created_at": "2026-05-01T12:00:09Z"} for one in lines]
    first, again, second = (read_stream(encode_lines(turn))[-1]["tool_calls"] for turn in (lines, lines, later))
    assert first == again
    assert len({made["id"] for made in (*first, *second)}) == 4


def test_a_version_without_done_reason_ends_with_done_alone() -> None:
    ending = build_line("stop")
    del ending["done_reason"]
    final = read_stream(encode_lines([build_line(content="Hi"), ending]))[-1]
    assert (final["is_final"], final["stop_reason"]) == (True, "stop")
    assert "stop_reason_raw" not in final["metadata"]


def test_unknown_fields_and_values_are_ignored() -> None:
    odd = {**build_line(content="Hi", mood="good"), "news": {"a": [1]}}
    final = {**build_line("stop"), "usage": {"x": 1}, "done_reason": "stop"}
    assert read_stream(encode_lines([odd, final])) == read_stream(
        encode_lines([build_line(content="Hi"), build_line("stop")])
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "m", "done": True},
        {**build_line(content="Hi"), "done": False},
        {"status": "ok"},
    ],
)
def test_a_body_without_an_answer_is_invalid(body: dict[str, Any]) -> None:
    assert read_response(body)["fault"] == "InvalidResponse"


def test_a_body_without_done_is_a_response() -> None:
    body = {"model": "m", "created_at": TIME, "message": {"role": "assistant", "content": "Hi"}}
    assert read_response(body) == {
        "content": "Hi",
        "model": "m",
        "stop_reason": "stop",
        "metadata": {"created_at": TIME},
    }


def test_an_error_in_a_body_with_status_200_is_a_fault() -> None:
    expected = {"fault": "ServerFailed", "provider": "ollama", "message": "boom", "evidence": '{"error":"boom"}'}
    assert read_response({"error": "boom"}) == expected
