"""Errors by code, then by status: the vendors' bodies in all their shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.core.protocols.openai_chat.answers import read

CASES: list[tuple[str, str, int, Any]] = [
    (
        "AuthRejected",
        "openai",
        401,
        {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}},
    ),
    (
        "AuthRejected",
        "deepseek",
        401,
        {"error": {"message": "no", "type": "authentication_error", "code": "invalid_request_error"}},
    ),
    ("AuthRejected", "xai", 400, {"code": "invalid-argument", "error": "Incorrect API key provided: ab***yz."}),
    ("AuthRejected", "zai", 401, {"error": {"code": "1001", "message": "no"}}),
    ("AuthRejected", "vllm", 401, {"detail": "no"}),
    ("PermissionRefused", "openai", 403, {"error": {"message": "no"}}),
    (
        "QuotaExhausted",
        "openai",
        429,
        {"error": {"message": "pay", "type": "insufficient_quota", "code": "insufficient_quota"}},
    ),
    ("QuotaExhausted", "deepseek", 402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}),
    ("QuotaExhausted", "zai", 429, {"error": {"code": "1113", "message": "pay"}}),
    ("QuotaExhausted", "moonshot", 429, {"error": {"type": "exceeded_current_quota_error", "message": "pay"}}),
    ("QuotaExhausted", "qwen", 400, {"error": {"code": "Arrearage", "message": "pay"}}),
    ("RateLimited", "groq", 429, {"error": {"message": "wait", "code": "rate_limit_exceeded"}}),
    ("RateLimited", "openrouter", 429, {"error": {"message": "wait", "code": 429}, "user_id": "u"}),
    (
        "RateLimited",
        "cerebras",
        429,
        {"message": "wait", "type": "too_many_requests_error", "code": "token_quota_exceeded"},
    ),
    ("ModelNotFound", "openai", 404, {"error": {"message": "no such model", "code": "model_not_found"}}),
    ("ModelNotFound", "azure", 404, {"error": {"message": "no", "code": "DeploymentNotFound"}}),
    ("ModelNotFound", "openrouter", 400, {"error": {"message": "x/y is not a valid model ID", "code": 400}}),
    ("ContextLengthExceeded", "openai", 400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
    (
        "ContextLengthExceeded",
        "llamacpp",
        400,
        {"error": {"code": 400, "message": "long", "type": "exceed_context_size_error", "n_prompt_tokens": 9}},
    ),
    (
        "ContextLengthExceeded",
        "vllm",
        400,
        {"error": {"message": "This model's maximum context length is 4096 tokens.", "code": 400}},
    ),
    ("ContextLengthExceeded", "zai", 400, {"error": {"code": "1261", "message": "Prompt too long"}}),
    (
        "ContextLengthExceeded",
        "openrouter",
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"error":{"code":"context_length_exceeded"}}'},
            }
        },
    ),
    (
        "ContentRefused",
        "azure",
        400,
        {
            "error": {
                "message": "filtered",
                "code": "content_filter",
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
    ),
    ("ContentRefused", "qwen", 400, {"error": {"code": "data_inspection_failed", "message": "no"}}),
    (
        "UnsupportedParameter",
        "openai",
        400,
        {"error": {"message": "Unsupported parameter", "param": "max_tokens", "code": "unsupported_parameter"}},
    ),
    ("Overloaded", "llamacpp", 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}),
    ("Overloaded", "moonshot", 429, {"error": {"type": "engine_overloaded_error", "message": "busy"}}),
    ("Overloaded", "huggingface", 529, {"error": "busy"}),
    (
        "ServerFailed",
        "llamacpp",
        500,
        {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}},
    ),
    (
        "InvalidRequest",
        "groq",
        400,
        {
            "error": {
                "message": "no call",
                "type": "invalid_request_error",
                "code": "tool_use_failed",
                "failed_generation": "x",
            }
        },
    ),
    ("InvalidRequest", "mlx", 400, {"error": "Invalid JSON in request body"}),
    ("InvalidRequest", "vllm", 422, {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}),
    ("InvalidRequest", "deepseek", 413, {"error": {"message": "too much"}}),
    ("TimedOut", "openai", 408, {"error": {"message": "slow"}}),
]


@pytest.mark.parametrize(("fault", "provider", "status", "answer"), CASES)
def test_an_error_is_classified_by_code_then_status(fault: str, provider: str, status: int, answer: Any) -> None:
    found = read(provider, json.dumps(answer).encode(), status)
    assert (found["fault"], found["status"]) == (fault, status)
    assert found["message"]


ODD: dict[str, tuple[int, bytes]] = {
    "a page": (502, b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
    "a page without a title": (503, b"<!doctype html><p>maintenance</p>"),
    "plain words": (404, b"Not Found"),
    "nothing": (500, b""),
    "an array around it": (
        400,
        b'[{"error": {"message": "API key not valid", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]',
    ),
    "no words": (400, b'{"error": {"code": "strange"}}'),
    "bytes that are no text": (500, b"\xff\xfe\x00"),
    "a number": (400, b"42"),
    "words in a list": (400, b'{"message": [{"field": "messages"}]}'),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_body_of_any_shape_is_a_fault(kind: str, snapshot: SnapshotAssertion) -> None:
    status, answer = ODD[kind]
    assert snapshot == read("openai", answer, status)


def test_the_parameter_that_was_refused_is_named() -> None:
    answer = {"error": {"message": "no", "param": "temperature", "code": "unsupported_value"}}
    assert read("openai", json.dumps(answer).encode(), 400)["parameter"] == "temperature"


@pytest.mark.parametrize(
    ("headers", "extra", "seconds"),
    [
        ({"retry-after": "7"}, {}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, {}, 0.25),
        ({}, {"retry_after": 3}, 3.0),
        ({}, {"metadata": {"retry_after_seconds": 4.5}}, 4.5),
        ({}, {"details": [{"@type": "RetryInfo", "retryDelay": "34.4s"}]}, 34.4),
        ({"retry-after": "7"}, {"retry_after": 3}, 7.0),
        ({}, {}, None),
    ],
)
def test_retry_after_is_read_from_the_headers_and_else_from_the_body(
    headers: dict[str, str], extra: dict[str, Any], seconds: float | None
) -> None:
    answer = json.dumps({"error": {"message": "wait", **extra}}).encode()
    assert read("openrouter", answer, 429, headers).get("retry_after") == seconds


def test_a_refused_key_is_not_repeated() -> None:
    answer = {
        "error": {"message": "Incorrect API key provided: sk-secret-key-1234. Look it up.", "code": "invalid_api_key"}
    }
    message = read("openai", json.dumps(answer).encode(), 401)["message"]
    assert "secret" not in message
    assert message.endswith("Look it up.")


def test_the_request_id_is_kept() -> None:
    assert read("openai", b"{}", 500, {"X-Request-Id": "req_1"})["request_id"] == "req_1"
