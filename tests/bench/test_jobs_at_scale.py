"""The calculation for large jobs, and its table in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.jobs_at_scale import OUTPUT_BYTES, Job, compute_figures, format_figures, measure_shard, read_job

DOCS = Path(__file__).parents[2] / "docs" / "jobs-at-scale.md"


def test_the_table_in_the_docs_is_what_the_calculation_prints() -> None:
    assert f"\n{format_figures(Job())}\n" in DOCS.read_text()


def test_more_workers_than_the_vendor_allows_do_not_make_a_job_faster() -> None:
    few, many = compute_figures(read_job(["workers=100"])), compute_figures(read_job(["workers=5000"]))
    assert few.rate == few.by_workers < many.rate < many.by_workers
    assert many.limit_scripts == pytest.approx(1000)
    assert many.breaker_scripts == pytest.approx(5000)
    assert many.duration * many.rate == pytest.approx(10**8)


@pytest.mark.parametrize("answer_bytes", [200, 1200, 3000])
async def test_the_calculated_sizes_of_a_shard_are_those_of_its_files(answer_bytes: int) -> None:
    found, measured = compute_figures(Job(answer_bytes=answer_bytes)), await measure_shard(1000, answer_bytes)
    assert found.ledger / Job.rows == pytest.approx(measured.ledger_bytes, rel=0.05)
    assert OUTPUT_BYTES + answer_bytes == pytest.approx(measured.output_bytes, rel=0.05)


@pytest.mark.parametrize("word", ["worker=5", "workers=many"])
def test_a_field_that_is_not_known_or_not_a_number_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"worker|many"):
        read_job([word])
