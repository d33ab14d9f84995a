"""Errors are classified by the exception's name, then by status, in bodies and streams."""

from __future__ import annotations

from typing import Any

import pytest

from tests import aws_frames
from tests.core.protocols.bedrock_converse.answers import (
    answer,
    build_text,
    encode_frames,
    events,
    read_response,
    read_stream,
)


def read_fault(name: str, status: int, words: str = "No.") -> dict[str, Any]:
    header = f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"
    return read_response(
        {"message": words}, status=status, headers={"x-amzn-errortype": header, "x-amzn-requestid": "r-1"}
    )


@pytest.mark.parametrize(
    ("name", "status", "fault"),
    [
        ("ValidationException", 400, "InvalidRequest"),
        ("AccessDeniedException", 403, "PermissionRefused"),
        ("UnrecognizedClientException", 403, "AuthRejected"),
        ("ExpiredTokenException", 403, "AuthRejected"),
        ("InvalidSignatureException", 403, "AuthRejected"),
        ("MissingAuthenticationTokenException", 403, "AuthRejected"),
        ("ResourceNotFoundException", 404, "ModelNotFound"),
        ("ModelTimeoutException", 408, "TimedOut"),
        ("ModelErrorException", 424, "ServerFailed"),
        ("ThrottlingException", 429, "RateLimited"),
        ("ModelNotReadyException", 429, "Overloaded"),
        ("ServiceQuotaExceededException", 400, "QuotaExhausted"),
        ("InternalServerException", 500, "ServerFailed"),
        ("ServiceUnavailableException", 503, "Overloaded"),
        ("YetUnknownException", 418, "InvalidRequest"),
        ("YetUnknownException", 502, "ServerFailed"),
    ],
)
def test_every_exception_has_its_fault(name: str, status: int, fault: str) -> None:
    read = read_fault(name, status)
    assert (read["fault"], read["status"], read["code"]) == (fault, status, name)
    assert (read["message"], read["request_id"], read["provider"]) == ("No.", "r-1", "bedrock")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("Input is too long for requested model.", "ContextLengthExceeded"),
        ("prompt is too long: 210000 tokens > 200000 maximum", "ContextLengthExceeded"),
        ("The provided model identifier is invalid.", "ModelNotFound"),
        ("Invocation of model ID x with on-demand throughput isn't supported.", "ModelNotFound"),
        ("The text field is blank.", "InvalidRequest"),
    ],
)
def test_a_validation_exception_is_classified_by_its_message(words: str, fault: str) -> None:
    assert read_fault("ValidationException", 400, words)["fault"] == fault


def test_a_wrong_bearer_key_comes_as_a_denied_access() -> None:
    words = "Authentication failed: Please make sure your API Key is valid."
    assert read_fault("AccessDeniedException", 403, words)["fault"] == "AuthRejected"


@pytest.mark.parametrize(
    ("body", "status", "fault", "words"),
    [
        (b"", 502, "ServerFailed", "HTTP 502"),
        (b"<html><body>Bad gateway</body></html>", 502, "ServerFailed", "an HTML page"),
        (b"upstream connect error", 503, "Overloaded", "upstream connect error"),
        (b"\xff\xfe", 500, "ServerFailed", "\ufffd\ufffd"),
        (b'{"Message": "User is not authorized"}', 403, "PermissionRefused", "User is not authorized"),
        (b'{"__type": "com.amazon.coral.service#ExpiredToken", "message": "old"}', 403, "AuthRejected", "old"),
        (b'{"error": "no such route"}', 404, "ModelNotFound", "no such route"),
        (b'["odd"]', 400, "InvalidRequest", "odd"),
        (b"null", 500, "ServerFailed", "HTTP 500"),
    ],
)
def test_bodies_of_any_other_form_are_read_too(body: bytes, status: int, fault: str, words: str | None) -> None:
    read = read_response(body, status=status)
    assert (read["fault"], read.get("message")) == (fault, words)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"output": {}}', b'"text"'])
def test_a_200_body_without_a_message_is_an_invalid_response(body: bytes) -> None:
    assert read_response(body)["fault"] == "InvalidResponse"


def test_an_exception_in_a_200_body_is_a_fault_and_not_a_completion() -> None:
    assert read_response({"__type": "ThrottlingException", "message": "slow"})["fault"] == "RateLimited"


# Inside a stream


def read_stream_fault(place: int, faulty: bytes) -> dict[str, Any]:
    return read_stream(encode_frames(events(answer(build_text("Hello")))[:place]) + faulty)[-1]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("throttlingException", "RateLimited"),
        ("validationException", "InvalidRequest"),
        ("internalServerException", "ServerFailed"),
        ("serviceUnavailableException", "Overloaded"),
        ("modelStreamErrorException", "ServerFailed"),
        ("yetUnknownException", "ServerFailed"),
    ],
)
def test_an_exception_frame_is_a_fault_with_partial_content(name: str, fault: str) -> None:
    read = read_stream_fault(3, aws_frames.encode_exception(name, {"message": "No."}))
    assert (read["fault"], read["code"], read["message"]) == (fault, name, "No.")
    assert (read["partial"]["content"], read["maybe_billed"]) == ("Hello", True)


def test_an_exception_is_one_whatever_kind_of_message_carries_it() -> None:
    assert (
        read_stream_fault(3, aws_frames.encode_event("throttlingException", {"message": "No."}))["fault"]
        == "RateLimited"
    )


def test_the_original_status_of_a_model_error_classifies_a_broken_stream() -> None:
    reported = {"originalStatusCode": 429, "originalMessage": "too much"}
    read = read_stream_fault(3, aws_frames.encode_exception("modelStreamErrorException", reported))
    assert (read["fault"], read["message"]) == ("RateLimited", "too much")


def test_a_context_overflow_is_recognised_in_a_stream_too() -> None:
    said = {"message": "The model returned the following errors: prompt is too long"}
    assert (
        read_stream_fault(0, aws_frames.encode_exception("validationException", said))["fault"]
        == "ContextLengthExceeded"
    )


def test_an_exception_before_any_content_is_not_billed() -> None:
    read = read_stream_fault(0, aws_frames.encode_exception("throttlingException", {"message": "No."}))
    assert read["fault"] == "RateLimited"
    assert "maybe_billed" not in read
    assert "partial" not in read


def test_a_framing_error_is_a_fault_with_its_message() -> None:
    read = read_stream_fault(3, aws_frames.encode_error("InternalError", "it broke"))
    assert (read["fault"], read["code"], read["message"]) == ("ServerFailed", "InternalError", "it broke")


def test_an_event_that_is_not_json_is_an_invalid_response() -> None:
    assert (
        read_stream_fault(1, aws_frames.encode_message(b"{oops", event_type="contentBlockDelta"))["fault"]
        == "InvalidResponse"
    )


def test_bytes_that_fail_their_checksum_are_an_invalid_response() -> None:
    data = bytearray(encode_frames(events(answer(build_text("Hello")))))
    data[-1] ^= 1
    assert read_stream(bytes(data))[-1]["fault"] == "InvalidResponse"
