"""Bounds on what one request or answer can make the library do."""

from __future__ import annotations

import pytest
from returns.result import Failure

from tests.catalogue_samples import name_params
from victor_fp import replay
from victor_fp.core.deltas import ToolCallStarted
from victor_fp.core.faults import InvalidRequest, InvalidResponse
from victor_fp.core.protocols.gemini.function_calls import parse_path
from victor_fp.core.result import outcome
from victor_fp.core.text_tools.python_calls import read_statement
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.transcript import EMPTY, MAX_CALLS, advance
from victor_fp.core.types import Message

HALF = "caf\udce9.txt"
"""What Python makes of a file name that is not UTF-8."""


@pytest.mark.parametrize("provider", name_params())
def test_text_that_is_not_unicode_is_an_invalid_request_that_names_the_message(provider: str) -> None:
    asked = [Message(role="user", content="hi"), Message(role="user", content=HALF)]
    match outcome(replay.request(provider, asked, model="owner/name", base_url="http://127.0.0.1:1/v1")):
        case Failure(InvalidRequest(message=message)):
            assert "messages[1]" in message
        case other:
            raise AssertionError(other)


def test_paths_of_partial_arguments_are_bounded() -> None:
    assert parse_path("$" + ".a" * 64) == ("a",) * 64
    assert parse_path("$" + ".a" * 65) is None
    assert parse_path("$.a[9999]") == ("a", 9999)
    assert parse_path("$.a[10000]") is None


@pytest.mark.parametrize("argument", ["0x" + "f" * 300, "1" * 4000, "-0x" + "f" * 300, "{'\\udce9': 1}"])
def test_a_python_call_with_a_value_that_json_cannot_represent_is_not_a_call(argument: str) -> None:
    text = f"f(a={argument})"
    found = read_statement(text, 0, Tools({"f": {}}))
    assert not getattr(found, "calls", ())


def test_a_response_with_too_many_calls_is_invalid() -> None:
    started = [ToolCallStarted(index=n, id=f"c{n}", name="f") for n in range(MAX_CALLS + 1)]
    assert advance(EMPTY, started[:-1])[0].fault is None
    fault = advance(EMPTY, started)[0].fault
    assert isinstance(fault, InvalidResponse)
    assert fault.maybe_billed
