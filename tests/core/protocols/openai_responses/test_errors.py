"""Errors in bodies, in streams and in both."""

from __future__ import annotations

import json
from typing import Any

import pytest
from returns.result import Failure

from tests.core.protocols.openai_responses.answers import (
    build_message,
    describe_fault,
    encode_sse,
    events,
    read_stream,
    response,
)
from victor_fp import replay
from victor_fp.core.result import outcome


def read_fault(status: int, body: bytes | Any, *, provider: str = "openai-responses", **headers: str) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    result = outcome(replay.response(provider, status, {k.replace("_", "-"): v for k, v in headers.items()}, data))
    assert isinstance(result, Failure)
    return describe_fault(result.failure())


def build_error(
    code: str | None, kind: str = "invalid_request_error", said: str = "No.", **more: Any
) -> dict[str, Any]:
    return {"error": {"code": code, "type": kind, "message": said, "param": None, **more}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, build_error("context_length_exceeded"), "ContextLengthExceeded"),
        (400, build_error("model_not_found"), "ModelNotFound"),
        (400, build_error("invalid_prompt"), "ContentRefused"),
        (400, build_error("content_filter"), "ContentRefused"),
        (400, build_error("invalid_value"), "InvalidRequest"),
        (401, build_error("invalid_api_key"), "AuthRejected"),
        (403, build_error("unsupported_country_region_territory"), "PermissionRefused"),
        (404, build_error(None, said="Item with id 'rs_1' not found."), "ModelNotFound"),
        (429, build_error("insufficient_quota", "insufficient_quota"), "QuotaExhausted"),
        (429, build_error("rate_limit_exceeded", "tokens"), "RateLimited"),
        (500, build_error("server_error", "server_error"), "ServerFailed"),
        (503, {"error": {"message": "overloaded"}}, "Overloaded"),
        (502, b"<html><title>Bad gateway</title></html>", "ServerFailed"),
        (500, b"", "ServerFailed"),
        (500, b"[1, 2]", "ServerFailed"),
        (400, b'"no"', "InvalidRequest"),
    ],
)
def test_codes_and_statuses_give_the_fault(status: int, body: Any, kind: str) -> None:
    fault = read_fault(status, body)
    assert (fault["fault"], fault["status"]) == (kind, status)


def test_a_refused_parameter_is_named() -> None:
    fault = read_fault(400, build_error("unsupported_parameter", param="temperature"))
    assert (fault["fault"], fault["parameter"]) == ("UnsupportedParameter", "temperature")


def test_an_invalid_xai_key_is_recognised_by_its_message() -> None:
    body = {"code": "invalid-argument", "error": "Incorrect API key provided. You can obtain one from the console."}
    assert read_fault(400, body, provider="xai-responses")["fault"] == "AuthRejected"


def test_a_context_overflow_of_a_local_server_is_recognised_by_its_type() -> None:
    body = {"error": {"code": 400, "message": "too large", "type": "exceed_context_size_error", "n_ctx": 2048}}
    assert read_fault(400, body, provider="llamacpp-responses")["fault"] == "ContextLengthExceeded"


def test_retry_after_and_the_request_id_are_read() -> None:
    fault = read_fault(429, build_error("rate_limit_exceeded"), retry_after="3", x_request_id="req_1")
    assert (fault["retry_after"], fault["request_id"]) == (3.0, "req_1")


# Inside a stream

BEGUN = events(response(build_message("Hello")))[:6]
VAGUE = {"type": "error", "error": {"type": "server_error_42", "message": "Something went wrong"}}
TELLING = {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "Slow down"}}


def build_failed_event(code: str | None, said: str = "From the end.") -> dict[str, Any]:
    error = {"code": code, "message": said}
    return {"type": "response.failed", "response": response(status="failed", error=error)}


@pytest.mark.parametrize(
    ("story", "kind", "said"),
    [
        ([TELLING, build_failed_event("server_error")], "RateLimited", "Slow down"),
        ([TELLING], "RateLimited", "Slow down"),
        ([VAGUE, build_failed_event("rate_limit_exceeded")], "RateLimited", "From the end."),
        ([VAGUE, build_failed_event("odd")], "ServerFailed", "Something went wrong"),
        ([VAGUE, *events(response(build_message("Hi")))], "ServerFailed", "Something went wrong"),
        ([VAGUE], "ServerFailed", "Something went wrong"),
        ([build_failed_event("insufficient_quota")], "QuotaExhausted", "From the end."),
    ],
)
def test_the_more_specific_of_error_and_failed_events_is_used(
    story: list[dict[str, Any]], kind: str, said: str
) -> None:
    fault = read_stream(encode_sse([*BEGUN, *story]))
    assert (fault["fault"], fault["message"], fault["partial"]["content"]) == (kind, said, "Hello")
    assert read_stream(encode_sse([*BEGUN, *story]), size=11) == fault


@pytest.mark.parametrize(
    "frame",
    [
        b'event: error\ndata: {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": null}\n\n',
        b'event: error\ndata: {"error": {"code": "rate_limit_exceeded", "message": "Slow down"}}\n\n',
        b'event: error\ndata: {"code": "rate_limit_exceeded", "message": "Slow down"}\n\n',
        b'data: {"error": {"code": "rate_limit_exceeded", "message": "Slow down"}}\n\n',
        b'data: {"type": "oops", "error": {"code": "rate_limit_exceeded", "message": "Slow down"}}\n\n',
    ],
)
def test_an_error_in_any_of_its_forms(frame: bytes) -> None:
    fault = read_stream(encode_sse(BEGUN) + frame)
    assert (fault["fault"], fault["message"]) == ("RateLimited", "Slow down")


def test_an_error_in_a_body_is_the_same_fault_as_its_event() -> None:
    whole = response(status="failed", error={"code": "rate_limit_exceeded", "message": "Slow down"})
    of_body = read_fault(200, whole)
    for type_ in ("response.failed", "response.completed", "response.incomplete"):
        of_stream = read_stream(encode_sse([{"type": type_, "response": whole}]))
        assert (of_body["fault"], of_body["message"], of_body["code"]) == (
            of_stream["fault"],
            of_stream["message"],
            of_stream["code"],
        )
