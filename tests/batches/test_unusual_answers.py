"""Errors and unreadable bodies with status 200, repeated cancellation, and arguments of the wrong type."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from returns.result import Failure, Result, Success

from tests.batches.dataset_vendors import FireworksVendor
from tests.batches.openai_vendor import CerebrasVendor, OpenAIVendor
from tests.batches.other_vendors import AnthropicVendor, MistralVendor, XAIVendor
from tests.batches.store_vendors import BedrockVendor, VertexClaudeVendor, VertexVendor
from tests.batches.test_families import KEYS, ROWS, VENDORS, check_one_creation, connect
from tests.batches.vendor import BatchVendor
from tests.loopback import Received
from tests.openai_shapes import build_error
from victor_fp.core.batching.types import BatchResult
from victor_fp.core.faults import Fault, InvalidRequest, InvalidResponse, UnsupportedParameter, can_retry
from victor_fp.jobs import Row
from victor_fp.shell.engine.batches import MAX_EMPTY_PAGES

OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "code": 503, "message": "try again later"}}
STORES = (VertexVendor, VertexClaudeVendor, BedrockVendor)


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> BatchVendor:
    made: BatchVendor = request.param()
    return made


async def list_results(results: AsyncIterator[Result[BatchResult, Fault]]) -> list[Result[BatchResult, Fault]]:
    return [received async for received in results]


def answer_from(vendor: BatchVendor, number: int, answer: Any) -> None:
    """Answer requests from this number on, counted from 1, with this body and status 200."""
    handle, count = vendor.handle, 0

    def replace(received: Received) -> tuple[int, Any]:
        nonlocal count
        count += 1
        return (200, answer) if count >= number else handle(received)

    vendor.handle = replace  # type: ignore[method-assign]  # of this instance


async def test_an_error_with_status_200_is_a_fault_of_its_kind(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.faults = [(200, OVERLOADED)]
        faults = [(await provider.batch_status_result(handle)).failure()]
        vendor.faults = [(200, OVERLOADED)]
        faults.append((await provider.list_batches_result()).failure())
        vendor.faults = [(200, OVERLOADED)]
        faults.append((await provider.submit_batch_result(ROWS, model=vendor.model)).failure())
        assert len(vendor.jobs) == 1
    for fault in faults:
        assert not isinstance(fault, InvalidResponse)
        assert can_retry(fault)
        assert "try again later" in fault.message
        assert (fault.provider, fault.maybe_billed) == (vendor.name, False)


async def test_an_error_with_status_200_in_place_of_results_leaves_no_row_without_result(vendor: BatchVendor) -> None:
    if isinstance(vendor, STORES):
        pytest.skip("results are in a bucket")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        answer_from(vendor, 2, OVERLOADED)
        *before, last = await list_results(provider.batch_results_result(handle, keys=KEYS))
    assert all(isinstance(one, Success) and one.unwrap().problem == "unreadable" for one in before)
    assert can_retry(last.failure())
    assert last.failure().provider == vendor.name


async def test_a_permanent_error_as_the_only_line_is_an_unreadable_result() -> None:
    """It may be that of a row, so that its batch must not be read again and again."""
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS[:1], model=vendor.model)
        vendor.finish()
        answer_from(vendor, 2, build_error("not this one", "invalid_value", "invalid_request_error"))
        results = await list_results(provider.batch_results_result(handle, keys=KEYS[:1]))
    assert [one.unwrap().problem for one in results] == ["unreadable", "missing"]


@pytest.mark.parametrize("answer", [b"", b"{", b"<html>", b"{}", b"[]"])
async def test_a_creation_with_an_unreadable_answer_may_be_billed_and_is_searched(
    vendor: BatchVendor, answer: bytes
) -> None:
    handle = vendor.handle

    def hide(received: Received) -> tuple[int, Any]:
        count = sum(bool(job.requests) for job in vendor.jobs.values())
        answered = handle(received)
        return (200, answer) if sum(bool(job.requests) for job in vendor.jobs.values()) > count else answered

    vendor.handle = hide  # type: ignore[method-assign]  # of this instance
    async with connect(vendor, max_retries=3) as provider:
        result = await provider.submit_batch_result(ROWS, model=vendor.model)
    check_one_creation(vendor, result)
    assert vendor.stores_token or isinstance(result.failure(), InvalidResponse)


async def test_requests_that_xai_did_not_add_are_a_fault() -> None:
    vendor = XAIVendor()
    async with connect(vendor) as provider:
        answer_from(vendor, 2, OVERLOADED)
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert can_retry(fault)
    assert "try again later" in fault.message


async def test_a_batch_is_cancelled_once(vendor: BatchVendor) -> None:
    if not vendor.cancels:
        pytest.skip("the vendor cancels no batches")
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        first = await provider.cancel_batch(handle)
        if first.state not in ("cancelling", "cancelled"):
            pytest.skip("the vendor does not report that a batch is being cancelled")
        before = len(vendor.received)
        again = await provider.cancel_batch(handle)
    assert again.state == first.state
    assert {received.method for received in vendor.received[before:]} == {"GET"}


@pytest.mark.parametrize("kind", [OpenAIVendor, AnthropicVendor, MistralVendor, BedrockVendor])
@pytest.mark.parametrize(("state", "is_success"), [("completed", True), ("cancelling", True), ("running", False)])
async def test_a_refused_cancellation_is_a_fault_unless_the_batch_has_ended(
    kind: type[BatchVendor], state: str, is_success: bool
) -> None:
    """It ends after its state was read, or another process has cancelled it."""
    vendor = kind()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        answer = vendor.handle

        def refuse(received: Received) -> tuple[int, Any]:
            if received.method != "POST":
                return answer(received)
            vendor.finish(state)
            return 409, build_error("the batch cannot be cancelled", "conflict", "invalid_request_error")

        vendor.handle = refuse  # type: ignore[method-assign]  # of this instance
        result = await provider.cancel_batch_result(handle)
    if is_success:
        assert result.unwrap().state == state
    else:
        assert result.failure().status == 409


@pytest.mark.parametrize("kind", [FireworksVendor, CerebrasVendor])
async def test_a_batch_that_is_deleted_to_cancel_it_is_cancelled(kind: type[BatchVendor]) -> None:
    vendor = kind()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        answer = vendor.handle

        def delete(received: Received) -> tuple[int, Any]:
            answered = answer(received)
            if received.method == "DELETE":
                vendor.jobs.clear()
            return answered

        vendor.handle = delete  # type: ignore[method-assign]  # of this instance
        status = await provider.cancel_batch(handle)
    assert (status.state, status.handle.id, status.sources) == ("cancelled", handle.id, ())


@pytest.mark.parametrize(
    "call",
    [
        lambda provider, _: provider.batch_status_result('{"provider": "openai", "id": "batch_1"}'),
        lambda provider, _: provider.cancel_batch_result(None),
        lambda provider, _: list_results(provider.batch_results_result({"provider": "openai", "id": "batch_1"})),
        lambda provider, handle: list_results(provider.batch_results_result(handle, keys=[1])),
        lambda provider, handle: list_results(provider.batch_results_result(handle, keys="a")),
        lambda provider, _: provider.list_batches_result(limit=-1),
        lambda provider, _: provider.list_batches_result(limit="5"),
        lambda provider, _: provider.submit_batch_result(None, model="m"),
        lambda provider, _: provider.submit_batch_result(Row("a", "x"), model="m"),
        lambda provider, _: provider.submit_batch_result([Row("a", "x")], model="m", tools=3),
    ],
)
async def test_arguments_of_the_wrong_type_are_faults(call: Callable[..., Any]) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model="m-1")
        before = len(vendor.received)
        result = await call(provider, handle)
        assert len(vendor.received) == before
    (found,) = result if isinstance(result, list) else [result]
    assert isinstance(found, Failure)
    assert isinstance(found.failure(), InvalidRequest)


async def test_rows_are_not_streamed_in_a_batch(vendor: BatchVendor) -> None:
    async with connect(vendor) as provider:
        refused = await provider.submit_batch_result([Row("a", "x", {"stream": True})], model=vendor.model)
        assert isinstance(refused.failure(), UnsupportedParameter)
        options = {"stream": True, "on_unsupported": "adjust"}
        handle = await provider.submit_batch([Row("a", "x", options)], model=vendor.model)
    assert [adjustment.parameter for adjustment in handle.context.adjustments] == ["stream"]
    assert "stream" not in next(iter(vendor.jobs.values())).requests["a"]


@pytest.mark.parametrize(("answered", "requests"), [(4, 3), (0, MAX_EMPTY_PAGES)])
async def test_empty_pages_of_xai_do_not_end_the_results(answered: int, requests: int) -> None:
    vendor = XAIVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        answer, pages = vendor.handle, 0

        def insert_empty_page(received: Received) -> tuple[int, Any]:
            nonlocal pages
            if "/results?" not in received.path:
                return answer(received)
            pages += 1
            is_empty = pages == 1 or not answered
            return (200, {"results": [], "pagination_token": f"{'0' * pages}"}) if is_empty else answer(received)

        vendor.handle = insert_empty_page  # type: ignore[method-assign]  # of this instance
        results = await list_results(provider.batch_results_result(handle, keys=KEYS))
    assert sum(one.unwrap().end == "answered" for one in results) == answered
    assert (len(results), pages) == (4, requests)


async def test_a_server_without_a_batch_api_is_named() -> None:
    vendor = OpenAIVendor()
    vendor.faults = [(404, {"detail": "Not Found"})]
    async with connect(vendor) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert fault.status == 404
    assert fault.message.endswith("or the server has no batch API")
    assert vendor.jobs == {}
