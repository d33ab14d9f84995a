"""Results of batches: what is recorded, sent again or left to the next run, and what stops a job."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.batches.openai_vendor import OpenAIVendor, TogetherVendor
from tests.batches.vendor import Job, write_lines
from tests.jobs.batch_jobs import Clock, MixedVendor, build_rows, collect, connect
from tests.loopback import Received, Talk
from victor_fp.core.faults import (
    BudgetExceeded,
    InvalidResponse,
    LedgerFailed,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
)
from victor_fp.jobs import Budget, Row, export, format_report, open_batches, read_report, run
from victor_fp.jobs import batch_route as batching
from victor_fp.shell.engine import batches as batch_client
from victor_fp.shell.ledger.sqlite import Ledger


class FileFaultVendor(OpenAIVendor):
    """Answers downloads of results by a function, if there is one, from the number of the download."""

    def __init__(self) -> None:
        super().__init__()
        self.downloads = 0
        self.answer: Callable[[int, bytes], tuple[int, Any]] | None = None

    def handle(self, received: Received) -> tuple[int, Any]:
        status, answer = super().handle(received)
        if received.path.endswith("/content") and self.answer is not None:
            self.downloads += 1
            return self.answer(self.downloads, answer)
        return status, answer


def refuse(status: int) -> Callable[[int, bytes], tuple[int, Any]]:
    return lambda number, content: (status, {"error": {"message": "not for this key", "type": "invalid_request_error"}})


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_results_that_may_not_be_read_stop_the_job_and_are_read_by_the_next_run(
    status: int, tmp_path: Path
) -> None:
    vendor = FileFaultVendor()
    async with connect(vendor) as provider:
        vendor.answer = refuse(status)
        found, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is not None
        assert job.stopped.status == status
        assert list(found) == [""]
        report = read_report(tmp_path / "l").unwrap()
        assert (report.retryable, report.in_batches, report.batches) == (0, 10, 1)
        vendor.answer = None
        again, job = await collect(provider, vendor, tmp_path / "l")
    assert job.stopped is None
    assert all(isinstance(done.result, Success) for done in again.values())
    assert len(again) == 10
    assert len(vendor.jobs) == 1


async def test_results_that_temporarily_cannot_be_read_are_read_again(tmp_path: Path) -> None:
    vendor = FileFaultVendor()
    vendor.answer = lambda number, content: refuse(503)(number, content) if number == 1 else (200, content)
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l")
    assert vendor.downloads == 2
    assert job.stopped is None
    assert [type(done.result) for done in found.values()] == [Success] * 10
    assert len(vendor.jobs) == 1


@pytest.mark.parametrize("status", [404, 410])
async def test_deleted_results_are_lost(status: int, tmp_path: Path) -> None:
    vendor = FileFaultVendor()
    async with connect(vendor) as provider:
        vendor.answer = refuse(status)
        found, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is None
        assert all("cannot be read" in done.result.failure().message for done in found.values())
        report = read_report(tmp_path / "l").unwrap()
        assert (report.retryable, report.in_batches) == (10, 0)
        vendor.answer = None
        again, _ = await collect(provider, vendor, tmp_path / "l")
    assert all(isinstance(done.result, Success) for done in again.values())
    assert len(vendor.jobs) == 2


def cut(content: bytes) -> bytes:
    """A file of results with a line that is not JSON in the middle."""
    lines = content.splitlines(keepends=True)
    return b"".join([*lines[: len(lines) // 2], b"{not JSON}\n", *lines[len(lines) // 2 :]])


def break_middle_line(content: bytes) -> bytes:
    """The same file with a damaged line in place of the one in the middle."""
    lines = content.splitlines(keepends=True)
    lines[len(lines) // 2] = b"{not JSON}\n"
    return b"".join(lines)


async def test_a_line_that_cannot_be_decoded_costs_only_its_row(tmp_path: Path) -> None:
    vendor = FileFaultVendor()
    async with connect(vendor) as provider:
        vendor.answer = lambda number, content: (200, break_middle_line(content))
        found, job = await collect(provider, vendor, tmp_path / "l", rows=build_rows(600))
        assert vendor.downloads == 2
        assert job.stopped is None
        assert job.problems == {"unreadable": 1}
        (failed,) = (done for done in found.values() if isinstance(done.result, Failure))
        fault = failed.result.failure()
        assert isinstance(fault, InvalidResponse)
        assert fault.maybe_billed
        report = read_report(tmp_path / "l").unwrap()
        assert (report.done, report.retryable, report.in_batches) == (599, 1, 0)
        assert len(vendor.jobs) == 1
        vendor.answer = None
        again, _ = await collect(provider, vendor, tmp_path / "l", rows=build_rows(600))
    assert all(isinstance(done.result, Success) for done in again.values())
    assert [len(one.requests) for one in vendor.jobs.values()] == [600, 1]


async def test_an_expired_batch_with_an_unreadable_result_is_not_paid_again_by_the_same_run(tmp_path: Path) -> None:
    vendor = FileFaultVendor()
    async with connect(vendor) as provider:
        vendor.answer = lambda number, content: (200, break_middle_line(content))
        found, _ = await collect(provider, vendor, tmp_path / "l", lambda job: ("expired", None))
    assert len(vendor.jobs) == 1
    assert sum(isinstance(done.result, Success) for done in found.values()) == 9


async def test_a_damaged_line_of_no_row_is_counted_and_nothing_is_read_again(tmp_path: Path) -> None:
    vendor = FileFaultVendor()
    async with connect(vendor) as provider:
        vendor.answer = lambda number, content: (200, cut(content))
        found, job = await collect(provider, vendor, tmp_path / "l")
    assert vendor.downloads == 1
    assert job.problems == {"unreadable": 1}
    assert all(isinstance(done.result, Success) for done in found.values())


async def test_an_interrupted_collection_is_continued_without_problems(tmp_path: Path) -> None:
    vendor = FileFaultVendor()
    async with connect(vendor) as provider:
        vendor.answer = lambda number, content: (200, break_middle_line(content) if number == 1 else content)
        found, job = await collect(provider, vendor, tmp_path / "l", rows=build_rows(600))
        assert vendor.downloads == 2
        assert all(isinstance(done.result, Success) for done in found.values())
    assert len(found) == 600
    assert job.problems == {}
    assert len(vendor.jobs) == 1


async def test_problems_of_an_interrupted_collection_are_counted_once(tmp_path: Path) -> None:
    vendor = FileFaultVendor()

    def complete_with_unmatched(job: Job) -> tuple[str, int | None]:
        vendor.run(job)
        job.results = [job.results[0], ("stranger", "answered", 200, vendor.build_completion("WHO")), *job.results]
        return "completed", 0

    async with connect(vendor) as provider:
        vendor.answer = lambda number, content: (200, break_middle_line(content) if number == 1 else content)
        found, job = await collect(provider, vendor, tmp_path / "l", complete_with_unmatched, rows=build_rows(600))
    assert job.problems == {"doubled": 1, "unknown": 1}
    assert len(found) == 600


async def test_results_recorded_before_a_refusal_are_kept_and_skipped_by_the_next_run(tmp_path: Path) -> None:
    """The answered rows are in one file, the failed ones in another, which is refused."""
    vendor = FileFaultVendor()
    given = [Row(f"row {number}", "refuse me" if number % 2 else f"text {number}") for number in range(10)]
    async with connect(vendor) as provider:
        vendor.answer = lambda number, content: (200, content) if number == 1 else refuse(403)(number, content)
        found, job = await collect(provider, vendor, tmp_path / "l", rows=given)
        assert job.stopped is not None
        assert job.stopped.status == 403
        assert sum(isinstance(done.result, Success) for done in found.values()) == 5
        assert read_report(tmp_path / "l").unwrap().done == 5
        vendor.answer = None
        again, job = await collect(provider, vendor, tmp_path / "l", rows=given)
    assert job.stopped is None
    assert job.problems == {}
    assert len(again) == 10
    assert read_report(tmp_path / "l").unwrap().failed == 5
    assert len(vendor.jobs) == 1


class RefusingVendor(MixedVendor):
    """Refuses its first batch as a whole, with this error, after it was created."""

    code = ""
    message = ""

    def show(self, job: Job) -> dict[str, Any]:
        shown = super().show(job)
        if job.state == "failed":
            shown["errors"]["data"] = [{"code": self.code, "message": self.message}]
        return shown

    def fail_first_batch(self, _: Job) -> tuple[str, int | None]:
        return ("failed", 0) if len(self.jobs) == 1 else ("completed", None)


TOKEN_LIMIT = "Enqueued token limit reached for m-1 in organization org-1. Limit: 90,000 enqueued tokens."


async def test_rows_of_a_batch_that_failed_for_a_temporary_reason_are_submitted_again(tmp_path: Path) -> None:
    vendor = RefusingVendor()
    vendor.code, vendor.message = "token_limit_exceeded", TOKEN_LIMIT
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", vendor.fail_first_batch)
    assert job.stopped is None
    assert len(found) == 10
    assert all(isinstance(done.result, Success) for done in found.values())
    assert len(vendor.jobs) == 2


async def test_the_fault_of_a_failed_batch_has_its_errors_and_is_not_billed(tmp_path: Path) -> None:
    vendor = RefusingVendor()
    vendor.code, vendor.message = "token_limit_exceeded", TOKEN_LIMIT
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", vendor.fail_first_batch, max_tries=1)
        faults = [done.result.failure() for done in found.values()]
        assert job.stopped is None
        assert read_report(tmp_path / "l").unwrap().retryable == 10
        assert all(isinstance(fault, RateLimited) for fault in faults)
        assert all(TOKEN_LIMIT in fault.message and not fault.maybe_billed for fault in faults)
        assert {fault.code for fault in faults} == {"token_limit_exceeded"}
        again, _ = await collect(provider, vendor, tmp_path / "l")
    assert all(isinstance(done.result, Success) for done in again.values())


async def test_rows_of_a_batch_that_failed_for_a_permanent_reason_fail(tmp_path: Path) -> None:
    vendor = RefusingVendor()
    vendor.code, vendor.message = "model_not_found", "The model m-1 does not exist."
    async with connect(vendor) as provider:
        found, _ = await collect(provider, vendor, tmp_path / "l", vendor.fail_first_batch)
    assert all(isinstance(done.result.failure(), ModelNotFound) for done in found.values())
    assert read_report(tmp_path / "l").unwrap().failed == 10
    assert len(vendor.jobs) == 1


@pytest.mark.parametrize("route", ["batch", "auto"])
async def test_a_batch_that_failed_for_an_exhausted_quota_stops_the_job_and_keeps_its_rows_open(
    route: str, tmp_path: Path
) -> None:
    vendor = RefusingVendor()
    vendor.code, vendor.message = "billing_hard_limit_reached", "Billing hard limit has been reached."
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", vendor.fail_first_batch, route=route)
        assert isinstance(job.stopped, QuotaExhausted)
        assert list(found) == [""]
        report = read_report(tmp_path / "l").unwrap()
        assert (report.failed, report.in_batches, report.batches) == (0, 10, 0)
        again, job = await collect(provider, vendor, tmp_path / "l", vendor.fail_first_batch)
    assert job.stopped is None
    assert len(again) == 10
    assert all(isinstance(done.result, Success) for done in again.values())


@pytest.mark.parametrize("code", ["token_limit_exceeded", "model_not_found", "permission_denied"])
async def test_auto_sends_the_rows_of_a_failed_batch_live(code: str, tmp_path: Path) -> None:
    vendor = RefusingVendor()
    vendor.code, vendor.message = code, "not in batches"
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", vendor.fail_first_batch, route="auto")
    assert job.stopped is None
    assert (len(found), len(vendor.jobs), vendor.live) == (10, 1, 10)
    assert all(isinstance(done.result, Success) for done in found.values())


class DenyingVendor(MixedVendor):
    """Refuses rows with "refuse" in their text, for a reason that does not depend on them."""

    status = 401
    code = ""

    def build_refusal(self, message: str) -> tuple[int, Any]:
        return self.status, {"error": {"message": message, "code": self.code, "type": self.code}}


def make_denying_vendor(status: int, code: str) -> tuple[DenyingVendor, list[Row]]:
    """A vendor, and ten rows, of which it refuses two."""
    vendor = DenyingVendor()
    vendor.status, vendor.code = status, code
    return vendor, [Row(f"row {number}", "refuse" if number in (3, 6) else f"text {number}") for number in range(10)]


@pytest.mark.parametrize(
    ("route", "status", "code"),
    [
        ("batch", 401, "invalid_api_key"),
        ("batch", 403, "permission_denied"),
        ("batch", 429, "insufficient_quota"),
        ("auto", 401, "invalid_api_key"),
        ("auto", 429, "insufficient_quota"),
    ],
)
async def test_a_fault_of_a_row_that_all_rows_have_stops_the_job_and_keeps_the_row_open(
    route: str, status: int, code: str, tmp_path: Path
) -> None:
    vendor, given = make_denying_vendor(status, code)
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", rows=given, route=route)
        assert job.stopped is not None
        assert job.stopped.status == status
        (affected,) = (done for done in found.values() if isinstance(done.result, Failure))
        assert affected.key in ("row 3", "row 6")
        report = read_report(tmp_path / "l").unwrap()
        assert (report.done, report.failed, report.retryable, report.in_batches) == (8, 0, 0, 2)
        assert vendor.live == 0
        vendor.build_refusal = lambda message: (200, vendor.build_completion("ACCEPTED"))  # type: ignore[method-assign]
        again, job = await collect(provider, vendor, tmp_path / "l", rows=given, route=route)
    assert job.stopped is None
    assert all(isinstance(done.result, Success) for done in again.values())
    assert len(again) == 10
    assert [len(one.requests) for one in vendor.jobs.values()] == ([10, 2] if route == "batch" else [10])


@pytest.mark.parametrize(("status", "code"), [(403, "permission_denied"), (404, "model_not_found")])
async def test_auto_sends_rows_live_that_only_batches_may_refuse(status: int, code: str, tmp_path: Path) -> None:
    vendor, given = make_denying_vendor(status, code)
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", rows=given, route="auto")
    assert job.stopped is None
    assert (len(vendor.jobs), vendor.live) == (1, 2)
    assert all(isinstance(done.result, Success) for done in found.values())


async def test_a_row_with_an_unknown_model_fails_without_live_calls(tmp_path: Path) -> None:
    vendor, given = make_denying_vendor(404, "model_not_found")
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", rows=given)
    assert job.stopped is None
    assert isinstance(found["row 3"].result.failure(), ModelNotFound)
    assert read_report(tmp_path / "l").unwrap().failed == 2


async def test_resumed_rows_have_the_cost_of_batches(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        first, job = await collect(provider, vendor, tmp_path / "l", price=lambda _: 0.06)
        before = (await job.report()).unwrap()
        export(tmp_path / "l", tmp_path / "before.jsonl").unwrap()
        second, job = await collect(provider, vendor, tmp_path / "l", price=lambda _: 0.06)
        after = (await job.report()).unwrap()
        export(tmp_path / "l", tmp_path / "after.jsonl").unwrap()
    assert all(done.is_resumed for done in second.values())
    costs = {key: done.cost_usd for key, done in first.items()}
    assert costs == {key: done.cost_usd for key, done in second.items()}
    assert set(costs.values()) == {0.03}
    assert before.cost_usd == after.cost_usd == pytest.approx(0.3)
    assert (tmp_path / "before.jsonl").read_text() == (tmp_path / "after.jsonl").read_text()


@pytest.mark.parametrize(("model", "factor"), [("zai-org/GLM-4.5-Air-FP8", 0.5), ("m-1", 1.0)])
async def test_rows_of_models_without_a_discount_have_the_cost_of_live_calls(
    model: str, factor: float, tmp_path: Path
) -> None:
    """Together's discount applies to some models only."""
    vendor = TogetherVendor()
    budget = Budget(usd=0.625 * factor)
    async with connect(vendor) as provider:
        found, job = await collect(
            provider, vendor, tmp_path / "l", model=model, price=lambda _: 0.0625, budget=budget, rows=build_rows(11)
        )
    assert isinstance(job.stopped, BudgetExceeded)
    costs = [done.cost_usd for done in found.values() if isinstance(done.result, Success)]
    assert costs == [0.0625 * factor] * 10


