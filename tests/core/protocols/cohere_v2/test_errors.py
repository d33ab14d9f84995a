"""Errors of Cohere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.example_counts import scale_examples
from victor_fp import replay
from victor_fp.core.faults import Fault


def read_fault(status: int, body: object, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replay.response("cohere", status, named, data).failure()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "invalid request: p must be below 1", "InvalidRequest"),
        (400, "too many tokens: the prompt cannot exceed 4081", "ContextLengthExceeded"),
        (401, "invalid api token", "AuthRejected"),
        (402, "add or update your payment method", "QuotaExhausted"),
        (403, "you may not do this", "PermissionRefused"),
        (404, "model 'command-z' not found", "ModelNotFound"),
        (422, "message must not be empty", "InvalidRequest"),
        (429, "You are past the per minute request limit", "RateLimited"),
        (429, "This key is limited to 1000 API calls / month", "QuotaExhausted"),
        (498, "a token on the deny list", "ContentRefused"),
        (500, "internal", "ServerFailed"),
        (503, "try again", "Overloaded"),
        (504, "too slow", "ServerFailed"),
    ],
)
def test_status_and_phrase_classify_an_error(status: int, message: str, kind: str) -> None:
    reported = read_fault(status, {"id": "e-1", "message": message})
    assert (type(reported).__name__, reported.message, reported.status, reported.provider) == (
        kind,
        message,
        status,
        "cohere",
    )


def test_retry_after_and_request_id_are_read_from_headers() -> None:
    reported = read_fault(429, {"message": "slow down"}, Retry_After="3", X_Debug_Trace_Id="t-1")
    assert (reported.retry_after, reported.request_id) == (3.0, "t-1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 500"),
        (b"<html>Bad gateway</html>", "an HTML page"),
        (b"upstream is gone", "upstream is gone"),
        ("text", "text"),
        ([], "HTTP 500"),
        ([{"message": "first"}], "first"),
        ({"error": {"message": "nested"}}, "nested"),
        ({"detail": "elsewhere"}, "elsewhere"),
        ({"message": {"text": 5}}, '{"message":{"text":5}}'),
    ],
)
def test_any_body_is_a_fault(body: object, message: str) -> None:
    reported = read_fault(500, body)
    assert (type(reported).__name__, reported.message) == ("ServerFailed", message)


@settings(max_examples=scale_examples(60), deadline=None)
@given(st.integers(400, 599), st.binary(max_size=60))
def test_no_bytes_raise_when_errors_are_read(status: int, body: bytes) -> None:
    assert isinstance(read_fault(status, body), Fault.__args__)
