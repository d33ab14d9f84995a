"""The docs match the code; stale pages are reported and rewritten."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from victor_fp.codegen.__main__ import main
from victor_fp.codegen.pages import DIAGRAMS, find_stale_pages

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DOCS, tmp_path / "docs"))


def test_the_docs_are_up_to_date() -> None:
    assert not find_stale_pages(DOCS), "run: nox -s docs"


def test_stale_pages_are_reported_and_rewritten(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    queue, providers = docs / "machines" / "queue.md", docs / "providers.md"
    text = queue.read_text("utf-8")
    queue.write_text(text.replace(DIAGRAMS["queue"], "stateDiagram-v2"), "utf-8")
    providers.unlink()
    assert main(["pages", "--check", "--docs", str(docs)]) == 1
    assert capsys.readouterr().out == f"stale: {providers}\nstale: {queue}\n"
    assert main(["pages", "--docs", str(docs)]) == 0
    assert queue.read_text("utf-8") == text
    assert main(["pages", "--check", "--docs", str(docs)]) == 0


def test_a_page_without_its_diagram_is_an_error(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "machines" / "retry.md").write_text("# Retries\n", "utf-8")
    assert main(["pages", "--docs", str(docs)]) == 2
    assert "expected one Mermaid block, got 0" in capsys.readouterr().err


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_starts_at_a_state_of_its_machine(name: str) -> None:
    (start,) = re.findall(r"^    \[\*\] --> (\w+)$", DIAGRAMS[name], re.MULTILINE)
    assert f"\n    {start} --> " in DIAGRAMS[name]
