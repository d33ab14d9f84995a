"""The table in the document on tool calls in text is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

from victor_fp.core.text_tools import FORMATS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "tool-calling.md").read_text(encoding="utf-8")


def test_the_table_of_formats_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert rows == [(form.name, form.title) for form in FORMATS]