class CallingVendor(OpenAIVendor):
    """Answers every request by the call of a tool."""

    def build_completion(self, text: str) -> dict[str, Any]:
        whole: dict[str, Any] = super().build_completion(text)
        function = {"name": "city_find", "arguments": "{}"}
        whole["choices"][0]["message"]["tool_calls"] = [{"id": "call-1", "type": "function", "function": function}]
        return whole


async def test_calls_of_tools_have_the_names_that_the_rows_gave(tmp_path: Path) -> None:
    vendor = CallingVendor()
    tools = [{"name": "city.find", "description": "", "parameters": {"type": "object", "properties": {}}}]
    async with connect(vendor) as provider:
        found, _ = await collect(provider, vendor, tmp_path / "l", rows=[Row("a", "x", tools=tools), Row("b", "y")])
        handle = await provider.submit_batch([Row("a", "x")], model="m-1", tools=tools)
        vendor.finish()
        (result,) = [result async for result in provider.batch_results(handle, keys=["a"])]
    assert found["a"].result.unwrap().tool_calls[0]["name"] == "city.find"
    assert found["b"].result.unwrap().tool_calls[0]["name"] == "city_find"
    calls = result.result.unwrap().tool_calls
    assert calls is not None
    assert calls[0]["name"] == "city.find"


