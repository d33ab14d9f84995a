"""Every family of batch APIs against a loopback vendor: round trips, refusals, ends before time, and lost or odd results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from returns.result import Result, Success

from tests.batches.dataset_vendors import CohereVendor, FireworksVendor
from tests.batches.openai_vendor import (
    AzureResponsesVendor,
    AzureVendor,
    CerebrasVendor,
    GroqVendor,
    MoonshotChinaVendor,
    MoonshotVendor,
    OpenAIVendor,
    QwenChinaVendor,
    QwenVendor,
    ResponsesVendor,
    TogetherVendor,
    ZaiVendor,
)
from tests.batches.other_vendors import (
    AnthropicVendor,
    GeminiVendor,
    MistralVendor,
    OpenRouterResponsesVendor,
    OpenRouterVendor,
    XAIResponsesVendor,
    XAIVendor,
)
from tests.batches.store_vendors import BedrockVendor, VertexClaudeVendor, VertexVendor
from tests.batches.vendor import BatchVendor, Job, write_lines
from tests.loopback import Received, serving
from victor_fp.core.batching.polling import END_GRACE, MAX_AGE, is_overdue
from victor_fp.core.batching.types import BatchHandle, BatchResult, decode_handle, encode_handle
from victor_fp.core.catalogue.batches import BATCHES
from victor_fp.core.faults import Cancelled, CredentialMissing, Fault, InvalidRequest, InvalidResponse, TimedOut
from victor_fp.jobs import Row
from victor_fp.providers.base import BaseProvider, ProviderError
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.engine.batches import MAX_EMPTY_PAGES

VENDORS: list[type[BatchVendor]] = [
    OpenAIVendor,
    ResponsesVendor,
    AzureVendor,
    AzureResponsesVendor,
    GroqVendor,
    MoonshotVendor,
    MoonshotChinaVendor,
    CerebrasVendor,
    ZaiVendor,
    QwenVendor,
    QwenChinaVendor,
    TogetherVendor,
    AnthropicVendor,
    GeminiVendor,
    MistralVendor,
    CohereVendor,
    FireworksVendor,
    XAIVendor,
    XAIResponsesVendor,
    OpenRouterVendor,
    OpenRouterResponsesVendor,
    VertexVendor,
    VertexClaudeVendor,
    BedrockVendor,
]
KEY = "sk-canary-batch-42"


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> BatchVendor:
    made: BatchVendor = request.param()
    return made


@asynccontextmanager
async def connect(vendor: BatchVendor, **keywords: Any) -> AsyncIterator[BaseProvider]:
    async with serving(vendor) as server:
        settings: dict[str, Any] = {"api_key": KEY, "base_url": f"{server.url}{vendor.path}", "max_retries": 0}
        settings |= {**vendor.settings, **keywords}
        async with ProviderRegistry.create(vendor.name, **settings) as provider:
            yield provider


ROWS = [Row("a", "one"), Row("b", "two"), Row("a key, with spaces", "three"), Row("d", "four")]
KEYS = [row.key for row in ROWS]


async def collect(provider: BaseProvider, handle: Any, keys: Any = KEYS) -> dict[str, BatchResult]:
    return {result.key: result async for result in provider.batch_results(handle, keys=keys)}


def test_every_vendor_of_the_table_is_tested() -> None:
    assert sorted(vendor.name for vendor in VENDORS) == sorted(BATCHES)


async def test_results_are_returned_under_their_keys_in_any_order(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model, max_tokens=50)
        assert (handle.provider, handle.count, handle.model) == (vendor.name, 4, vendor.model)
        status = await provider.batch_status(handle)
        assert status.state in ("pending", "running")
        assert not status.is_final
        job = vendor.finish()
        status = await provider.batch_status(handle)
        assert (status.state, status.is_final) == ("completed", True)
        found = await collect(provider, handle)
    assert {key: result.result.unwrap().content for key, result in found.items()} == {
        "a": "ONE", "b": "TWO", "a key, with spaces": "THREE", "d": "FOUR"
    }  # fmt: skip
    assert all((result.end, result.problem) == ("answered", None) for result in found.values())
    usage = found["a"].result.unwrap().usage
    assert usage is not None
    assert usage["total_tokens"] == 7
    assert len(set(job.requests)) == 4
    assert all(len(identifier) <= 64 and identifier.isascii() and " " not in identifier for identifier in job.requests)


async def test_a_batch_request_has_the_body_of_a_live_request(vendor: BatchVendor) -> None:
    from victor_fp import replay
    from victor_fp.core.types import Message

    async with connect(vendor) as provider:
        await provider.submit_batch([Row("a", "Hi", {"temperature": 0.5})], model=vendor.model, max_tokens=50)
    live = replay.request(
        vendor.name,
        [Message(role="user", content="Hi")],
        model=vendor.model,
        temperature=0.5,
        max_tokens=50,
        base_url=f"http://localhost{vendor.path}",
    )
    (job,) = vendor.jobs.values()
    sent = dict(job.requests["a"])
    expected = dict(live.unwrap().json())  # type: ignore[arg-type]  # an object
    assert {"model": vendor.model, **sent} == {"model": vendor.model, **expected}


async def test_a_refused_row_is_a_fault_of_that_row(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch([Row("a", "one"), Row("b", "refuse me")], model=vendor.model)
        vendor.finish()
        found = await collect(provider, handle, ["a", "b"])
    assert isinstance(found["a"].result, Success)
    fault = found["b"].result.failure()
    assert found["b"].end == "failed"
    assert isinstance(fault, vendor.refused)
    assert "not this one" in fault.message
    assert (fault.provider, fault.model) == (vendor.name, vendor.model)


@pytest.mark.parametrize("state", ["expired", "cancelled"])
async def test_results_completed_before_the_batch_ended_are_kept(vendor: BatchVendor, state: str) -> None:
    if state not in vendor.states:
        pytest.skip("the vendor has no such state")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish(state, 2)
        status = await provider.batch_status(handle)
        found = await collect(provider, handle)
    assert status.state == state
    assert [found[key].result.unwrap().content for key in KEYS[:2]] == ["ONE", "TWO"]
    for key in KEYS[2:]:
        assert (found[key].end, found[key].problem) == (state, None)
        assert isinstance(found[key].result.failure(), TimedOut if state == "expired" else Cancelled)


async def test_cancellation_is_requested_and_reported(vendor: BatchVendor) -> None:
    if not vendor.cancels:
        pytest.skip("the vendor cancels no batches")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        assert (await provider.cancel_batch(handle)).state in ("cancelling", "cancelled", "running")
        vendor.finish("cancelled", 1)
        assert (await provider.batch_status(handle)).state == "cancelled"


@pytest.mark.parametrize("state", ["completed", "failed", "expired", "cancelled"])
async def test_an_ended_batch_is_not_cancelled_and_keeps_its_results(vendor: BatchVendor, state: str) -> None:
    if not vendor.cancels or state not in vendor.states:
        pytest.skip("the vendor cancels no batches, or has no such state")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish(state, 4 if state == "completed" else 0)
        before = len(vendor.received)
        status = await provider.cancel_batch(handle)
        found = await collect(provider, handle)
    assert status.state == state
    assert {received.method for received in vendor.received[before:]} == {"GET"}
    assert {result.end for result in found.values()} == {"answered" if state == "completed" else state}


@pytest.mark.parametrize("kind", [OpenRouterVendor, OpenRouterResponsesVendor])
async def test_batches_that_cannot_be_cancelled_are_left_alone(kind: type[BatchVendor]) -> None:
    vendor = kind()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        before = len(vendor.received)
        fault = (await provider.cancel_batch_result(handle)).failure()
        assert len(vendor.received) == before
        found = await collect(provider, handle)
    assert isinstance(fault, InvalidRequest)
    assert "cannot be cancelled" in fault.message
    assert {result.end for result in found.values()} == {"answered"}


async def test_doubled_unknown_and_missing_results_are_reported(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        job = vendor.finish("completed", 3)
        job.results.append(next(result for result in job.results if result[0] == "a"))
        job.results.append(("stranger", "answered", 200, vendor.build_completion("WHO")))
        results = [result async for result in provider.batch_results(handle, keys=KEYS)]
    problems = sorted((result.problem or "", result.key) for result in results)
    assert problems == [
        ("", "a"), ("", "a key, with spaces"), ("", "b"), ("doubled", "a"), ("missing", "d"), ("unknown", "stranger")
    ]  # fmt: skip
    missing = next(result for result in results if result.problem == "missing")
    assert isinstance(missing.result.failure(), InvalidResponse)


async def test_a_completed_batch_without_its_results_reports_every_row(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish().is_lost = True
        found = await collect(provider, handle)
    assert [found[key].problem for key in KEYS] == ["missing"] * 4


async def test_a_rejected_batch_reports_the_reason(vendor: BatchVendor) -> None:
    if "failed" not in vendor.states:
        pytest.skip("the vendor has no such state")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish("failed", 0)
        status = await provider.batch_status(handle)
        found = await collect(provider, handle)
    assert status.state == "failed"
    assert "line 1" in " ".join(status.errors)
    assert {result.end for result in found.values()} == {"failed"}
    faults = [result.result.failure() for result in found.values()]
    assert all("line 1" in fault.message and not fault.maybe_billed for fault in faults)


async def test_results_of_a_running_batch_are_a_fault(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        with pytest.raises(ProviderError, match="has not ended"):
            await collect(provider, handle)


async def test_a_handle_is_plain_data_that_another_process_can_use(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        text = encode_handle(await provider.submit_batch(ROWS, model=vendor.model))
        assert KEY not in text
        vendor.finish()
        found = await collect(provider, decode_handle(text).unwrap())
    assert len(found) == 4
    async with ProviderRegistry.create("ollama") as other:
        fault = (await other.batch_status_result(decode_handle(text).unwrap())).failure()
    assert "the batch handle belongs to provider" in fault.message


async def test_batches_are_listed_newest_first(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        first = await provider.submit_batch(ROWS, model=vendor.model)
        second = await provider.submit_batch(ROWS, model=vendor.model)
        assert [status.handle.id for status in await provider.list_batches()] == [second.id, first.id]
        assert len(await provider.list_batches(limit=1)) == 1


async def test_mistrals_jobs_behind_the_first_page_are_listed_once() -> None:
    """A job is created while the pages are read, which shifts them."""

    class BusyVendor(MistralVendor):
        def handle(self, received: Received) -> tuple[int, Any]:
            answered = super().handle(received)
            if received.path.startswith("/v1/batch/jobs?page=1"):
                self.jobs["late"] = Job("late", {})
            return answered

    vendor = BusyVendor()
    async with connect(vendor) as provider:
        first = await provider.submit_batch(ROWS, model="m-1")
        vendor.jobs |= {f"later {number}": Job(f"later {number}", {}) for number in range(250)}
        listed = [status.handle.id for status in await provider.list_batches(limit=400)]
        client = (await provider.open_batches()).unwrap()
        found = await client.find(first.token)
    assert len(listed) == len(set(listed)) == 251
    assert listed[-1] == first.id
    assert found is not None
    assert found.id == first.id


async def test_openrouters_batches_behind_the_first_page_are_listed() -> None:
    vendor = OpenRouterVendor()
    async with connect(vendor) as provider:
        first = await provider.submit_batch(ROWS, model="m-1")
        vendor.jobs |= {f"later-{number}": Job(f"later-{number}", {}) for number in range(2499)}
        listed = [status.handle.id for status in await provider.list_batches(limit=3000)]
    assert len(listed) == len(set(listed)) == 2500
    assert listed[-1] == first.id


async def test_pages_without_a_new_batch_end_the_list() -> None:
    class RepeatingVendor(CohereVendor):
        def handle(self, received: Received) -> tuple[int, Any]:
            status, answer = super().handle(received)
            if received.method == "GET" and received.path.startswith("/v2/batches?"):
                answer |= {"next_page_token": f"t{len(self.received)}"}
            return status, answer

    vendor = RepeatingVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        before = len(vendor.received)
        listed = await provider.list_batches()
    assert [status.handle.id for status in listed] == [handle.id]
    assert len(vendor.received) - before == 1 + MAX_EMPTY_PAGES


def check_one_creation(vendor: BatchVendor, result: Result[BatchHandle, Fault]) -> None:
    """One batch has rows; it was found by its token, or may be billed."""
    (filled,) = (job for job in vendor.jobs.values() if job.requests)
    if vendor.stores_token:
        assert result.unwrap().id == filled.id
    else:
        assert result.failure().maybe_billed


async def test_a_creation_whose_answer_is_lost_is_found_again_and_never_repeated(vendor: BatchVendor) -> None:
    vendor.hang_on_create = True
    async with connect(vendor, max_retries=3) as provider:
        result = await provider.submit_batch_result(ROWS, model=vendor.model)
    check_one_creation(vendor, result)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no rows"),
        ([Row("a", "x"), Row("a", "y")], "key 'a' occurs twice"),
        ([Row("a", "x"), {"key": "b"}], "neither messages nor prompt"),
        ([Row("a", "x", {"no_such": object()})], "cannot be stored"),
    ],
)
async def test_rows_that_are_not_valid_are_refused_before_anything_is_sent(
    vendor: BatchVendor, rows: list[Any], said: str
) -> None:
    async with connect(vendor) as provider:
        fault = (await provider.submit_batch_result(rows, model=vendor.model)).failure()
    assert isinstance(fault, InvalidRequest)
    assert said in fault.message
    assert vendor.received == []


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"null", b'"x"', b"{}"])
async def test_bodies_that_are_not_a_batch_are_typed_faults(vendor: BatchVendor, answer: bytes) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.faults = [(200, answer)]
        result = await provider.batch_status_result(handle)
        assert isinstance(result.failure(), InvalidResponse)
        vendor.faults = [(200, answer)]
        await provider.list_batches_result()  # a list or a fault, and no exception
        vendor.faults = [(200, answer)] * 3
        refused = await provider.submit_batch_result(ROWS, model=vendor.model)
        assert isinstance(refused.failure(), InvalidResponse)


async def test_an_error_of_the_api_is_classified_and_carries_no_key(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        vendor.faults = [(401, {"error": {"message": f"wrong key {KEY}", "type": "authentication_error"}})]
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert fault.status == 401
    assert KEY not in str(fault)


async def test_without_a_key_nothing_is_sent(vendor: BatchVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(__import__("os").environ):
        if name.endswith(("_API_KEY", "_TOKEN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VICTOR_FP_CONFIG_DIR", "/nonexistent")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    async with connect(vendor, api_key=None) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert isinstance(fault, CredentialMissing)
    assert vendor.received == []


@pytest.mark.parametrize("kind", [OpenAIVendor, AnthropicVendor, MistralVendor, FireworksVendor])
@pytest.mark.parametrize("damage", [b"{not JSON}", b"[]", b'{"custom_id": "", "response": {}}', b"\xff\x00"])
@pytest.mark.parametrize("state", ["completed", "expired"])
async def test_a_result_that_cannot_be_decoded_costs_only_its_row(
    kind: type[BatchVendor], damage: bytes, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row without a result may have been processed, although the batch has expired."""

    def write(lines: list[Any]) -> bytes:
        return (
            write_lines(lines[:1]) + damage + b"\n" + write_lines(lines[2:]) if len(lines) > 2 else write_lines(lines)
        )

    for module in ("openai_vendor", "other_vendors", "dataset_vendors"):
        monkeypatch.setattr(f"tests.batches.{module}.write_lines", write)
    vendor = kind()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish(state)
        results = [result async for result in provider.batch_results(handle, keys=KEYS)]
    assert sorted(result.problem or "" for result in results) == ["", "", "", "missing", "unreadable"]
    for result in results:
        if result.problem is not None:
            fault = result.result.failure()
            assert isinstance(fault, InvalidResponse)
            assert fault.maybe_billed
    assert {result.key for result in results if result.problem != "unreadable"} == set(KEYS)


