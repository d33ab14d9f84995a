"""Mistral's errors in their three formats, and errors of proxies in front of it."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.mistral.answers import read
from tests.core.protocols.openai_chat import answers

UNFIT = [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": {}}]


def build_model_error(type_: str, code: str | None = None, message: str = "no") -> dict[str, Any]:
    return {"object": "error", "message": message, "type": type_, "param": None, "code": code, "raw_status_code": 400}


CASES: list[tuple[str, int, Any]] = [
    ("AuthRejected", 401, {"detail": "no"}),
    ("AuthRejected", 401, {"message": "Unauthorized", "request_id": "r1"}),
    ("AuthRejected", 400, build_model_error("unauthorized")),
    ("ModelNotFound", 400, build_model_error("invalid_model", "1500")),
    ("RateLimited", 429, {"message": "Requests rate limit exceeded"}),
    ("RateLimited", 429, build_model_error("rate_limited", "1300")),
    ("RateLimited", 429, build_model_error("service_tier_capacity_exceeded", "3505")),
    ("InvalidRequest", 400, build_model_error("invalid_request_message_order", "3230")),
    ("InvalidRequest", 422, {"object": "error", "message": {"detail": UNFIT}, "type": "invalid_request_error"}),
    ("InvalidRequest", 422, {"detail": UNFIT}),
    (
        "ContextLengthExceeded",
        400,
        build_model_error(
            "invalid_request_error",
            "3051",
            "Prompt contains 9 tokens, too large for model with 4 maximum context length",
        ),
    ),
    ("ServerFailed", 500, build_model_error("internal_server_error", "1000")),
    ("Overloaded", 503, {"message": "failure to get a peer from the ring-balancer"}),
]


@pytest.mark.parametrize(("fault", "status", "body"), CASES)
def test_an_error_is_classified_by_code_then_status(fault: str, status: int, body: Any) -> None:
    found = read(body, status)
    assert (found["fault"], found["status"]) == (fault, status)
    assert found["message"]


@pytest.mark.parametrize(
    "body", [{"detail": "no"}, {"message": "no"}, build_model_error("invalid_model"), {"error": {"message": "no"}}]
)
def test_an_error_in_a_200_body_is_a_fault(body: Any) -> None:
    found = read(body)
    assert found["fault"] in ("ServerFailed", "ModelNotFound")
    assert found["message"] == "no"


def test_validation_errors_are_described(snapshot: SnapshotAssertion) -> None:
    assert snapshot == read({"detail": UNFIT}, 422)


@pytest.mark.parametrize("body", [b"", b"<html><title>502 Bad Gateway</title></html>", b"[]", b"\xff\xfe", b"42"])
def test_a_body_of_any_shape_is_a_fault(body: bytes) -> None:
    found = answers.read("mistral", body, 502)
    assert (found["fault"], found["status"]) == ("ServerFailed", 502)


def test_retry_after_and_request_id_are_reported() -> None:
    found = read(build_model_error("rate_limited", "1300"), 429, {"retry-after": "3", "x-request-id": "r"})
    assert (found["retry_after"], found["request_id"], found["code"]) == (3.0, "r", "1300")
