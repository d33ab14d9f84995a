"""Errors are classified by type, then by status, in bodies and streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core.protocols.anthropic_messages.answers import (
    build_message,
    build_text,
    encode_sse,
    events,
    read_response,
    read_stream,
)


def build_error(type_: str, words: str = "No.", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type_, "message": words, **more}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "type_", "fault"),
    [
        (400, "invalid_request_error", "InvalidRequest"),
        (401, "authentication_error", "AuthRejected"),
        (402, "billing_error", "QuotaExhausted"),
        (403, "permission_error", "PermissionRefused"),
        (404, "not_found_error", "ModelNotFound"),
        (413, "request_too_large", "InvalidRequest"),
        (429, "rate_limit_error", "RateLimited"),
        (500, "api_error", "ServerFailed"),
        (504, "timeout_error", "TimedOut"),
        (529, "overloaded_error", "Overloaded"),
        (503, "yet_unknown", "Overloaded"),
        (418, "yet_unknown", "InvalidRequest"),
    ],
)
def test_every_type_and_status_has_its_fault(status: int, type_: str, fault: str) -> None:
    read = read_response(build_error(type_), status=status)
    assert (read["fault"], read["status"], read["code"]) == (fault, status, type_)
    assert (read["message"], read["request_id"], read["provider"]) == ("No.", "req_1", "anthropic")


@pytest.mark.parametrize(
    ("status", "type_", "fault"),
    [(401, "invalid_request_error", "AuthRejected"), (400, "authentication_error", "AuthRejected")],
)
def test_a_specific_type_overrides_the_status_and_a_general_one_does_not(status: int, type_: str, fault: str) -> None:
    assert read_response(build_error(type_), status=status)["fault"] == fault


@pytest.mark.parametrize(
    "words",
    ["prompt is too long: 210000 tokens > 200000 maximum", "input length and max_tokens exceed context limit", ""],
)
def test_a_context_overflow_is_recognised_by_its_wording(words: str) -> None:
    read = read_response(build_error("invalid_request_error", words), status=400)
    assert read["fault"] == ("ContextLengthExceeded" if words else "InvalidRequest")


def test_the_request_id_of_the_header_wins() -> None:
    read = read_response(build_error("api_error"), status=500, headers={"Request-Id": "req_h"})
    assert read["request_id"] == "req_h"


def test_retry_after_is_read_from_the_header_and_absent_without_one() -> None:
    assert (
        read_response(build_error("rate_limit_error"), status=429, headers={"retry-after": "7"})["retry_after"] == 7.0
    )
    assert "retry_after" not in read_response(build_error("rate_limit_error"), status=429)


@pytest.mark.parametrize(
    ("body", "status", "fault", "words"),
    [
        (b"", 502, "ServerFailed", "HTTP 502"),
        (b"<html><body>Bad gateway</body></html>", 502, "ServerFailed", "an HTML page"),
        (b"upstream connect error", 503, "Overloaded", "upstream connect error"),
        (b"\xff\xfe", 500, "ServerFailed", "\ufffd\ufffd"),
        (b'{"error": "no such route"}', 404, "ModelNotFound", "no such route"),
        (b'{"message": "slow down"}', 429, "RateLimited", "slow down"),
        (b"null", 500, "ServerFailed", "HTTP 500"),
    ],
)
def test_bodies_of_any_other_form_are_read_too(body: bytes, status: int, fault: str, words: str | None) -> None:
    read = read_response(body, status=status)
    assert (read["fault"], read.get("message")) == (fault, words)


def test_llama_cpp_reports_a_context_overflow_by_type() -> None:
    body = {"error": {"code": 400, "type": "exceed_context_size_error", "message": "too big", "n_ctx": 512}}
    assert read_response(body, status=400)["fault"] == "ContextLengthExceeded"


def test_googles_codes_are_known_and_its_lists_opened() -> None:
    body = [{"error": {"code": 403, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}}]
    assert read_response(body, status=429)["fault"] == "RateLimited"
    assert read_response(body, status=403)["fault"] == "PermissionRefused", "a final 4xx is no rate limit"


def test_an_error_in_a_200_body_is_a_fault_and_not_a_completion() -> None:
    assert read_response(build_error("overloaded_error"))["fault"] == "Overloaded"
    assert read_response(build_error("invalid_request_error", "prompt is too long"))["fault"] == "ContextLengthExceeded"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"object": "list"}', b'"text"'])
def test_a_200_body_without_a_message_is_an_invalid_response(body: bytes) -> None:
    assert read_response(body)["fault"] == "InvalidResponse"


# Inside a stream


def read_stream_fault(place: int, *faulty: dict[str, Any]) -> dict[str, Any]:
    return read_stream(encode_sse([*events(build_message(build_text("Hello")))[:place], *faulty]))[-1]


@pytest.mark.parametrize(
    ("type_", "fault"),
    [
        ("overloaded_error", "Overloaded"),
        ("api_error", "ServerFailed"),
        ("rate_limit_error", "RateLimited"),
        ("invalid_request_error", "InvalidRequest"),
        ("yet_unknown", "ServerFailed"),
    ],
)
def test_an_error_event_is_a_fault_with_partial_content(type_: str, fault: str) -> None:
    read = read_stream_fault(5, build_error(type_))
    assert (read["fault"], read["partial"]["content"], read["maybe_billed"]) == (fault, "Hello", True)
    assert (read["code"], read["request_id"]) == (type_, "req_1")


def test_an_error_before_any_content_is_not_billed() -> None:
    read = read_stream_fault(0, build_error("overloaded_error"))
    assert read["fault"] == "Overloaded"
    assert "maybe_billed" not in read
    assert "partial" not in read


def test_an_error_without_a_type_is_an_error() -> None:
    body = b'data: {"error": {"code": 529, "message": "busy"}}\n\n'
    assert read_stream(body)[-1]["fault"] == "Overloaded"


def test_an_event_that_is_not_json_is_an_invalid_response() -> None:
    assert read_stream(b"event: message_start\ndata: {oops\n\n")[-1]["fault"] == "InvalidResponse"


def test_a_json_error_instead_of_a_stream_is_read_like_one() -> None:
    assert read_stream(json.dumps(build_error("overloaded_error")).encode())[-1]["fault"] == "Overloaded"