async def test_a_batch_in_a_state_that_is_not_known_ends(vendor: BatchVendor) -> None:
    if isinstance(vendor, XAIVendor):
        pytest.skip("the state is derived from counters")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish("archived")
        status = await provider.batch_status(handle)
        found = await collect(provider, handle)
    assert (status.state, status.is_final) == ("unknown", False)
    assert not is_overdue(status, status.created_at or 0.0)
    assert is_overdue(status, (status.created_at or 0.0) + MAX_AGE + END_GRACE + 1.0)
    assert sorted(found) == sorted(KEYS)


async def test_mistrals_results_expire_a_day_after_their_end() -> None:
    vendor = MistralVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model="m-1")
        running = await provider.batch_status(handle)
        vendor.finish()
        ended = await provider.batch_status(handle)
    assert running.created_at is not None
    assert running.results_expire_at == running.created_at + 24 * 3600
    assert ended.results_expire_at == running.created_at + 600 + 24 * 3600


async def test_a_handle_has_the_time_of_its_submission(vendor: BatchVendor) -> None:
    before = time.time()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        status = await provider.batch_status(handle)
    assert status.handle.submitted_at == handle.submitted_at
    assert before <= (handle.submitted_at or 0.0) <= time.time()


async def test_a_line_that_breaks_off_is_unreadable() -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model="m-1")
        vendor.finish()
        status = await provider.batch_status(handle)
        vendor.files[status.sources[0]] += b'{"custom_id": '
        # Files are written anew for each status; the broken one is read by its step.
        client = (await provider.open_batches()).unwrap()
        step = client.batch.results(status)
        assert step is not None
        (item,) = step.read(b'{"custom_id": ').unwrap().items
    assert item.end == "unreadable"


async def test_providers_without_a_batch_api_return_a_fault() -> None:
    async with ProviderRegistry.create("ollama") as provider:
        fault = (await provider.submit_batch_result(ROWS, model="m")).failure()
        assert isinstance(fault, InvalidRequest)
        assert "no batch API" in fault.message
        with pytest.raises(ProviderError):
            await provider.list_batches()
    await asyncio.sleep(0)
