"""Batches over datasets on loopback: waiting for a dataset, and parts that are read without credentials."""

from __future__ import annotations

from tests.batches.dataset_vendors import CohereVendor
from tests.batches.test_families import KEYS, ROWS, collect, connected
from tests.paper import PaperRuntime
from victor_fp.core.faults import InvalidRequest


async def test_a_dataset_that_is_being_validated_is_waited_for() -> None:
    vendor, runtime = CohereVendor(), PaperRuntime()
    vendor.checks["dataset-1"] = 2
    async with connected(vendor, runtime=runtime) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
    assert handle.id in vendor.jobs
    assert runtime.slept == [2.0, 2.0]


async def test_a_dataset_that_is_not_valid_creates_no_batch() -> None:
    vendor = CohereVendor()
    vendor.is_invalid = True
    async with connected(vendor) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert isinstance(fault, InvalidRequest)
    assert "row 1: unknown role" in fault.message
    assert vendor.jobs == {}


async def test_a_token_is_not_sent_to_the_address_of_a_part() -> None:
    vendor = CohereVendor()
    async with connected(vendor, api_key=None, token_provider=lambda: "token-a") as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        found = await collect(provider, handle)
    assert sorted(found) == sorted(KEYS)
    sent = {received.path.startswith("/parts/"): received.headers.get("authorization") for received in vendor.received}
    assert sent == {False: "Bearer token-a", True: None}
