"""The tables of providers say what the catalogue says."""

from __future__ import annotations

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.matrix import render_matrix


def test_every_provider_has_its_row_in_every_table() -> None:
    lines = render_matrix().splitlines()
    for spec in CATALOGUE:
        rows = [line for line in lines if line.startswith(f"| `{spec.name}` |")]
        widths = [7, *([10, 5] if spec.supports.chat else []), *([9] if spec.embeddings or spec.reranking else [])]
        assert [row.replace("\\|", "").count("|") for row in rows] == widths


def test_what_a_provider_cannot_do_is_left_empty() -> None:
    (row,) = [line for line in render_matrix().splitlines() if line.startswith("| `replicate` |  | yes |")]
    assert row == "| `replicate` |  | yes | yes |  |  | yes |  | `meta/meta-llama-3-70b-instruct` |"


def test_the_table_of_embeddings_shows_limits_types_and_purposes() -> None:
    rows = [line for line in render_matrix().splitlines() if line.startswith("| `voyage` |")]
    assert rows[-1] == (
        "| `voyage` | `voyage-3.5` | 1000, 120,000 tokens | yes | query, document | int8, uint8, binary, ubinary |"
        " option | `rerank-2.5` |"
    )
