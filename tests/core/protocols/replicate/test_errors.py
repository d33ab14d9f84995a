"""Errors of Replicate."""

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
    return replay.response("replicate", status, named, data).failure()


@pytest.mark.parametrize(
    ("status", "title", "detail", "kind"),
    [
        (400, "Bad request", "no such thing", "InvalidRequest"),
        (401, "Unauthenticated", "no valid token", "AuthRejected"),
        (402, "Insufficient credit", "buy more", "QuotaExhausted"),
        (403, "Forbidden", "not yours", "PermissionRefused"),
        (404, "", "The resource is not there", "ModelNotFound"),
        (422, "Input validation failed", "- input: prompt is required", "InvalidRequest"),
        (422, "Invalid version or not permitted", "The version is gone", "ModelNotFound"),
        (429, "Too many requests", "throttled", "RateLimited"),
        (500, "Internal error", "sorry", "ServerFailed"),
        (503, "", "busy", "Overloaded"),
    ],
)
def test_a_problem_is_a_fault(status: int, title: str, detail: str, kind: str) -> None:
    reported = read_fault(status, {"title": title, "detail": detail, "status": status})
    words = f"{title}: {detail}" if title else detail
    assert (type(reported).__name__, reported.message, reported.status, reported.provider) == (
        kind,
        words,
        status,
        "replicate",
    )


def test_retry_after_is_read_from_a_header_or_the_body() -> None:
    assert read_fault(429, {"detail": "slow down", "retry_after": 9}).retry_after == 9.0
    assert read_fault(429, {"detail": "slow down", "retry_after": 9}, Retry_After="2").retry_after == 2.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 500"),
        (b"<html>Bad gateway</html>", "an HTML page"),
        (b"upstream is gone", "upstream is gone"),
        ("text", "text"),
        ([], "HTTP 500"),
        ({"error": "nested"}, "nested"),
        ({"detail": [{"msg": "wrong"}]}, "wrong"),
    ],
)
def test_any_body_is_a_fault(body: object, message: str) -> None:
    reported = read_fault(500, body)
    assert (type(reported).__name__, reported.message) == ("ServerFailed", message)


@settings(max_examples=scale_examples(60), deadline=None)
@given(st.integers(400, 599), st.binary(max_size=60))
def test_no_bytes_raise_when_errors_are_read(status: int, body: bytes) -> None:
    assert isinstance(read_fault(status, body), Fault.__args__)
