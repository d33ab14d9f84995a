"""Texts of tool results for formats without a field for failures."""

from __future__ import annotations

import pytest

from victor_fp.core.conversation import build_result_text
from victor_fp.core.types import Message


@pytest.mark.parametrize(
    ("text", "is_error", "expected"),
    [
        ("no such city", True, "Error: no such city"),
        ("error: no such city", True, "error: no such city"),
        ("", True, "Error"),
        ("", False, ""),
        ("12 degrees", False, "12 degrees"),
    ],
)
def test_the_text_of_a_failed_call_starts_with_error(text: str, *, is_error: bool, expected: str) -> None:
    assert build_result_text(Message(role="tool", content=text, tool_call_id="c", is_error=is_error)) == expected
