"""The tables of providers say what the catalogue says."""

from __future__ import annotations

from victor_fp.core.catalogue import CATALOGUE
from victor_fp.core.catalogue.batches import BATCHES, find_batch_support
from victor_fp.core.catalogue.matrix import render_matrix


def test_every_provider_has_its_row_in_every_table() -> None:
    lines = render_matrix().splitlines()
    for spec in CATALOGUE:
        rows = [line for line in lines if line.startswith(f"| `{spec.name}` |")]
        has_batches = find_batch_support(spec) is not None
        assert [row.replace("\\|", "").count("|") for row in rows] == [7, 10, 5, *([10] if has_batches else [])]


def test_every_entry_of_the_batch_table_is_a_provider_and_says_where_its_limits_are_from() -> None:
    assert BATCHES.keys() <= {spec.name for spec in CATALOGUE}
    for support in BATCHES.values():
        assert support.limits.source.startswith("https://")
        assert len(support.limits.date) == 10
        assert support.limits.max_requests > 0 < support.limits.max_bytes


def test_what_a_provider_cannot_do_is_left_empty() -> None:
    (row,) = [line for line in render_matrix().splitlines() if line.startswith("| `replicate` |  | yes |")]
    assert row == "| `replicate` |  | yes | yes |  |  | yes |  | `meta/meta-llama-3-70b-instruct` |"
