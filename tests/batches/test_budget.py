"""Batches of a managed provider and its budget: reserved before anything is sent, kept as spent, released if nothing exists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from returns.result import Failure, Success

from tests.batches.openai_vendor import OpenAIVendor, TogetherVendor
from tests.batches.other_vendors import AnthropicVendor, XAIVendor
from tests.batches.vendor import BatchVendor
from tests.loopback import serve_in_thread, serving
from tests.openai_shapes import build_error
from victor_fp.core.faults import BudgetExceeded, InvalidRequest
from victor_fp.core.resilience.budget import Bound, Budget
from victor_fp.core.usage.cost import PricedUsage
from victor_fp.jobs import Row, run
from victor_fp.providers.factory import ManagedProvider, ManagedProviderFactory
from victor_fp.sync import create_managed

ROWS = [Row("a", "x" * 40, {"max_tokens": 50}), Row("b", "x" * 80, {"max_tokens": 100})]
TOKENS = (4 + 10 + 50) + (4 + 20 + 100)


@asynccontextmanager
async def connect(vendor: BatchVendor, **keywords: Any) -> AsyncIterator[ManagedProvider]:
    async with serving(vendor) as server:
        provider = await ManagedProviderFactory.create(
            vendor.name, vendor.model, api_key="k", base_url=f"{server.url}{vendor.path}", max_retries=0, **keywords
        )
        async with provider:
            yield provider


def get_spent(provider: ManagedProvider, bound: Bound = "requests") -> tuple[Any, Any]:
    stats = provider.get_budget_stats()
    assert stats is not None
    return stats[bound]["spent"], stats[bound]["reserved"]


def compute_price(sale: PricedUsage) -> float | None:
    usage = sale.usage
    return 0.01 * usage["prompt_tokens"] + 0.1 * usage["completion_tokens"] if "m-1" in sale.models else None


async def test_a_batch_that_does_not_fit_is_refused_before_anything_is_sent() -> None:
    vendor = OpenAIVendor()
    async with connect(vendor, budget=Budget(requests=2)) as provider:
        result = await provider.submit_batch_result([Row(str(number), "Hi") for number in range(50)])
        assert get_spent(provider) == (0, 0)
    fault = result.failure()
    assert isinstance(fault, BudgetExceeded)
    assert fault.provider == "openai"
    assert vendor.received == []


async def test_the_estimate_of_all_rows_counts_as_spent_whatever_the_results_are() -> None:
    vendor = OpenAIVendor()
    async with connect(vendor, budget=Budget(requests=3, tokens=TOKENS)) as provider:
        handle = await provider.submit_batch(ROWS)
        assert (get_spent(provider), get_spent(provider, "tokens")) == ((2, 0), (TOKENS, 0))
        vendor.finish()
        assert len([result async for result in provider.batch_results(handle)]) == 2
        assert (get_spent(provider), get_spent(provider, "tokens")) == ((2, 0), (TOKENS, 0))
        assert isinstance((await provider.submit_batch_result(ROWS[:1])).failure(), BudgetExceeded)
    assert len(vendor.jobs) == 1


async def test_dollars_are_counted_at_the_price_of_batches() -> None:
    vendor = OpenAIVendor()
    live = 0.01 * (14 + 24) + 0.1 * (50 + 100)
    async with connect(vendor, budget=Budget(usd=live), price=compute_price) as provider:
        await provider.submit_batch(ROWS)
        assert get_spent(provider, "usd") == (pytest.approx(live / 2), 0.0)
        unpriced = (await provider.submit_batch_result(ROWS, model="m-unknown")).failure()
    assert isinstance(unpriced, InvalidRequest)
    assert "no price is known for model 'm-unknown'" in unpriced.message
    assert len(vendor.jobs) == 1


@pytest.mark.parametrize("step", [0, 1])
async def test_a_batch_that_was_not_created_costs_nothing(step: int) -> None:
    vendor = OpenAIVendor()
    refusal = (400, build_error("no such thing", None, "invalid_request_error"))
    async with connect(vendor, budget=Budget(requests=2)) as provider:
        vendor.faults = [refusal] if step == 0 else []
        if step == 1:
            vendor.create = lambda wanted: refusal  # type: ignore[method-assign]  # refuses
        assert isinstance(await provider.submit_batch_result(ROWS), Failure)
        assert get_spent(provider) == (0, 0)


@pytest.mark.parametrize(("vendor", "outcome"), [(OpenAIVendor(), Success), (AnthropicVendor(), Failure)])
async def test_a_batch_whose_creation_is_not_answered_counts(vendor: BatchVendor, outcome: type) -> None:
    vendor.hang_on_create = True
    async with connect(vendor, budget=Budget(requests=2)) as provider:
        assert isinstance(await provider.submit_batch_result(ROWS), outcome)  # found by its token, if it is stored
        assert get_spent(provider) == (2, 0)
    assert len(vendor.jobs) == 1


async def test_requests_added_before_a_failure_count() -> None:
    """xAI's batches are created empty; requests are then added in several exchanges."""
    vendor = XAIVendor()
    refusal = (400, build_error("no such thing", None, "invalid_request_error"))
    async with connect(vendor, budget=Budget(requests=9)) as provider:
        vendor.faults = [refusal]
        assert isinstance(await provider.submit_batch_result(ROWS), Failure)
        assert get_spent(provider) == (0, 0)
        big = [Row(str(number), "x" * 9_000_000) for number in range(3)]
        handle = vendor.handle

        def refuse_second(received: Any) -> tuple[int, Any]:
            adding = [one for one in vendor.received if one.path.endswith("/requests")]
            return refusal if len(adding) > 1 else handle(received)

        vendor.handle = refuse_second  # type: ignore[method-assign]
        assert isinstance(await provider.submit_batch_result(big), Failure)
        assert get_spent(provider) == (3, 0)


