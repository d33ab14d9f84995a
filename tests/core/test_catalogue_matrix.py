"""docs/providers.md says what the catalogue says."""

from __future__ import annotations

from pathlib import Path

import victor_fp
from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.matrix import matrix

DOCUMENT = Path(victor_fp.__file__).parents[1] / "docs" / "providers.md"


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == matrix(), (
        "run: python -m victor_fp.core.catalogue.matrix > docs/providers.md"
    )


def test_every_provider_has_its_row_in_every_table() -> None:
    lines = matrix().splitlines()
    for spec in CATALOGUE:
        rows = [line for line in lines if line.startswith(f"| `{spec.name}` |")]
        assert [row.replace("\\|", "").count("|") for row in rows] == [7, 10, 5]


def test_what_a_provider_cannot_do_is_left_empty() -> None:
    (row,) = [line for line in matrix().splitlines() if line.startswith("| `replicate` |  | yes |")]
    assert row == "| `replicate` |  | yes | yes |  |  | yes |  | `meta/meta-llama-3-70b-instruct` |"
