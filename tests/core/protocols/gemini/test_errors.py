"""Google's errors as faults: classified by reason and code, and by the message only without them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from victor_fp import replay

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}


def build_quota_detail(id_: str, value: str = "10") -> dict[str, Any]:
    return {"@type": "QuotaFailure", "violations": [{"quotaId": id_, "quotaValue": value}]}


def build_reason_detail(word: str) -> dict[str, Any]:
    return {"@type": "ErrorInfo", "reason": word, "domain": "googleapis.com", "metadata": {"service": "x"}}


def build_error(
    code: int, status: str, message: str = "Something is wrong.", *details: dict[str, Any]
) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def read_fault(status: int, body: object, headers: dict[str, str] | None = None) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replay.response("google", status, headers or {}, data).failure()


ERRORS: list[tuple[str, int, dict[str, Any]]] = [
    ("AuthRejected", 400, build_error(400, "INVALID_ARGUMENT", "Bad key.", build_reason_detail("API_KEY_INVALID"))),
    ("AuthRejected", 400, build_error(400, "INVALID_ARGUMENT", "API key not valid. Try another.")),
    ("AuthRejected", 403, build_error(403, "PERMISSION_DENIED", "Not for unregistered callers.")),
    ("AuthRejected", 401, build_error(401, "UNAUTHENTICATED")),
    ("PermissionRefused", 403, build_error(403, "PERMISSION_DENIED")),
    ("PermissionRefused", 403, build_error(403, "PERMISSION_DENIED", "Off.", build_reason_detail("SERVICE_DISABLED"))),
    ("ModelNotFound", 404, build_error(404, "NOT_FOUND", "models/x is not found.")),
    ("InvalidRequest", 400, build_error(400, "INVALID_ARGUMENT")),
    ("InvalidRequest", 400, build_error(400, "FAILED_PRECONDITION")),
    ("InvalidRequest", 400, build_error(400, "INVALID_ARGUMENT", "max 5000 tokens, not 503")),
    (
        "ContextLengthExceeded",
        400,
        build_error(
            400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."
        ),
    ),
    (
        "RateLimited",
        429,
        build_error(429, "RESOURCE_EXHAUSTED", "Slow down.", build_quota_detail("RequestsPerMinute"), RETRY),
    ),
    (
        "QuotaExhausted",
        429,
        build_error(429, "RESOURCE_EXHAUSTED", "Enough.", build_quota_detail("RequestsPerDayPerProject"), RETRY),
    ),
    (
        "QuotaExhausted",
        429,
        build_error(429, "RESOURCE_EXHAUSTED", "None.", build_quota_detail("RequestsPerMinute", "0")),
    ),
    ("QuotaExhausted", 429, build_error(429, "RESOURCE_EXHAUSTED", "Your prepaid credits are depleted.")),
    ("InvalidRequest", 413, build_error(413, "RESOURCE_EXHAUSTED", "Request payload too large.")),
    ("ServerFailed", 500, build_error(500, "INTERNAL")),
    ("Overloaded", 503, build_error(503, "UNAVAILABLE")),
    ("TimedOut", 504, build_error(504, "DEADLINE_EXCEEDED")),
    ("ServerFailed", 418 + 100, build_error(518, "NEVER_HEARD_OF")),
]


@pytest.mark.parametrize(("kind", "status", "body"), ERRORS)
def test_an_error_is_classified(kind: str, status: int, body: dict[str, Any]) -> None:
    found = read_fault(status, body)
    assert (type(found).__name__, found.status, found.provider) == (kind, status, "google")
    assert found.message == body["error"]["message"]


@pytest.mark.parametrize(("kind", "status", "body"), ERRORS)
def test_an_error_in_an_array_is_the_same(kind: str, status: int, body: dict[str, Any]) -> None:
    alone = read_fault(status, body)
    assert replace(read_fault(status, [body]), evidence=alone.evidence) == alone


def test_retry_after_is_read_from_the_body_or_the_headers() -> None:
    limited = build_error(429, "RESOURCE_EXHAUSTED", "Slow down.", RETRY)
    assert read_fault(429, limited).retry_after == 34.5
    assert read_fault(429, limited, {"Retry-After": "7"}).retry_after == 7
    assert read_fault(429, build_error(429, "RESOURCE_EXHAUSTED")).retry_after is None


def test_the_most_specific_code_is_kept() -> None:
    assert (
        read_fault(400, build_error(400, "INVALID_ARGUMENT", "", build_reason_detail("API_KEY_INVALID"))).code
        == "API_KEY_INVALID"
    )
    assert read_fault(503, build_error(503, "UNAVAILABLE")).code == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<!DOCTYPE html><html><title>Error 502 (Server Error)</title></html>", "Error 502 (Server Error)"),
        (b"<html></html>", "an HTML page"),
        (b"", "HTTP 502"),
        (b"upstream gone", "upstream gone"),
        (b"\xff\xfe", "��"),
        (b'{"error": "no luck"}', "no luck"),
        (b'{"message": "no luck"}', "no luck"),
        (b'{"error": {"code": "x", "message": ["odd"]}}', "odd"),
        (b"[]", "HTTP 502"),
        (b"[1]", "[1]"),
        (b"null", "HTTP 502"),
    ],
)
def test_any_body_is_a_fault(body: bytes, message: str) -> None:
    found = read_fault(502, body)
    assert (type(found).__name__, found.message) == ("ServerFailed", message)
