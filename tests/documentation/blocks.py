"""The Python blocks of the pages."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
FOREIGN = ("litellm", "openai", "langchain", "any-llm", "pydantic-ai")
"""Titles of blocks for other libraries, which are not installed: they are compiled, and those of this package's own integrations
run in the session `integrations`."""
FENCE = re.compile(r'^```python(?: title="([^"]*)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of a page, and the line that its code begins at."""

    page: str
    line: int
    title: str
    code: str

    @property
    def is_foreign(self) -> bool:
        return self.title in FOREIGN


def find_blocks(page: str) -> list[Block]:
    text = (DOCS / page).read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found[1] or "", found[2]) for found in FENCE.finditer(text)
    ]


def find_indented_blocks(text: str) -> list[str]:
    """The blocks of a page that are indented, not fenced."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [
        dedent(found[1]) for found in re.finditer(r"(?:^\n|\A)((?:    .*\n|\n(?=    ))+)", prose, flags=re.MULTILINE)
    ]


def find_commands(text: str) -> list[str]:
    """The arguments of the `victor` commands of a page, in blocks and in the text, without what they are piped to."""
    lines = re.findall(r"^.*\bvictor .*$", "\n".join(find_indented_blocks(text)), re.MULTILINE)
    lines += re.findall(r"`victor ([^`]+)`", text) + re.findall(r"^.*\bvictor .*$", _join_fenced(text), re.MULTILINE)
    commands = [re.sub(r"^.*?\bvictor ", "", line) for line in lines]
    return [re.split(r"\s(?:\||&&|<|>|#)(?:\s|$)", command)[0].strip() for command in commands]


def _join_fenced(text: str) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
