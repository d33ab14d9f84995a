"""Errors of Ollama."""

from __future__ import annotations

import json
from typing import Any

import pytest
from returns.result import Failure

from victor_fp import replay
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.result import outcome


def read_fault(status: int, body: bytes, headers: dict[str, str] | None = None) -> Fault:
    result = outcome(replay.response("ollama", status, headers or {}, body))
    assert isinstance(result, Failure)
    return result.failure()


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (404, "model 'nope' not found", "ModelNotFound"),
        (400, "invalid model name", "InvalidRequest"),
        (400, '"tiny" does not support tools', "UnsupportedParameter"),
        (400, '"tiny" does not support thinking', "UnsupportedParameter"),
        (400, '"tiny" does not support chat', "InvalidRequest"),
        (400, "the input length exceeds the context length", "ContextLengthExceeded"),
        (400, "json: cannot unmarshal string into Go struct field", "InvalidRequest"),
        (401, "unauthorized", "AuthRejected"),
        (403, "this model needs a subscription", "PermissionRefused"),
        (429, "too many concurrent requests", "RateLimited"),
        (500, "model runner has unexpectedly stopped", "ServerFailed"),
        (502, "upstream error", "ServerFailed"),
        (503, "server busy, please try again. maximum pending requests exceeded", "Overloaded"),
    ],
)
def test_status_and_text_give_the_fault(status: int, text: str, kind: str) -> None:
    fault = read_fault(status, json.dumps({"error": text}).encode())
    assert (type(fault).__name__, fault.status, fault.message, fault.provider) == (kind, status, text, "ollama")


@pytest.mark.parametrize(
    ("lacks", "parameter"), [("tools", "tools"), ("thinking", "reasoning_effort"), ("vision", "messages")]
)
def test_a_capability_that_the_model_lacks_names_the_parameter(lacks: str, parameter: str) -> None:
    fault = read_fault(400, json.dumps({"error": f'"tiny" does not support {lacks}'}).encode())
    assert isinstance(fault, UnsupportedParameter)
    assert fault.parameter == parameter


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "HTTP 500"),
        (b"404 page not found", "404 page not found"),
        (b"<html><body>Bad gateway</body></html>", "an HTML page"),
        (b'{"error": {"message": "nested", "type": "x"}}', "nested"),
        (b'{"message": "from a proxy"}', "from a proxy"),
        (b'{"error": null}', '{"error":null}'),
        (b"[1, 2]", "[1,2]"),
        (b'"text"', "text"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 5000, "x" * 1999 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_a_body_in_any_format_gives_a_message(body: bytes, message: str) -> None:
    fault = read_fault(500, body)
    assert (type(fault).__name__, fault.message) == ("ServerFailed", message)


def test_retry_after_is_read() -> None:
    body: dict[str, Any] = {"error": "too many requests"}
    assert read_fault(429, json.dumps(body).encode(), {"Retry-After": "7"}).retry_after == 7.0
