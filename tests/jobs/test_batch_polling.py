"""The state of open batches: what is polled again, what is lost, and what stops a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from returns.result import Success

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.vendor import Job
from tests.jobs.batch_jobs import Clock, collect, complete, connect
from victor_fp.core.batching.polling import END_GRACE
from victor_fp.jobs import open_batches, read_report
from victor_fp.shell.engine import batches as batch_client


class ArchivingVendor(OpenAIVendor):
    """Ends batches in a state that is not documented, with their results."""

    keeps_results = True

    def show(self, job: Job) -> dict[str, Any]:
        shown = super().show(job)
        return shown | (
            {"status": "archived"} if self.keeps_results else {"status": "archived", "output_file_id": None}
        )


@pytest.mark.parametrize("keeps_results", [True, False])
async def test_a_batch_in_an_unknown_state_is_polled_until_its_end_and_a_grace(
    keeps_results: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = ArchivingVendor()
    vendor.keeps_results = keeps_results
    ends_at, wait = 1_700_086_400, 3 * 3600.0
    clock = Clock(vendor, complete)
    start = clock.now()
    for module in (open_batches, batch_client):  # three hours before the end, by the clock of the job
        monkeypatch.setattr(module, "time", lambda: ends_at - wait + clock.now() - start)
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", runtime=clock)
    assert job.problems == {"unknown_state": 1}
    assert job.stopped is None
    assert clock.now() - start == pytest.approx(wait + END_GRACE, abs=200.0)
    assert [isinstance(done.result, Success) for done in found.values()] == [keeps_results] * 10
    report = read_report(tmp_path / "l").unwrap()
    assert (report.retryable, report.in_batches) == (0 if keeps_results else 10, 0)
    assert len(vendor.jobs) == 1
