"""Decoded Ollama responses, from bodies and streams, as snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.ollama_chat.answers import TIME, answered, call, line, streamed, written

PARIS, OSLO = {"city": "Paris"}, {"city": "Oslo"}
LOGPROB = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Yo", "logprob": -2.5}]}

ANSWERS: dict[str, list[dict[str, Any]]] = {
    "text": [line(content="Hel"), line(content="lo"), line("stop")],
    "length": [line(content="Once upon a"), line("length")],
    "empty": [line("stop")],
    "thinking": [line(thinking="Let me"), line(thinking=" see."), line(content="Yes"), line("stop")],
    "thinking in tags": [line(content="<thi"), line(content="nk>Hm</think>"), line(content="Yes"), line("stop")],
    "tools": [line(tool_calls=[call("weather", PARIS, id="call_1", index=0)]), line("stop")],
    "tools in an older version": [line(tool_calls=[call("weather", PARIS)]), line("stop")],
    "parallel tools on one line": [
        line(content="Both."),
        line(tool_calls=[call("weather", PARIS), call("weather", OSLO)]),
        line("stop"),
    ],
    "parallel tools with one index": [
        line(tool_calls=[call("weather", PARIS, index=0)]),
        line(tool_calls=[call("weather", PARIS, index=0)]),
        line("stop"),
    ],
    "no arguments, and arguments as text": [
        line(tool_calls=[call("now", None), call("weather", '{"city": "Rome"}'), call("weather", '{"ci')]),
        line("stop"),
    ],
    "logprobs": [{**line(content="Hi"), "logprobs": [LOGPROB]}, line("stop")],
    "images": [line(images=["AAAA"]), line("stop")],
    "load": [line("load")],
    "a reason nobody knows": [line(content="Hm"), line("tired")],
    "hosted": [
        line(content="Hi"),
        {**line("stop"), "remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com"},
    ],
    "counts in another spelling": [line(content="Hi"), {**line("stop"), "eval_count": 9.0, "prompt_eval_count": None}],
}
EACH = pytest.mark.parametrize("name", ANSWERS)


def whole(lines: list[dict[str, Any]]) -> dict[str, Any]:
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
    assert snapshot == streamed(written(ANSWERS[name]))


@EACH
def test_a_body_gives_the_same_response_as_its_stream(name: str) -> None:
    *parts, final = streamed(written(ANSWERS[name]))
    body = answered(whole(ANSWERS[name]))
    assert final.pop("is_final") is True
    assert "".join(part.get("content", "") for part in parts) == body.pop("content")
    assert body == final


@EACH
@pytest.mark.parametrize("size", [1, 7])
def test_chunk_boundaries_do_not_change_the_response(name: str, size: int) -> None:
    data = written(ANSWERS[name])
    assert streamed(data, size=size) == streamed(data)
    assert streamed(data.replace(b"\n", b"\r\n\r\n")) == streamed(data)
    assert streamed(data.removesuffix(b"\n")) == streamed(data)


@EACH
def test_a_stream_without_its_last_line_is_truncated(name: str) -> None:
    parts = streamed(written(ANSWERS[name][:-1]))
    assert parts[-1]["fault"] == "StreamTruncated"
    assert not any(part.get("is_final") for part in parts)


BROKEN: dict[str, list[dict[str, Any]]] = {
    "error in the middle": [line(content="Hel"), {"error": "the model runner has stopped"}],
    "error before anything": [{"error": "the input length exceeds the context length"}],
    "error as an object": [line(content="Hel"), {"error": {"message": "upstream is gone", "code": 502}}],
    "truncated with a call": [line(content="One"), line(tool_calls=[call("weather", PARIS, id="call_1")])],
    "nothing": [],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == streamed(written(BROKEN[name]))


@pytest.mark.parametrize("last", [b'{"model": "qwen3', b"<html>", b"[]", b'"done"', b"\xff"])
def test_a_line_that_is_not_a_response_ends_the_stream_with_a_fault(last: bytes) -> None:
    *parts, end = streamed(written([line(content="Hi")]) + last + b"\n" + written([line("stop")]))
    assert [part["content"] for part in parts] == ["Hi"]
    assert end["fault"] == "InvalidResponse"
    assert end["partial"]["content"] == "Hi"


def test_generated_call_ids_are_unique_within_a_conversation() -> None:
    lines = [line(tool_calls=[call("weather", PARIS), call("weather", PARIS)]), line("stop")]
    later = [{**one, "created_at": "2026-05-01T12:00:09Z"} for one in lines]
    first, again, second = (streamed(written(turn))[-1]["tool_calls"] for turn in (lines, lines, later))
    assert first == again
    assert len({made["id"] for made in (*first, *second)}) == 4


def test_a_version_without_done_reason_ends_with_done_alone() -> None:
    ending = line("stop")
    del ending["done_reason"]
    final = streamed(written([line(content="Hi"), ending]))[-1]
    assert (final["is_final"], final["stop_reason"]) == (True, "stop")
    assert "stop_reason_raw" not in final["metadata"]


def test_unknown_fields_and_values_are_ignored() -> None:
    odd = {**line(content="Hi", mood="good"), "news": {"a": [1]}}
    final = {**line("stop"), "usage": {"x": 1}, "done_reason": "stop"}
    assert streamed(written([odd, final])) == streamed(written([line(content="Hi"), line("stop")]))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": "m", "done": True},
        {**line(content="Hi"), "done": False},
        {"status": "ok"},
    ],
)
def test_a_body_without_an_answer_is_invalid(body: dict[str, Any]) -> None:
    assert answered(body)["fault"] == "InvalidResponse"


def test_a_body_without_done_is_a_response() -> None:
    body = {"model": "m", "created_at": TIME, "message": {"role": "assistant", "content": "Hi"}}
    assert answered(body) == {
        "content": "Hi",
        "model": "m",
        "stop_reason": "stop",
        "metadata": {"created_at": TIME},
    }


def test_an_error_in_a_body_with_status_200_is_a_fault() -> None:
    expected = {"fault": "ServerFailed", "provider": "ollama", "message": "boom", "evidence": '{"error":"boom"}'}
    assert answered({"error": "boom"}) == expected
