"""Decoded Replicate predictions, from bodies and streams."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.replicate.answers import (
    METRICS,
    build_prediction,
    encode_event,
    encode_sse,
    read_response,
    read_stream,
)
from tests.core.protocols.results import join_chunks
from tests.example_counts import scale_examples

BODIES: dict[str, dict[str, Any]] = {
    "text in pieces": build_prediction(output=["Hel", "lo", ""], metrics=METRICS),
    "one text": build_prediction(output="Hello"),
    "thinking in tags": build_prediction(output=["<thi", "nk>Hm</think>", "Yes"]),
    "empty": build_prediction(output=[]),
    "output that was removed": build_prediction(data_removed=True),
    "another kind of value": build_prediction(output={"json": {"city": "Rome"}}),
    "time without tokens": build_prediction(output="Hi", metrics={"predict_time": 2.0}),
    "a deployment": build_prediction(output="Hi", deployment="acme/chat"),
}
OVER: dict[str, dict[str, Any]] = {
    "failed": build_prediction("failed", error="CUDA error", output=["Hel"]),
    "failed without a word": build_prediction("failed"),
    "flagged": build_prediction("failed", error="The input was flagged as sensitive. (E005)"),
    "crowded": build_prediction("failed", error="Queue is full, try again later. (E003)"),
    "interrupted": build_prediction("failed", error="Prediction interrupted; please retry (code: PA)"),
    "too long": build_prediction("failed", error="E9001: prompt too long for this model"),
    "canceled": build_prediction("canceled"),
    "aborted": build_prediction("aborted"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_prediction_is_normalised(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_response(BODIES[name])


@pytest.mark.parametrize("name", OVER)
def test_a_prediction_without_an_answer_is_a_fault(name: str, snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_response(OVER[name])


@pytest.mark.parametrize("status", ["starting", "processing"])
def test_a_running_prediction_is_not_a_response(status: str) -> None:
    assert read_response(build_prediction(status))["fault"] == "InvalidResponse"


@pytest.mark.parametrize("body", [{}, [], "text", b"", b"<html>", b'{"id": "pre', {"id": "pred1"}])
def test_a_body_without_a_prediction_is_an_invalid_response(body: object) -> None:
    assert read_response(body)["fault"] == "InvalidResponse"


def test_an_error_body_in_place_of_a_prediction_is_a_fault() -> None:
    reported = read_response({"title": "Out of order", "detail": "come back later"})
    assert (reported["fault"], reported["message"]) == ("ServerFailed", "Out of order: come back later")


def test_a_stream(snapshot: SnapshotAssertion) -> None:
    assert snapshot == read_stream(
        encode_event("logs", "warming up").encode() + encode_sse(["Hel", "lo\n", "\n", " you", ""])
    )


def test_output_that_looks_like_json_is_text() -> None:
    assert join_chunks(read_stream(encode_sse(['{"a":', " 1}"])))["content"] == '{"a": 1}'


def test_data_after_the_end_is_ignored() -> None:
    assert read_stream(encode_sse(["Hi"]) + encode_event("output", "more").encode()) == read_stream(encode_sse(["Hi"]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [('{"detail": "CUDA error"}', "ServerFailed"), ("plain words", "ServerFailed"), ('"(E005)"', "ContentRefused")],
)
def test_an_error_event_keeps_partial_content(data: str, kind: str) -> None:
    reported = read_stream(
        encode_event("output", "Hel").encode()
        + encode_event("error", data).encode()
        + encode_sse([], {"reason": "error"})
    )[-1]
    assert (reported["fault"], reported["partial"]["content"], reported["maybe_billed"]) == (kind, "Hel", True)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ('{"detail": "CUDA error", "status": 500}', "ServerFailed"),
        ('{"title": "Too many requests", "status": 429}', "RateLimited"),
        ('{"title": "Gateway timeout"}', "ServerFailed"),
    ],
)
@pytest.mark.parametrize("name", ["", "event: message\n"])
def test_a_problem_in_an_event_without_a_name_is_a_fault(data: str, kind: str, name: str) -> None:
    reported = read_stream(
        encode_event("output", "Hel").encode() + f"{name}data: {data}\n\n".encode() + encode_sse([])
    )[-1]
    assert (reported["fault"], reported["partial"]["content"]) == (kind, "Hel")


def test_another_event_without_a_name_is_not_part_of_the_output() -> None:
    extra = b'data: {"id": 1, "error": null}\n\ndata: words\n\n'
    assert read_stream(encode_event("output", "Hel").encode() + extra + encode_sse(["lo"])) == read_stream(
        encode_sse(["Hel", "lo"])
    )


@pytest.mark.parametrize(
    ("reason", "kind"), [("canceled", "Cancelled"), ("error", "ServerFailed"), ("odd", "ServerFailed")]
)
def test_an_end_with_a_reason_is_a_fault(reason: str, kind: str) -> None:
    assert read_stream(encode_sse(["Hel"], {"reason": reason}))[-1]["fault"] == kind


def test_a_truncated_stream_keeps_partial_content() -> None:
    reported = read_stream(encode_event("output", "Hel").encode())[-1]
    assert (reported["fault"], reported["partial"]["content"]) == ("StreamTruncated", "Hel")


PIECES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=9), max_size=6)


@settings(max_examples=scale_examples(80), deadline=None)
@given(PIECES)
def test_a_stream_folds_to_the_same_response_as_its_body(pieces: list[str]) -> None:
    whole = read_response(build_prediction(output=pieces))
    facts = {name: whole.pop(name) for name in ("model", "metadata")}
    reported = join_chunks(read_stream(encode_sse(pieces)))
    # Only a body has the prediction's metadata. Both have text, thinking and the end.
    assert {name: reported.get("metadata", {}).get(name) for name in ("reasoning_content", "provider_state")} == {
        name: facts["metadata"].get(name) for name in ("reasoning_content", "provider_state")
    }
    reported.pop("metadata", None)
    assert reported == whole


@settings(max_examples=scale_examples(50), deadline=None)
@given(PIECES, st.integers(1, 20))
def test_chunk_boundaries_do_not_change_the_response(pieces: list[str], size: int) -> None:
    data = encode_sse(pieces)
    assert read_stream(data, size=size) == read_stream(data)
    assert read_stream(data.replace(b"\n", b"\r\n"), size=size) == read_stream(data)


@settings(max_examples=scale_examples(50), deadline=None)
@given(PIECES, st.data())
def test_a_truncated_stream_is_never_a_completion(pieces: list[str], data: st.DataObject) -> None:
    whole = "".join(encode_event("output", piece) for piece in pieces).encode()
    kept = whole[: data.draw(st.integers(0, len(whole)))]
    assert read_stream(kept)[-1]["fault"] == "StreamTruncated"
