"""Batches over datasets on loopback: waiting for a dataset, and parts that are read without credentials."""

from __future__ import annotations

import pytest

from tests.batches.dataset_vendors import CohereVendor, FireworksVendor
from tests.batches.test_families import KEYS, ROWS, collect, connect
from tests.batches.vendor import BatchVendor
from tests.fake_runtime import FakeRuntime
from victor_fp.core.faults import InvalidRequest


async def test_a_dataset_that_is_being_validated_is_waited_for() -> None:
    vendor, runtime = CohereVendor(), FakeRuntime()
    vendor.checks["dataset-1"] = 2
    async with connect(vendor, runtime=runtime) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
    assert handle.id in vendor.jobs
    assert runtime.slept == [2.0, 2.0]


async def test_a_dataset_that_is_not_valid_creates_no_batch() -> None:
    vendor = CohereVendor()
    vendor.is_invalid = True
    async with connect(vendor) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert isinstance(fault, InvalidRequest)
    assert "row 1: unknown role" in fault.message
    assert vendor.jobs == {}


async def test_a_dataset_that_is_not_ready_is_waited_for() -> None:
    vendor, runtime = FireworksVendor(), FakeRuntime()
    vendor.checks = 1
    async with connect(vendor, runtime=runtime) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
    assert handle.id in vendor.jobs
    assert runtime.slept == [2.0]


async def test_a_job_that_is_deleted_counts_as_cancelled() -> None:
    vendor = FireworksVendor()
    async with connect(vendor) as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        status = await provider.cancel_batch(handle)
        found = await collect(provider, handle)
    assert (status.state, status.vendor_state) == ("cancelled", "JOB_STATE_DELETING_CLEANING_UP")
    assert {result.end for result in found.values()} == {"cancelled"}


async def test_without_an_account_nothing_is_sent() -> None:
    vendor = FireworksVendor()
    async with connect(vendor, account_id=None) as provider:
        fault = (await provider.submit_batch_result(ROWS, model=vendor.model)).failure()
    assert isinstance(fault, InvalidRequest)
    assert "account_id" in fault.message
    assert vendor.received == []


@pytest.mark.parametrize(("make", "place"), [(CohereVendor, "/parts/"), (FireworksVendor, "/files/")])
async def test_a_token_is_not_sent_to_the_address_of_a_file(make: type[BatchVendor], place: str) -> None:
    vendor = make()
    async with connect(vendor, api_key=None, token_provider=lambda: "token-a") as provider:
        handle = await provider.submit_batch(ROWS, model=vendor.model)
        vendor.finish()
        found = await collect(provider, handle)
    assert sorted(found) == sorted(KEYS)
    sent = {received.path.startswith(place): received.headers.get("authorization") for received in vendor.received}
    assert sent == {False: "Bearer token-a", True: None}
