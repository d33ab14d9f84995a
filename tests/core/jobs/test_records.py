"""Results that a custom provider returns and JSON does not have: none of them ends a run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from returns.result import Failure, Success

from victor_fp.core.faults import Attempt, InvalidRequest, Partial, ServerFailed
from victor_fp.core.jobs.records import decode_mismatch, decode_result, encode_result
from victor_fp.core.types import CompletionResponse


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def respond(**fields: Any) -> CompletionResponse:
    return CompletionResponse.model_construct(**{**CompletionResponse(content="x").__dict__, **fields})


def test_lone_surrogates_are_replaced_and_noted() -> None:
    calls = [{"id": "1", "name": "f", "arguments": {"a\udc00": "b\ud83d"}}]
    response = respond(content="caf\u00e9 \ud83d \ufffd", tool_calls=calls, metadata={"trace": "t"})
    found = decode_result(encode_result(Success(response))).unwrap()
    assert isinstance(found, CompletionResponse)
    assert found.content == "caf\u00e9 \ufffd \ufffd"
    assert found.tool_calls == [{"id": "1", "name": "f", "arguments": {"a\ufffd": "b\ufffd"}}]
    assert found.metadata == {"trace": "t", "replaced_characters": 3}


def test_halves_of_a_character_are_joined() -> None:
    found = decode_result(encode_result(Success(respond(content="\ud83d\ude00")))).unwrap()
    assert isinstance(found, CompletionResponse)
    assert (found.content, found.metadata) == ("\U0001f600", None)


def build_cycle() -> dict[str, Any]:
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    return cycle


@pytest.mark.parametrize("value", [Unprintable(), build_cycle(), {1: Unprintable()}], ids=["text", "cycle", "key"])
def test_values_without_json_are_omitted(value: Any) -> None:
    found = decode_result(encode_result(Success(respond(content="x", metadata={"value": value})))).unwrap()
    assert isinstance(found, CompletionResponse)
    assert (found.content, found.metadata) == ("x", None)


def test_faults_are_stored_with_replacements() -> None:
    fault = ServerFailed(
        message="m",
        code="c\ud800",
        evidence="e\ud800",
        partial=Partial(content="p\udfff"),
        attempts=(Attempt(provider="p", message="a\ud800"),),
    )
    expected = msgspec.structs.replace(
        fault,
        code="c\ufffd",
        evidence="e\ufffd",
        partial=Partial(content="p\ufffd"),
        attempts=(Attempt(provider="p", message="a\ufffd"),),
    )
    assert decode_result(encode_result(Failure(fault))) == Failure(expected)


def test_mismatches_are_stored_with_replacements() -> None:
    body = encode_result(Success(respond(content="\ud800")), mismatch=InvalidRequest(evidence="e\ud800"))
    found = decode_result(body).unwrap()
    assert isinstance(found, CompletionResponse)
    assert found.content == "\ufffd"
    assert decode_mismatch(body) == InvalidRequest(evidence="e\ufffd")