FULL = sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("step", ["add_batch", "set_handle", "list_batch_rows", "close_batch"])
async def test_unwritable_ledger_stops_the_job_and_the_next_run_continues(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = OpenAIVendor()

    def fail(*_: object) -> None:
        raise FULL

    async with connect(vendor) as provider:
        with monkeypatch.context() as patched:
            patched.setattr(batching if step == "add_batch" else open_batches, step, fail)
            _, job = await collect(provider, vendor, tmp_path / "l")
        assert isinstance(job.stopped, LedgerFailed)
        assert "disk is full" in job.stopped.message
        found, job = await collect(provider, vendor, tmp_path / "l")
    assert job.stopped is None
    assert {key: done.result.unwrap().content for key, done in found.items()} == {
        f"row {number}": f"TEXT {number}" for number in range(10)
    }
    assert len(vendor.jobs) == 1
    assert read_report(tmp_path / "l").unwrap().in_batches == 0


async def test_results_that_cannot_be_recorded_after_another_stop_are_read_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = OpenAIVendor()

    def fail(*_: object) -> None:
        raise FULL

    async with connect(vendor) as provider:
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "_finish", fail)
            _, job = await collect(provider, vendor, tmp_path / "l", budget=Budget(requests=4))
        assert isinstance(job.stopped, BudgetExceeded)
        assert read_report(tmp_path / "l").unwrap().in_batches == 4
        found, _ = await collect(provider, vendor, tmp_path / "l")
    assert len(found) == 10
    assert [len(batch.requests) for batch in vendor.jobs.values()] == [4, 6]