async def test_a_submission_that_is_cancelled_counts_only_if_the_batch_may_exist() -> None:
    class Hangs(OpenAIVendor):
        at = ""

        async def __call__(self, talk: Any, received: Any) -> None:
            self.received.append(received)
            if received.path.endswith(self.at):
                await talk.wait_for_close(30)
            status, answer = self.handle(received)
            await talk.answer(answer, status)

    for at, expected in (("/files", 0), ("/batches", 2)):
        vendor = Hangs()
        vendor.at = at
        async with connect(vendor, budget=Budget(requests=2)) as provider:
            task = asyncio.create_task(provider.submit_batch_result(ROWS))
            while not any(received.path.endswith(at) for received in vendor.received):
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
            assert get_spent(provider) == (expected, 0)


async def test_a_job_of_batches_spends_the_budget_of_its_provider(tmp_path: Path) -> None:
    vendor = OpenAIVendor()
    async with connect(vendor, budget=Budget(requests=1)) as provider:
        job = run(ROWS, provider, ledger=tmp_path / "job.db", route="batch")
        async for _ in job:
            pass
        assert isinstance(job.stopped, BudgetExceeded)
        assert get_spent(provider) == (0, 0)
    assert vendor.received == []


def test_the_synchronous_provider_has_the_same_budget() -> None:
    vendor = OpenAIVendor()
    with serve_in_thread() as serve:
        url = f"{serve(vendor).url}/v1"
        with create_managed("openai", "m-1", api_key="k", base_url=url, budget=Budget(requests=3)) as provider:
            provider.submit_batch(ROWS)
            assert isinstance(provider.submit_batch_result(ROWS).failure(), BudgetExceeded)
            stats = provider.get_budget_stats()
    assert stats is not None
    assert (stats["requests"]["spent"], stats["requests"]["reserved"]) == (2, 0)
    assert len(vendor.jobs) == 1


async def test_models_without_a_discount_are_counted_at_the_price_of_live_calls() -> None:
    """Together's discount applies to some models only."""
    models = {"zai-org/GLM-4.5-Air-FP8": 0.5, "m-1": 1.0}
    for model, factor in models.items():
        vendor = TogetherVendor()
        async with connect(vendor, budget=Budget(usd=2.0), price=lambda _: 1.0) as provider:
            await provider.submit_batch(ROWS, model=model)
            assert get_spent(provider, "usd") == (pytest.approx(factor * len(ROWS)), 0.0)
