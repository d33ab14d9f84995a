"""Jobs over vendors' batch APIs on loopback: what is submitted, collected, sent again and never paid for twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.other_vendors import AnthropicVendor, MistralVendor
from tests.batches.store_vendors import BedrockVendor, VertexVendor
from tests.batches.vendor import BatchVendor, Job
from tests.fake_runtime import FakeRuntime
from tests.jobs.row_provider import RowProvider
from tests.loopback import Received, Talk, serving
from tests.openai_shapes import build_body
from victor_fp.core.batching.polling import END_GRACE
from victor_fp.core.faults import (
    BudgetExceeded,
    Cancelled,
    InvalidRequest,
    InvalidResponse,
    LedgerFailed,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
)
from victor_fp.core.types import ImagePart, Message, TextPart
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.jobs import Budget, Row, export, format_report, open_batches, read_report, reopen_rows, run
from victor_fp.jobs import batch_route as batching
from victor_fp.jobs.row_reader import CHUNK
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.engine import batches as batch_client
from victor_fp.shell.engine.budget_keeper import BudgetKeeper
from victor_fp.shell.ledger.sqlite import Ledger
from victor_fp.shell.store.memory import MemoryStore

Rule = Callable[[Job], tuple[str, int | None]]


class Clock(FakeRuntime):
    """A clock whose sleeps let the vendor finish what it has; a rule says how."""

    def __init__(self, vendor: BatchVendor, rule: Rule) -> None:
        super().__init__()
        self.vendor, self.rule = vendor, rule
        self.is_pending = frozenset({"pending", "cancelling"})

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        for job in self.vendor.jobs.values():
            if job.state in self.is_pending and job.requests:
                state, count = self.rule(job)
                self.vendor.run(job, count)
                unbegun = list(job.requests)[count:] if count is not None else []
                if self.vendor.lists_unbegun and state in ("expired", "cancelled"):
                    job.results += [(identifier, state, 0, None) for identifier in unbegun]
                job.state = state


def complete(_: Job) -> tuple[str, int | None]:
    return "completed", None


class MixedVendor(OpenAIVendor):
    """Batches, and live chats under the same address."""

    live = 0

    async def __call__(self, talk: Talk, received: Received) -> None:
        if received.path == "/v1/chat/completions":
            self.live += 1
            await talk.answer(build_body(f"live {self.get_text(received.json())}"))
        else:
            await super().__call__(talk, received)


@asynccontextmanager
async def connect(vendor: BatchVendor) -> AsyncIterator[BaseProvider]:
    async with serving(vendor) as server:
        url = f"{server.url}{vendor.path}"
        settings = {"api_key": "k", "base_url": url, "max_retries": 0, **vendor.settings}
        async with ProviderRegistry.create(vendor.name, **settings) as provider:
            yield provider


def build_rows(count: int) -> list[Row]:
    return [Row(f"row {number}", f"text {number}") for number in range(count)]


async def collect(
    provider: BaseProvider, vendor: BatchVendor, ledger: Path, rule: Rule = complete, **keywords: Any
) -> Any:
    given = keywords.pop("rows", build_rows(10))
    settings = {"route": "batch", "model": "m-1", "runtime": Clock(vendor, rule), **keywords}
    job = run(given, provider, ledger=ledger, **settings)
    return {done.key: done async for done in job}, job


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


async def leave_open(provider: BaseProvider, vendor: BatchVendor, ledger: Path, given: list[Row]) -> None:
    """Submit rows in a batch, and stop before it ends."""

    async def sleep_forever(self: Clock, seconds: float) -> None:
        await asyncio.sleep(3600)

    runtime = Clock(vendor, complete)
    runtime.sleep = sleep_forever.__get__(runtime)  # type: ignore[method-assign]  # the vendor never finishes
    job = run(given, provider, ledger=ledger, model="m-1", route="batch", runtime=runtime)
    waiting = asyncio.create_task(anext(job))
    while not vendor.jobs:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await job.aclose()


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