async def test_a_submission_that_is_cancelled_inside_raises_and_its_rows_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raise_cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        with monkeypatch.context() as patched:
            patched.setattr(batch_client.BatchClient, "submit", raise_cancelled)
            with pytest.raises(RuntimeError, match="a call was cancelled"):
                await collect(provider, vendor, tmp_path / "l")
        found, _ = await collect(provider, vendor, tmp_path / "l")
    assert len(found) == 10
    assert len(vendor.jobs) == 1


async def test_ledger_stores_the_expiry_of_results(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    looks = 0

    def raise_at_second_look(_: Job) -> tuple[str, int | None]:
        nonlocal looks
        looks += 1
        if looks == 1:
            return "running", 0
        raise OSError("the process ends")

    async with connect(vendor) as provider:
        clock = Clock(vendor, raise_at_second_look)
        clock.is_pending = frozenset({"pending", "running"})
        job = run(build_rows(3), provider, ledger=tmp_path / "l", model="m-1", route="batch", runtime=clock)
        with pytest.raises(OSError, match="the process ends"):
            async for _ in job:
                pass
        await job.aclose()
    report = read_report(tmp_path / "l").unwrap()
    assert report.results_expire_at == 1_700_000_000 + 30 * 24 * 3600  # 30 days after the vendor created the batch
    assert "the first results expire at the vendor at 2023-12-14 22:13 UTC" in format_report(report)


class LargeVendor(OpenAIVendor):
    """Sends results of 16 KB line by line, as fast as they are read, and notes how many more were sent than recorded."""

    text = "x" * 16_000

    def __init__(self, ledger: Path) -> None:
        super().__init__()
        self.ledger = ledger
        self.ahead: list[int] = []

    async def __call__(self, talk: Talk, received: Received) -> None:
        if not received.path.endswith("/content"):
            await super().__call__(talk, received)
            return
        (job,) = self.jobs.values()
        await talk.send_head()
        for number, identifier in enumerate(job.requests):
            if number % 250 == 0:
                self.ahead.append(number - read_report(self.ledger).unwrap().done)
            line = self.build_line(identifier, "answered", 200, self.build_completion(self.text))
            await talk.send_chunk(write_lines([line]))
        await talk.end()


@pytest.mark.slow
async def test_results_are_recorded_while_they_are_read(tmp_path: Path) -> None:
    """Neither the file of results nor its lines are held in memory."""
    vendor = LargeVendor(tmp_path / "l")
    clock = Clock(vendor, lambda job: ("completed", 1))
    async with connect(vendor) as provider:
        tracemalloc.start()
        try:
            job = run(build_rows(4000), provider, ledger=tmp_path / "l", route="batch", model="m-1", runtime=clock)
            count = len([done.key async for done in job])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert count == 4000
    assert max(vendor.ahead) < 1200  # two chunks, and what the sockets hold
    assert peak < 0.7 * count * len(vendor.text)  # the same 30 to 40 MB with twice the rows
