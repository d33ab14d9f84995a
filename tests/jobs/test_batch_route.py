"""Jobs over vendors' batch APIs on loopback: what is submitted, collected, sent again and never paid for twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.other_vendors import AnthropicVendor, MistralVendor
from tests.batches.store_vendors import BedrockVendor, VertexVendor
from tests.batches.vendor import BatchVendor, Job
from tests.jobs.batch_jobs import Clock, MixedVendor, build_rows, collect, complete, connect, leave_open
from tests.jobs.row_provider import RowProvider
from tests.loopback import Received
from victor_fp.core.faults import (
    BudgetExceeded,
    Cancelled,
    InvalidRequest,
)
from victor_fp.core.types import ImagePart, Message, TextPart
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.jobs import Budget, Row, export, open_batches, read_report, reopen_rows, run
from victor_fp.jobs import batch_route as batching
from victor_fp.jobs.row_reader import CHUNK
from victor_fp.shell.engine.budget_keeper import BudgetKeeper
from victor_fp.shell.store.memory import MemoryStore


@pytest.mark.parametrize("kind", [OpenAIVendor, AnthropicVendor, MistralVendor, VertexVendor, BedrockVendor])
async def test_every_row_is_answered_by_one_batch(kind: type[BatchVendor], tmp_path: Path) -> None:
    vendor = kind()
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", rows=build_rows(600))
    assert len(vendor.jobs) == 1
    assert {key: done.result.unwrap().content for key, done in found.items()} == {
        f"row {number}": f"TEXT {number}" for number in range(600)
    }
    assert job.stopped is None
    assert export(tmp_path / "l", tmp_path / "out.jsonl").unwrap() == 600
    assert [json.loads(line)["key"] for line in (tmp_path / "out.jsonl").read_text().splitlines()][:3] == [
        "row 0", "row 1", "row 2"
    ]  # fmt: skip
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.left) == (600, 0)


async def test_large_jobs_are_split_by_bytes_and_by_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_BYTES", 1000)
    vendor = OpenAIVendor()
    given = [Row(f"{number}", f"text {number}", model="m-1" if number % 3 else "m-2") for number in range(60)]
    async with connect(vendor) as provider:
        found, _ = await collect(provider, vendor, tmp_path / "l", rows=given)
    assert len(found) == 60
    assert len(vendor.jobs) > 10
    for job in vendor.jobs.values():
        assert len({request["model"] for request in job.requests.values()}) == 1
        assert len(vendor.files[job.input_file]) <= 1000


async def test_a_second_run_submits_nothing(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        first, _ = await collect(provider, vendor, tmp_path / "l")
        second, _ = await collect(provider, vendor, tmp_path / "l")
    assert len(vendor.jobs) == 1
    assert all(done.is_resumed for done in second.values())
    assert {key: done.result for key, done in second.items()}.keys() == first.keys()


async def test_open_batch_is_collected_by_the_next_run(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        await leave_open(provider, vendor, tmp_path / "l", build_rows(10))
        report = read_report(tmp_path / "l").unwrap()
        assert (report.done, report.in_batches, report.batches) == (0, 10, 1)

        refused, live = await collect(provider, vendor, tmp_path / "l", route="live")
        assert isinstance(live.stopped, InvalidRequest)
        assert "10 rows in 1 open batches" in live.stopped.message
        assert [done.key for done in refused.values()] == [""]

        found, _ = await collect(provider, vendor, tmp_path / "l")
    assert len(found) == 10
    assert len(vendor.jobs) == 1
    assert read_report(tmp_path / "l").unwrap().in_batches == 0


@pytest.mark.parametrize("kind", [OpenAIVendor, AnthropicVendor])
async def test_a_batch_whose_handle_was_lost_is_found_and_not_submitted_again(
    kind: type[BatchVendor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies after the vendor created the batch and before the ledger has its handle."""
    monkeypatch.setattr("victor_fp.core.batching.polling.CLOCK_DRIFT", 1e12)
    vendor = kind()

    def fail(_: object) -> str:
        raise RuntimeError("the process died")

    async with connect(vendor) as provider:
        with monkeypatch.context() as patched:
            patched.setattr(open_batches, "encode_handle", fail)
            job = run(
                build_rows(5),
                provider,
                ledger=tmp_path / "l",
                model="m-1",
                route="batch",
                runtime=Clock(vendor, complete),
            )
            with pytest.raises(RuntimeError, match="the process died"):
                async for _ in job:
                    pass
            await job.aclose()
        assert len(vendor.jobs) == 1
        found, _ = await collect(provider, vendor, tmp_path / "l", rows=build_rows(5))
    assert len(vendor.jobs) == 1
    assert sorted(found) == [f"row {number}" for number in range(5)]


