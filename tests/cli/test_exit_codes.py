"""Exit codes and the one line that explains them."""

from __future__ import annotations

import re

import msgspec
import pytest

from tests.cli.conftest import ROOT
from victor_fp.cli.exit_codes import MAX_LINE, ExitCode, encode_error, error_from_fault
from victor_fp.cli.terminal import strip_controls
from victor_fp.core.faults import FAULT_TYPES, ConnectionFailed, Fault, RateLimited


@pytest.mark.parametrize("kind", FAULT_TYPES, ids=lambda kind: str(kind.__name__))
def test_every_fault_has_a_code_and_a_line(kind: type[Fault]) -> None:
    ending = error_from_fault(kind(provider="acme", model="m-1", message="it said no\nand\tmore"))

    assert ending.code not in (ExitCode.OK, ExitCode.BUG)
    assert ending.line.startswith("victor: acme m-1: ")
    assert "it said no and more" in ending.line
    assert "\n" not in ending.line
    assert msgspec.json.decode(encode_error(ending))["error"]["type"] == kind.__name__


def test_every_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == [code.value for code in ExitCode]


def test_error_line_has_identifiers_for_support() -> None:
    fault = RateLimited(
        provider="acme", status=429, code="slow_down", request_id="req_1", message="Easy.", retry_after=12
    )

    assert error_from_fault(fault).line == (
        "victor: acme: too many requests (429, slow_down, req_1): Easy. Try again in 12 s."
    )


def test_a_page_of_an_error_is_cut() -> None:
    assert len(error_from_fault(RateLimited(message="x" * 10_000)).line) < MAX_LINE + 100


def test_the_address_is_named_where_nothing_answers() -> None:
    line = error_from_fault(ConnectionFailed(provider="acme", message="refused"), "http://127.0.0.1:1").line

    assert "no connection to http://127.0.0.1:1" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[2Jgone", "[2Jgone"),
        ("a\rb\x00\x9bc\x7f", "abc"),
        ("a\u202eb\u2066c\u200fd\u061ce\u2028f", "abcdef"),
        ("gr\u00fc\u00dfe \u4f60", "gr\u00fc\u00dfe \u4f60"),
    ],
)
def test_control_characters_do_not_reach_a_terminal(text: str, expected: str) -> None:
    assert strip_controls(text) == expected
