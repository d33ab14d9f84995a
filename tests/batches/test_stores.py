"""Stores that fail: a typed fault of the provider, and no request to the vendor without its objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from returns.result import Failure, Result, Success

from tests.batches.store_vendors import BedrockVendor, MemoryObjects, VertexVendor
from tests.batches.test_families import KEYS, ROWS, connected
from victor_fp.core.faults import ConnectionFailed, Fault, InvalidRequest, PermissionRefused


class FailingObjects(MemoryObjects):
    """A store whose named operation fails."""

    failing = ""

    async def write(self, url: str, data: bytes) -> Result[None, Fault]:
        if self.failing == "write":
            return Failure(PermissionRefused(message="not this bucket"))
        return await super().write(url, data)

    async def list(self, prefix: str) -> Result[tuple[str, ...], Fault]:
        if self.failing == "list":
            return Failure(PermissionRefused(message="not this folder"))
        return await super().list(prefix)

    async def read(self, url: str) -> AsyncGenerator[Result[bytes, Fault], None]:
        if self.failing != "read":
            async for piece in super().read(url):
                yield piece
            return
        yield Success(self.objects[url].partition(b"\n")[0] + b"\n")
        yield Failure(ConnectionFailed(message="torn"))


@pytest.fixture(params=[VertexVendor, BedrockVendor], ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> VertexVendor | BedrockVendor:
    made: VertexVendor | BedrockVendor = request.param()
    made.store = FailingObjects()
    made.settings = {**made.settings, "batch_store": made.store}
    return made


async def test_no_job_is_created_without_its_object(vendor: VertexVendor | BedrockVendor) -> None:
    vendor.store.failing = "write"  # type: ignore[attr-defined]  # of the fixture
    async with connected(vendor) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert isinstance(fault, PermissionRefused)
    assert (fault.provider, fault.message, fault.maybe_billed) == (vendor.name, "not this bucket", False)
    assert vendor.received == []


@pytest.mark.parametrize(("failing", "answered", "message"), [("list", 0, "not this folder"), ("read", 1, "torn")])
async def test_results_that_cannot_be_read_end_with_one_failure(
    vendor: VertexVendor | BedrockVendor, failing: str, answered: int, message: str
) -> None:
    async with connected(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        vendor.store.failing = failing  # type: ignore[attr-defined]
        results = [result async for result in provider.batch_results_result(handle, keys=KEYS)]
    assert [isinstance(result, Success) for result in results] == [True] * answered + [False]
    fault = results[-1].failure()
    assert (fault.provider, fault.message) == (vendor.name, message)


async def test_an_object_that_ends_within_a_line_is_incomplete(
    vendor: VertexVendor | BedrockVendor,
) -> None:
    async with connected(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        await provider.batch_status(handle)
        vendor.store.read = lambda url: read_torn(vendor.store.objects[url])  # type: ignore[method-assign]
        *_, last = [result async for result in provider.batch_results_result(handle, keys=KEYS)]
    assert "a result line cannot be decoded" in last.failure().message


async def read_torn(data: bytes) -> AsyncGenerator[Result[bytes, Fault], None]:
    yield Success(data[:-5])


async def test_without_a_bucket_every_method_returns_a_fault(vendor: VertexVendor | BedrockVendor) -> None:
    async with connected(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
    asked = len(vendor.received)
    async with connected(vendor, batch_location="") as provider:
        results = [result async for result in provider.batch_results_result(handle)]
        for result in (
            await provider.submit_batch_result(ROWS, model=vendor.model),
            await provider.batch_status_result(handle),
            await provider.cancel_batch_result(handle),
            await provider.list_batches_result(),
            *results,
        ):
            fault = result.failure()
            assert isinstance(fault, InvalidRequest)
            assert "requires the setting batch_location (or set " in fault.message
    assert len(vendor.received) == asked