async def test_a_batch_whose_creation_or_list_cannot_be_read_is_not_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the creation is not valid, and that to the next run's list is an error, both with status 200."""
    monkeypatch.setattr("victor_fp.core.batching.polling.CLOCK_DRIFT", 1e12)

    class CutVendor(AnthropicVendor):
        def handle(self, received: Received) -> tuple[int, Any]:
            status, answer = super().handle(received)
            return status, (b'{"id": "msgba' if received.method == "POST" else answer)

    vendor = CutVendor()
    async with connect(vendor) as provider:
        _, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is not None
        assert job.stopped.maybe_billed
        vendor.faults = [(200, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})]
        _, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is not None
        assert job.stopped.message == "busy"
        found, job = await collect(provider, vendor, tmp_path / "l")
    assert job.stopped is None
    assert len(vendor.jobs) == 1
    assert all(isinstance(done.result, Success) for done in found.values())


async def test_a_batch_that_was_not_created_is_submitted_by_the_next_run(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        vendor.faults = [(401, {"error": {"message": "wrong key", "type": "authentication_error"}})]
        _, job = await collect(provider, vendor, tmp_path / "l")
        assert job.stopped is not None
        assert job.stopped.status == 401
        assert vendor.jobs == {}
        found, _ = await collect(provider, vendor, tmp_path / "l")
    assert len(found) == 10
    assert len(vendor.jobs) == 1
    assert all(isinstance(done.result, Success) for done in found.values())


async def test_the_result_of_a_batch_is_not_that_of_a_row_that_has_changed(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        await leave_open(provider, vendor, tmp_path / "l", build_rows(3))
        changed = [Row("row 0", "changed"), *build_rows(3)[1:]]
        job = run(changed, provider, ledger=tmp_path / "l", model="m-1", route="batch", runtime=Clock(vendor, complete))
        found = [(done.key, type(done.result)) async for done in job]
        assert sorted(found) == [("row 0", Failure), ("row 1", Success), ("row 2", Success)]
        assert (job.conflicts, len(vendor.jobs)) == (1, 1)
        again, _ = await collect(provider, vendor, tmp_path / "l", rows=build_rows(3))
    assert again["row 0"].result.unwrap().content == "TEXT 0"


@pytest.mark.parametrize("route", ["batch", "auto"])
async def test_queued_rows_are_not_sent_with_other_options(tmp_path: Path, route: str) -> None:
    picture = Message(role="user", content=[TextPart(text="x"), ImagePart(url="https://a.example/b.png")])
    tool = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    given = [*build_rows(3), Row("picture", [picture], {"stop": ["a"]}), Row("tool", "x", tools=[tool])]
    vendor = MixedVendor()
    async with connect(vendor) as provider:
        settings: dict[str, Any] = {"rows": given, "route": route, "seed": 1}
        vendor.faults = [(401, {"error": {"message": "wrong key", "type": "authentication_error"}})]
        await collect(provider, vendor, tmp_path / "l", **settings)
        assert read_report(tmp_path / "l").unwrap().in_batches == 5
        found, job = await collect(provider, vendor, tmp_path / "l", **{**settings, "seed": 2})
        assert job.conflicts == 5
        assert {done.key: type(done.result) for done in found.values()} == {row.key: Failure for row in given}
        assert (len(vendor.jobs), vendor.live) == (0, 0)
        found, _ = await collect(provider, vendor, tmp_path / "l", **settings)
    assert all(isinstance(done.result, Success) for done in found.values())
    assert len(found) == 5
    assert read_report(tmp_path / "l").unwrap().in_batches == 0


async def test_a_temporarily_failed_submission_is_retried(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        vendor.faults = [(429, {"error": {"message": "too many enqueued tokens", "type": "requests"}})] * 2
        found, job = await collect(provider, vendor, tmp_path / "l")
    assert len(found) == 10
    assert job.stopped is None


async def test_rows_of_an_expired_batch_go_into_another_one(tmp_path: Path) -> None:
    vendor = OpenAIVendor()

    def expire_first_batch(job: Job) -> tuple[str, int | None]:
        return ("expired", 4) if len(vendor.jobs) == 1 else ("completed", None)

    async with connect(vendor) as provider:
        found, _ = await collect(provider, vendor, tmp_path / "l", expire_first_batch)
    assert [len(job.requests) for job in vendor.jobs.values()] == [10, 6]
    assert all(isinstance(done.result, Success) for done in found.values())
    assert len(found) == 10


async def test_more_queued_rows_than_batches_may_be_open_are_submitted_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "MAX_BYTES", 1000)
    monkeypatch.setattr("victor_fp.jobs.open_batches.MAX_OPEN", 2)
    vendor, expired = OpenAIVendor(), set[str]()

    def expire_once(job: Job) -> tuple[str, int | None]:
        if expired.issuperset(job.requests):
            return "completed", None
        expired.update(job.requests)
        return "expired", 0

    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", expire_once, rows=build_rows(60))
    assert job.stopped is None
    assert [type(done.result) for done in found.values()] == [Success] * 60
    submitted = Counter(identifier for job in vendor.jobs.values() for identifier in job.requests)
    assert len(vendor.jobs) > 4
    assert list(submitted.values()) == [2] * 60


async def test_queued_rows_of_several_inputs_are_all_sent(tmp_path: Path) -> None:
    vendor, count = MixedVendor(), CHUNK // 2  # a chunk of queued rows ends between rows of one position
    async with connect(vendor) as provider:
        vendor.faults = [(503, {"error": {"message": "overloaded"}})] * 3 * batching.MAX_SUBMISSIONS
        for name in ("a", "b", "c"):
            given = [Row(f"{name}{number}", f"text {name}{number}") for number in range(count)]
            await collect(provider, vendor, tmp_path / "l", rows=given)
        found, job = await collect(provider, vendor, tmp_path / "l", rows=[], route="auto")
        assert vendor.jobs == {}
    assert job.stopped is None
    assert len(found) == vendor.live == 3 * count


async def test_rows_that_expire_again_and_again_stay_open_for_the_next_run(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        found, _ = await collect(
            provider, vendor, tmp_path / "l", lambda job: ("expired", 0), rows=build_rows(3), max_tries=2
        )
        assert len(vendor.jobs) == 2
        report = read_report(tmp_path / "l").unwrap()
        assert (report.retryable, report.left, report.in_batches) == (3, 3, 0)
        assert all(isinstance(done.result, Failure) for done in found.values())
        again, _ = await collect(provider, vendor, tmp_path / "l", rows=build_rows(3))
    assert all(isinstance(done.result, Success) for done in again.values())


async def test_auto_sends_rows_without_a_batch_result_live(tmp_path: Path) -> None:
    vendor = MixedVendor()
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", lambda job: ("expired", 4), route="auto")
    assert (len(vendor.jobs), vendor.live) == (1, 6)
    contents = sorted(done.result.unwrap().content for done in found.values())
    assert contents == sorted([f"TEXT {n}" for n in range(4)] + [f"live text {n}" for n in range(4, 10)])
    assert read_report(tmp_path / "l").unwrap().left == 0
    assert job.stopped is None


REFUSALS: list[tuple[int, str]] = [
    (400, "The model m-1 does not support batches."),
    (403, "This project may not use batches."),
    (404, "Batches are not enabled."),
]


@pytest.mark.parametrize(("status", "message"), REFUSALS)
async def test_auto_sends_rows_live_whose_batch_is_refused(status: int, message: str, tmp_path: Path) -> None:
    vendor = MixedVendor()
    budget = Budget(usd=0.8)  # it must not be reserved for the batch, 0.3, and for the live calls, 0.6
    async with connect(vendor) as provider:
        vendor.faults = [(status, {"error": {"message": message, "type": "invalid_request_error"}})]
        found, job = await collect(
            provider, vendor, tmp_path / "l", route="auto", budget=budget, price=lambda _: 0.06, max_tokens=10
        )
    assert job.stopped is None
    assert job.problems == {"refused": 1}
    assert (len(vendor.jobs), vendor.live) == (0, 10)
    assert all(done.result.unwrap().content.startswith("live") for done in found.values())
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.in_batches) == (10, 0)


@pytest.mark.parametrize(("status", "message"), REFUSALS)
async def test_a_refused_batch_stops_a_job_with_batches_only(status: int, message: str, tmp_path: Path) -> None:
    vendor = MixedVendor()
    async with connect(vendor) as provider:
        vendor.faults = [(status, {"error": {"message": message, "type": "invalid_request_error"}})]
        _, job = await collect(provider, vendor, tmp_path / "l")
    assert job.stopped is not None
    assert job.stopped.status == status
    assert vendor.live == 0


@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (429, "insufficient_quota"), (403, "insufficient_quota")]
)
async def test_auto_stops_at_faults_that_live_calls_would_have(status: int, code: str, tmp_path: Path) -> None:
    vendor = MixedVendor()
    async with connect(vendor) as provider:
        vendor.faults = [(status, {"error": {"message": "no", "code": code}})]
        _, job = await collect(provider, vendor, tmp_path / "l", route="auto")
    assert job.stopped is not None
    assert job.stopped.status == status
    assert vendor.live == 0


