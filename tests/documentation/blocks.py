"""The Python blocks of the pages."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
README = "../README.md"
"""From the folder of the pages."""
FOREIGN = ("litellm", "openai", "langchain", "any-llm", "pydantic-ai")
"""Titles of blocks for other libraries, which are not installed: they are compiled, and those of this package's own integrations
run in the session `integrations`."""
IN_TEST_RAY = "jobs-at-scale.md"
"""The page whose blocks run in tests/ray_jobs: they need Ray, Dask and Spark, which only that session has."""
FENCE = re.compile(r'^```python(?: title="([^"]*)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of a page, and the line that its code begins at."""

    page: str
    line: int
    title: str
    code: str

    @property
    def is_foreign(self) -> bool:
        """Whether it needs libraries that are not installed."""
        return self.title in FOREIGN

    @property
    def runs_elsewhere(self) -> bool:
        """Whether it needs other libraries, Ray (tests/ray_jobs), the local model (tests/test_readme.py, with `-m e2e`) or pytest (the same file)."""
        elsewhere = self.is_foreign or self.page == IN_TEST_RAY
        return elsewhere or '"local' in self.code or self.title.startswith("test_")


def find_blocks(page: str) -> list[Block]:
    text = (DOCS / page).read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found[1] or "", found[2]) for found in FENCE.finditer(text)
    ]


def find_other_blocks(text: str) -> list[str]:
    """The blocks of a page that are indented, and those that are fenced as something else than Python."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    indented = re.finditer(r"(?:^\n|\A)((?:    .*\n|\n(?=    ))+)", prose, flags=re.MULTILINE)
    fenced = re.finditer(r"^```([^\n]*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [dedent(found[1]) for found in indented] + [
        found[2] for found in fenced if not found[1].startswith("python")
    ]


def find_commands(text: str) -> list[str]:
    """The arguments of the `victor` commands of a page, in blocks and in the text, without what they are piped to."""
    lines = re.findall(r"^.*\bvictor .*$", "\n".join(find_other_blocks(text)), re.MULTILINE)
    lines += re.findall(r"`victor ([^`]+)`", text)
    commands = [re.sub(r"^.*?\bvictor ", "", line) for line in lines]
    return [re.split(r"\s(?:\||&&|<|>|#)(?:\s|$)", command)[0].strip() for command in commands]
