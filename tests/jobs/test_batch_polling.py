"""The state of open batches: what is polled again, what is lost, and what stops a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from returns.result import Success

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.other_vendors import MistralVendor, XAIVendor
from tests.batches.vendor import Job
from tests.jobs.batch_jobs import Clock, build_rows, collect, complete, connect, leave_open
from tests.loopback import Received
from victor_fp.core.batching.polling import END_GRACE
from victor_fp.core.faults import InvalidRequest
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


async def test_a_batch_that_expires_silently_ends_and_its_pending_rows_are_submitted_again(tmp_path: Path) -> None:
    vendor = XAIVendor()
    vendor.expire_time = "2023-11-15"
    async with connect(vendor) as provider:
        found, job = await collect(
            provider, vendor, tmp_path / "l", lambda one: ("stalled", 6) if one.id == "batch_1" else complete(one)
        )
        assert (await provider.list_batches())[-1].state == "expired"
    assert job.stopped is None
    assert [isinstance(done.result, Success) for done in found.values()] == [True] * 10
    assert [len(one.requests) for one in vendor.jobs.values()] == [10, 4]


async def test_a_batch_that_has_expired_silently_can_be_cancelled(tmp_path: Path) -> None:
    vendor = XAIVendor()
    vendor.expire_time = "2023-11-15"
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(build_rows(3), model="m-1")
        assert (await provider.batch_status(handle)).state == "expired"
        assert (await provider.cancel_batch(handle)).state == "cancelled"
    assert vendor.jobs["batch_1"].state == "cancelling"


class StatusFaultVendor(OpenAIVendor):
    """Answers requests for the state of a batch with these statuses first."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self.statuses = list(statuses)

    def handle(self, received: Received) -> tuple[int, Any]:
        if received.method == "GET" and "/batches/" in received.path and self.statuses:
            return self.statuses.pop(0), {"error": {"message": "not now", "type": "error"}}
        return super().handle(received)


async def test_a_batch_whose_state_temporarily_cannot_be_read_is_polled_again(tmp_path: Path) -> None:
    vendor = StatusFaultVendor(503, 429, 503)
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l")
    assert vendor.statuses == []
    assert job.stopped is None
    assert [type(done.result) for done in found.values()] == [Success] * 10
    assert len(vendor.jobs) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_rows_of_a_deleted_batch_are_left_to_the_next_run(status: int, tmp_path: Path) -> None:
    vendor = StatusFaultVendor(status, status)  # for its state, and for its results
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is None
        assert all("cannot be read" in done.result.failure().message for done in found.values())
        report = read_report(tmp_path / "l").unwrap()
        assert (report.retryable, report.in_batches) == (10, 0)
        again, _ = await collect(provider, vendor, tmp_path / "l")
    assert [type(done.result) for done in again.values()] == [Success] * 10
    assert len(vendor.jobs) == 2


@pytest.mark.parametrize("status", [401, 403])
async def test_a_state_that_may_not_be_read_stops_the_job_and_the_batch_is_collected_by_the_next_run(
    status: int, tmp_path: Path
) -> None:
    vendor = StatusFaultVendor(status)
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is not None
        assert job.stopped.status == status
        assert list(found) == [""]
        assert read_report(tmp_path / "l").unwrap().in_batches == 10
        again, job = await collect(provider, vendor, tmp_path / "l")
    assert job.stopped is None
    assert [type(done.result) for done in again.values()] == [Success] * 10
    assert len(vendor.jobs) == 1


async def test_an_open_batch_of_another_provider_is_refused_and_kept(tmp_path: Path) -> None:
    vendor, other = OpenAIVendor(), MistralVendor()
    async with connect(vendor) as provider, connect(other) as second:
        await leave_open(provider, vendor, tmp_path / "l", build_rows(3))
        _, job = await collect(second, other, tmp_path / "l", rows=build_rows(3))
        assert isinstance(job.stopped, InvalidRequest)
        assert "open batch of openai, not of mistral" in job.stopped.message
        assert other.jobs == {}
        found, _ = await collect(provider, vendor, tmp_path / "l", rows=build_rows(3))
    assert [type(done.result) for done in found.values()] == [Success] * 3
    assert len(vendor.jobs) == 1
