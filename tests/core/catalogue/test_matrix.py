"""The tables of providers say what the catalogue says."""

from __future__ import annotations

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.matrix import render_matrix


def test_every_provider_has_its_row_in_every_table() -> None:
    lines = render_matrix().splitlines()
    for spec in CATALOGUE:
        rows = [line for line in lines if line.startswith(f"| `{spec.name}` |")]
        assert [row.replace("\\|", "").count("|") for row in rows] == [7, 10, 5]


def test_what_a_provider_cannot_do_is_left_empty() -> None:
    (row,) = [line for line in render_matrix().splitlines() if line.startswith("| `replicate` |  | yes |")]
    assert row == "| `replicate` |  | yes | yes |  |  | yes |  | `meta/meta-llama-3-70b-instruct` |"