async def test_auto_without_a_batch_api_is_live(tmp_path: Path) -> None:
    provider = RowProvider()
    found = {
        done.key: done async for done in run(build_rows(5), provider, model="m", ledger=tmp_path / "l", route="auto")
    }
    assert all(isinstance(done.result, Success) for done in found.values())
    refused = run(build_rows(5), provider, model="m", ledger=tmp_path / "l2", route="batch")
    (only,) = [done async for done in refused]
    assert "does not support batches" in only.result.failure().message


async def test_unmatched_results_are_counted_and_assigned_to_no_row(tmp_path: Path) -> None:
    vendor = MixedVendor()

    def complete_with_unmatched(job: Job) -> tuple[str, int | None]:
        vendor.run(job, 9)
        job.results += [job.results[0], ("stranger", "answered", 200, vendor.build_completion("WHO"))]
        return "completed", 0

    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", complete_with_unmatched, route="auto")
    assert job.problems == {"doubled": 1, "unknown": 1}
    assert vendor.live == 1
    assert len(found) == 10


async def test_a_refused_row_fails_and_an_invalid_one_is_not_submitted(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    given: list[Any] = [
        Row("a", "one"),
        Row("b", "refuse me"),
        {"key": "c"},
        Row("d", "x", {"no_such_option_type": {"a": 1}}),
    ]
    async with connect(vendor) as provider:
        found, _ = await collect(provider, vendor, tmp_path / "l", rows=given)
    assert isinstance(found["a"].result, Success)
    assert found["b"].result.failure().status == 400
    assert "neither messages nor prompt" in found["c"].result.failure().message
    report = read_report(tmp_path / "l").unwrap()
    assert report.failed >= 2


async def test_failed_row_is_submitted_again_on_request(tmp_path: Path) -> None:
    vendor, given = OpenAIVendor(), [Row("a", "one"), Row("b", "refuse me")]
    async with connect(vendor) as provider:
        first, _ = await collect(provider, vendor, tmp_path / "l", rows=given)
        assert isinstance(first["b"].result, Failure)
        vendor.build_refusal = lambda message: (200, vendor.build_completion("ACCEPTED"))  # type: ignore[method-assign]
        second, job = await collect(provider, vendor, tmp_path / "l", rows=given, retry_failed=True)
    assert [len(one.requests) for one in vendor.jobs.values()] == [2, 1]
    assert second["b"].result.unwrap().content == "ACCEPTED"
    assert job.problems == {}
    report = read_report(tmp_path / "l").unwrap()
    assert (report.done, report.failed, report.left, report.in_batches) == (2, 0, 0, 0)


async def test_mismatch_is_recorded_as_failed_with_its_response(tmp_path: Path) -> None:
    class Cities(OpenAIVendor):
        def build_completion(self, text: str) -> Any:
            return super().build_completion('{"city": "Oslo"}' if text == "TEXT 0" else '{"town": 1}')

    vendor, ledger = Cities(), tmp_path / "l"
    form = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with connect(vendor) as provider:
        first, job = await collect(provider, vendor, ledger, rows=build_rows(2), schema=form)
        report = (await job.report()).unwrap()
        assert (report.done, report.failed, report.left, report.faults) == (1, 1, 0, {"InvalidResponse": 1})
        (await job.export(tmp_path / "out.jsonl")).unwrap()
        good, mismatch = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
        assert (good["status"], "error" in good) == ("done", False)
        assert (mismatch["status"], mismatch["error"]["type"]) == ("failed", "InvalidResponse")
        assert mismatch["response"]["content"] == '{"town": 1}'

        second, _ = await collect(provider, vendor, ledger, rows=build_rows(2), schema=form)
        assert len(vendor.jobs) == 1
        for key, done in first.items():
            assert second[key].result == done.result
            assert second[key].response.content == done.response.content

        retried, _ = await collect(provider, vendor, ledger, rows=build_rows(2), schema=form, retry_failed=True)
        assert [len(one.requests) for one in vendor.jobs.values()] == [2, 1]
        assert not retried["row 1"].is_resumed
        assert reopen_rows(ledger, ["failed"]).unwrap() == 1
        assert read_report(ledger).unwrap().left == 1


async def test_a_cancelled_batch_ends_the_job_and_keeps_what_was_answered(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        found, job = await collect(provider, vendor, tmp_path / "l", lambda job: ("cancelled", 3))
        assert isinstance(job.stopped, Cancelled)
        assert len(found) == 3
        again, _ = await collect(provider, vendor, tmp_path / "l")
    assert len(again) == 10
    assert [len(job.requests) for job in vendor.jobs.values()] == [10, 7]


async def test_a_budget_is_kept_and_what_fits_is_submitted(tmp_path: Path) -> None:
    def compute_price(sale: PricedUsage) -> float | None:
        tokens: int = sale.usage["prompt_tokens"] + sale.usage["completion_tokens"]
        return 0.001 * tokens

    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        found, job = await collect(
            provider,
            vendor,
            tmp_path / "l",
            price=compute_price,
            budget=Budget(usd=0.2),
            max_tokens=95,
            rows=build_rows(20),
        )
    assert isinstance(job.stopped, BudgetExceeded)
    (batch,) = vendor.jobs.values()
    assert len(batch.requests) == 3  # each may take 0.0505 dollars at half the price
    answered = [done for done in found.values() if isinstance(done.result, Success)]
    assert [done.cost_usd for done in answered] == [pytest.approx(0.0035)] * 3


async def test_what_is_reserved_for_rows_that_were_not_submitted_is_released(tmp_path: Path) -> None:
    async def generate_rows() -> AsyncIterator[Row]:
        for row in build_rows(3):
            yield row
        await asyncio.Event().wait()

    store, budget, vendor = MemoryStore(), Budget(requests=3), OpenAIVendor()
    async with connect(vendor) as provider, asyncio.timeout(30):
        job = run(
            generate_rows(), provider, ledger=tmp_path / "l", route="batch", model="m-1", budget=budget, store=store
        )
        async with job:
            first = asyncio.create_task(anext(job))
            reports = 0
            while reports < 5:  # the last ones are made after the rows are read
                await asyncio.sleep(0)
                reports += (await job.report()).map(lambda report: report.read == 3).value_or(False)
            first.cancel()
        assert vendor.jobs == {}
        found, again = await collect(provider, vendor, tmp_path / "l", rows=build_rows(3), budget=budget, store=store)
    assert again.stopped is None
    assert [type(done.result) for done in found.values()] == [Success] * 3


async def test_what_is_reserved_for_batches_of_a_stopped_run_counts_as_spent(tmp_path: Path) -> None:
    store, budget, vendor = MemoryStore(), Budget(requests=3), OpenAIVendor()
    async with connect(vendor) as provider:
        job = run(
            build_rows(3), provider, ledger=tmp_path / "l", route="batch", model="m-1", budget=budget, store=store
        )
        async with job, asyncio.timeout(30):
            first = asyncio.create_task(anext(job))
            while not vendor.jobs:
                await asyncio.sleep(0.001)
            first.cancel()
        keeper = BudgetKeeper(budget, store, lambda _: None)
        assert keeper.build_stats()["requests"] == {"limit": 3, "spent": 3, "reserved": 0}


async def test_expired_results_are_requested_again_by_the_next_run(tmp_path: Path) -> None:
    vendor = OpenAIVendor()

    def drop_results(job: Job) -> tuple[str, int | None]:
        job.is_lost = True
        return "completed", None

    async with connect(vendor) as provider:
        found, _ = await collect(provider, vendor, tmp_path / "l", drop_results)
        assert all(isinstance(done.result, Failure) for done in found.values())
        assert read_report(tmp_path / "l").unwrap().retryable == 10
        again, _ = await collect(provider, vendor, tmp_path / "l")
    assert all(isinstance(done.result, Success) for done in again.values())
    assert len(vendor.jobs) == 2


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
async def test_rows_before_an_exception_of_the_source_are_submitted_and_collected(
    error: type[BaseException], tmp_path: Path
) -> None:
    def generate_rows() -> Iterator[Row]:
        yield from build_rows(3)
        raise error("the file ended")

    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        job = run(
            generate_rows(),
            provider,
            ledger=tmp_path / "l",
            route="batch",
            model="m-1",
            runtime=Clock(vendor, complete),
        )
        with pytest.raises(error, match="the file ended"):
            async for _ in job:
                pass
    assert len(vendor.jobs) == 1
    assert read_report(tmp_path / "l").unwrap().done == 3
