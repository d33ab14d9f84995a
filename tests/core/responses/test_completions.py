"""A stream where a complete body was requested, as servers send it that always stream."""

from __future__ import annotations

import pytest
from returns.result import Failure, Success

from tests.catalogue_samples import SAMPLES
from victor_fp import replay
from victor_fp.core.faults import Fault, InvalidResponse, RateLimited, StreamTruncated
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse
from victor_fp.testing import Call, Turn
from victor_fp.testing.writers import load_writer

TURN = Turn(text="Hello", calls=(Call(name="weather", arguments={"city": "Oslo"}),))
# Bedrock's streams are another operation; those of Replicate are fetched from another URL.
PROTOCOLS = {
    spec.dialect.protocol: spec
    for spec in reversed(SAMPLES)
    if spec.dialect.protocol not in {"bedrock-converse", "replicate"} and spec.supports.chat and spec.supports.tools
}


def write_stream(protocol: str) -> bytes:
    return b"".join(load_writer(protocol).stream(TURN).pieces)


def read_body(provider: str, body: bytes) -> CompletionResponse | Fault:
    match outcome(replay.response(provider, 200, {}, body)):
        case Success(response):
            return response
        case Failure(fault):
            return fault


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf", b"\r\n \n"], ids=repr)
def test_stream_in_place_of_a_body_is_read_as_a_stream(protocol: str, lead: bytes) -> None:
    provider, body = PROTOCOLS[protocol].name, write_stream(protocol)
    *_, last = replay.stream(provider, 200, {}, [body])
    response = read_body(provider, lead + body)
    assert response == last.unwrap().response
    assert isinstance(response, CompletionResponse)
    assert (response.content, response.stop_reason) == ("Hello", "tool_use")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_truncated_stream_in_place_of_a_body_is_reported_as_such(protocol: str) -> None:
    body = write_stream(protocol)
    fault = read_body(PROTOCOLS[protocol].name, body[: len(body) // 2])
    assert isinstance(fault, StreamTruncated), fault
    assert fault.message.startswith("the stream ended ")


def test_comments_may_precede_the_events() -> None:
    response = read_body("openai", b": PROCESSING\n\n" + write_stream("openai-chat"))
    assert isinstance(response, CompletionResponse)
    assert response.content == "Hello"


def test_array_in_place_of_a_body_of_gemini_is_read_as_a_stream() -> None:
    first = b'{"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}}]}'
    last = b'{"candidates": [{"content": {"role": "model", "parts": [{"text": "lo"}]}, "finishReason": "STOP"}]}'
    response = read_body("google", b"[" + first + b",\n" + last + b"]")
    assert isinstance(response, CompletionResponse)
    assert (response.content, response.stop_reason) == ("Hello", "stop")


def test_an_error_event_in_place_of_a_body_is_classified() -> None:
    fault = read_body("openai", b'data: {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}\n\n')
    assert isinstance(fault, RateLimited)


@pytest.mark.parametrize("body", [b"", b"data", b"<html>", b"database: down", b"[1]"])
def test_other_text_is_not_read_as_a_stream(body: bytes) -> None:
    fault = read_body("openai", body)
    assert type(fault) is InvalidResponse
    assert "stream" not in fault.message
