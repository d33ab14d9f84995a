"""The calculation for large jobs, and its table in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.jobs_at_scale import Job, compute_figures, format_figures, read_job

DOCS = Path(__file__).parents[2] / "docs" / "jobs-at-scale.md"


def test_the_table_in_the_docs_is_what_the_calculation_prints() -> None:
    assert f"\n{format_figures(Job())}\n" in DOCS.read_text()


def test_more_workers_than_the_vendor_allows_do_not_make_a_job_faster() -> None:
    few, many = compute_figures(read_job(["workers=100"])), compute_figures(read_job(["workers=5000"]))
    assert few.rate == few.by_workers < many.rate < many.by_workers
    assert many.limit_scripts == pytest.approx(1000)
    assert many.duration * many.rate == pytest.approx(10**8)


@pytest.mark.parametrize(("answer_bytes", "measured"), [(200, 480), (1200, 2078), (3000, 4130)])
def test_the_size_of_a_ledger_is_close_to_what_was_measured(answer_bytes: int, measured: float) -> None:
    found = compute_figures(Job(answer_bytes=answer_bytes))
    assert found.ledger / Job.rows == pytest.approx(measured, rel=0.05)


@pytest.mark.parametrize("word", ["worker=5", "workers=many"])
def test_a_field_that_is_not_known_or_not_a_number_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"worker|many"):
        read_job([word])
