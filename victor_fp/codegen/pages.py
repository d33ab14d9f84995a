"""Documentation generated from code: provider tables, the catalogue's index, and state diagrams."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from victor_fp.codegen.bounds import CodegenFailed
from victor_fp.codegen.catalogue_index import INDEX_FILE, render_index
from victor_fp.codegen.provider_matrix import render_matrix
from victor_fp.core.resilience import breaker, call, fallback, queue, rate_limit
from victor_fp.core.resilience.diagram import render_mermaid

DIAGRAMS: Mapping[str, str] = {
    "breaker": render_mermaid(breaker.TRANSITIONS.items(), "closed"),
    "retry": render_mermaid(call.TRANSITIONS.items(), "sending"),
    "rate-limit": render_mermaid(rate_limit.TRANSITIONS.items(), "free"),
    "queue": render_mermaid(queue.TRANSITIONS.items(), "arriving"),
    "fallback": render_mermaid(fallback.TRANSITIONS.items(), "calling"),
}
"""Diagrams by page in docs/machines."""

_DIAGRAM = re.compile(r"(?<=^```mermaid\n).*?(?=\n```$)", re.DOTALL | re.MULTILINE)


def find_stale_pages(docs: Path) -> dict[Path, str]:
    """Return the expected text of each stale page."""
    expected = {docs / "providers.md": render_matrix(), INDEX_FILE: render_index()}
    for name, diagram in DIAGRAMS.items():
        page = docs / "machines" / f"{name}.md"
        expected[page] = _with_diagram(page, diagram)
    return {page: text for page, text in expected.items() if _read_page(page) != text}


def write_pages(docs: Path) -> tuple[Path, ...]:
    """Update all stale pages and return them."""
    stale = find_stale_pages(docs)
    for page, text in stale.items():
        page.write_text(text, encoding="utf-8")
    return tuple(stale)


def _with_diagram(page: Path, diagram: str) -> str:
    text, count = _DIAGRAM.subn(lambda _: diagram, _read_page(page))
    if count != 1:
        raise CodegenFailed(f"{page}: expected one Mermaid block, got {count}")
    return text


def _read_page(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.exists() else ""
