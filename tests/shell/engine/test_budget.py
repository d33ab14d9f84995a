"""Budgets of managed providers over real HTTP: reserved before, settled after, shared by a store."""

from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from typing import Any

import pytest
from returns.result import Success

from tests.acme import HI
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from tests.managed_shapes import (
    answer_hello,
    build_fallback,
    create_managed,
    fail_with_500,
    hold_request,
    reject_request,
    stream_hello,
)
from tests.openai_shapes import build_body, build_chunk
from tests.shell.store.state_server import FakeStateServer
from victor_fp.core.faults import BudgetExceeded, InvalidRequest, ServerFailed
from victor_fp.core.resilience.budget import Bound, Budget
from victor_fp.core.types import CompletionResponse, Usage
from victor_fp.core.usage.cost import Price, PricedUsage
from victor_fp.providers.base import ProviderError
from victor_fp.providers.factory import ManagedProvider, ProviderConfig
from victor_fp.shell.engine.budget_keeper import BudgetKeeper, find_reported_cost
from victor_fp.shell.store.memory import MemoryStore
from victor_fp.shell.store.shared import SharedStore


def get_spent(provider: ManagedProvider, bound: Bound = "requests") -> tuple[Any, Any]:
    stats = provider.get_budget_stats()
    assert stats is not None
    return stats[bound]["spent"], stats[bound]["reserved"]


async def answer_slowly(talk: Talk, _: Received) -> None:
    await asyncio.sleep(0.02)
    await talk.answer(build_body())


async def test_calls_at_once_do_not_exceed_a_budget_of_requests() -> None:
    async with (
        serving(answer_slowly) as server,
        await create_managed(server.url, budget=Budget(requests=5)) as provider,
    ):
        results = await asyncio.gather(*(provider.chat_result(HI) for _ in range(20)))
        assert get_spent(provider) == (5, 0)
    refused = [result.failure() for result in results if not isinstance(result, Success)]
    assert len(server.received) == 5
    assert len(refused) == 15
    assert all(isinstance(fault, BudgetExceeded) for fault in refused)
    assert refused[0].message == "the call would exceed the budget of 5 requests; nothing was sent"
    assert refused[0].provider == "acme"


async def test_reported_usage_replaces_the_estimate() -> None:
    """A call may use 4,096 tokens and uses 7, so sequential calls fit where concurrent ones wait for each other."""
    async with (
        serving(answer_slowly) as server,
        await create_managed(server.url, budget=Budget(tokens=4200)) as provider,
    ):
        results = await asyncio.gather(*(provider.chat_result(HI) for _ in range(6)))
        assert all(isinstance(result, Success) for result in results)
        assert get_spent(provider, "tokens") == (6 * 7, 0)
    assert len(server.received) == 6


async def test_every_attempt_is_reserved_and_an_unbilled_one_is_released() -> None:
    runtime = FakeRuntime()
    async with serving(fail_with_500, fail_with_500, answer_hello) as server:
        async with await create_managed(server.url, budget=Budget(requests=3), runtime=runtime) as provider:
            assert isinstance(await provider.chat_result(HI), Success)
            assert get_spent(provider) == (1, 0)
    async with serving(reject_request), serving(fail_with_500) as server:
        async with await create_managed(server.url, budget=Budget(requests=0), runtime=runtime) as provider:
            assert isinstance((await provider.chat_result(HI)).failure(), BudgetExceeded)
    assert server.received == []


async def test_a_fallback_spends_from_the_same_budget() -> None:
    async with serving(fail_with_500) as one, serving(answer_hello) as two:
        fallback = build_fallback(two.url, budget=Budget(requests=0))
        async with await create_managed(
            one.url, fallback_configs=[fallback], max_retries=0, budget=Budget(requests=1)
        ) as provider:
            assert isinstance(await provider.chat_result(HI), Success)
            assert isinstance((await provider.chat_result(HI)).failure(), BudgetExceeded)
    assert (len(one.received), len(two.received)) == (1, 1)


async def test_streams_are_settled_by_usage_and_abandoned_ones_by_the_estimate() -> None:
    async def stop_after_one_chunk(talk: Talk, _: Received) -> None:
        await talk.send_head(content_type="text/event-stream")
        await talk.send_event(build_chunk("Hel"))
        await talk.wait_for_close(30)

    async with (
        serving(stream_hello, stop_after_one_chunk) as server,
        await create_managed(server.url, budget=Budget(tokens=10_000)) as provider,
    ):
        async for _ in provider.stream(HI):
            pass
        assert get_spent(provider, "tokens") == (7, 0)
        async with provider.stream(HI, max_tokens=50) as stream:
            async for _ in stream:
                break
        taken, reserved = get_spent(provider, "tokens")
        assert 57 <= taken <= 80
        assert reserved == 0


async def test_a_cancelled_call_counts_its_reservation_as_spent() -> None:
    async with serving(hold_request) as server, await create_managed(server.url, budget=Budget(requests=5)) as provider:
        task = asyncio.create_task(provider.chat_result(HI))
        while not server.received:
            await asyncio.sleep(0.01)
        assert get_spent(provider) == (0, 1)
        task.cancel()
        await asyncio.wait([task])
        assert get_spent(provider) == (1, 0)


async def test_dollars_are_counted_by_price_and_a_model_without_one_is_refused() -> None:
    def compute_price(sale: PricedUsage) -> float | None:
        tokens: int = sale.usage["prompt_tokens"] + sale.usage["completion_tokens"]
        return 0.01 * tokens if "m-1" in sale.models else None

    async with serving(answer_hello) as server:
        async with await create_managed(server.url, budget=Budget(usd=50.0), price=compute_price) as provider:
            assert isinstance(await provider.chat_result(HI), Success)
            taken, reserved = get_spent(provider, "usd")
            assert (taken, reserved) == (pytest.approx(0.07), 0.0)
            fault = (await provider.chat_result(HI, model="m-unknown")).failure()
    assert isinstance(fault, InvalidRequest)
    assert "no price is known for model 'm-unknown'" in fault.message
    assert len(server.received) == 1


async def test_a_budget_in_dollars_without_prices_is_refused_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("victor_fp.providers.managed_config.find_spec", lambda name: None)
    with pytest.raises(ProviderError, match="requires prices"):
        ManagedProvider(config=ProviderConfig("acme", "m-1", budget=Budget(usd=1.0)))


async def test_providers_on_one_store_share_a_budget_by_its_name() -> None:
    store = MemoryStore()
    async with serving(answer_hello) as server:
        one = await create_managed(server.url, store=store, budget=Budget(requests=2, name="team"))
        two = await create_managed(server.url, store=store, budget=Budget(requests=2, name="team"))
        other = await create_managed(server.url, store=store, budget=Budget(requests=2))
        assert isinstance(await one.chat_result(HI), Success)
        assert isinstance(await two.chat_result(HI), Success)
        assert isinstance((await one.chat_result(HI)).failure(), BudgetExceeded)
        assert isinstance(await other.chat_result(HI), Success)
        one.reset_budget()
        assert isinstance(await two.chat_result(HI), Success)
        for provider in (one, two, other):
            await provider.close()


async def test_processes_share_a_budget_through_a_shared_store() -> None:
    place = FakeStateServer()
    async with serving(answer_slowly) as server:
        stores = [SharedStore(place, poll=0.05) for _ in range(4)]
        providers = [await create_managed(server.url, store=store, budget=Budget(requests=9)) for store in stores]
        results = await asyncio.gather(
            *(provider.chat_result(HI, deadline=5.0) for provider in providers for _ in range(10))
        )
        for provider, store in zip(providers, stores, strict=True):
            await provider.close()
            await store.aclose()
    assert sum(isinstance(result, Success) for result in results) == len(server.received) == 9


@pytest.mark.parametrize("on_loss", ["open", "closed"])
async def test_what_was_spent_while_the_store_was_gone_is_added_when_it_is_back(on_loss: Any) -> None:
    place, runtime = FakeStateServer(), FakeRuntime()
    # A busy machine is no store that is gone: the timeout is in real time.
    stores = [SharedStore(place, on_loss=on_loss, runtime=runtime, timeout=30.0) for _ in range(2)]
    async with serving(answer_hello) as server:
        providers = [
            await create_managed(server.url, store=store, budget=Budget(requests=10), enable_rate_limiting=False)
            for store in stores
        ]
        one, two = providers
        for provider in providers:
            assert isinstance(await provider.chat_result(HI), Success)
        place.gone = True
        lost = [await provider.chat_result(HI) for provider in (one, one, one, two, two)]
        assert len({type(result) for result in lost}) == 1
        place.gone = False
        runtime.time += 60.0
        await two.chat_result(HI)  # starts the check whether the store is back
        await stores[1].drain()
        await two.chat_result(HI)  # writes first
        await one.chat_result(HI)
        await stores[0].drain()
        while isinstance(await one.chat_result(HI), Success):
            pass
        assert isinstance((await two.chat_result(HI)).failure(), BudgetExceeded)
        assert get_spent(one) == get_spent(two) == (10, 0)
        for provider in providers:
            await provider.close()
    assert len(server.received) == 10


async def test_a_process_that_makes_no_more_calls_stores_what_it_spent_when_its_store_is_closed() -> None:
    place = FakeStateServer()
    store, other = SharedStore(place), SharedStore(place)
    async with serving(answer_hello) as server:
        async with await create_managed(server.url, store=store, budget=Budget(requests=10)) as provider:
            await provider.chat(HI)
            await store.drain()
            place.gone = True
            await provider.chat(HI)
            await provider.chat(HI)
        place.gone = False
        await store.aclose()
        async with await create_managed(server.url, store=other, budget=Budget(requests=10)) as provider:
            await provider.chat(HI)
            await other.drain()
            assert get_spent(provider) == (4, 0)
        await other.aclose()


async def test_equal_amounts_of_two_processes_are_two_amounts() -> None:
    """One cannot take the value that the other stored for its own, the response to which it did not get."""
    place, runtime = FakeStateServer(), FakeRuntime()
    stores = [SharedStore(place, runtime=runtime) for _ in range(2)]
    one, two = (BudgetKeeper(Budget(requests=10), store, lambda _: None) for store in stores)
    for keeper in (one, two):
        await keeper.reserve("acme", "m-1", None, [], None, 5)
    place.gone = True
    await one.reserve("acme", "m-1", None, [], None, 5)
    place.gone = False
    await two.reserve("acme", "m-1", None, [], None, 5)
    runtime.time += 5.0
    assert not stores[0].is_in_reach()
    await stores[0].drain()
    assert one.build_stats()["requests"]["reserved"] == 4


async def test_a_budget_fails_closed_with_its_store() -> None:
    place = FakeStateServer(gone=True)
    async with serving(answer_hello) as server:
        store = SharedStore(place, on_loss="closed")
        async with await create_managed(
            server.url, store=store, budget=Budget(requests=9), enable_rate_limiting=False
        ) as one:
            fault = (await one.chat_result(HI)).failure()
            assert "fail closed" in fault.message
            await store.drain()
            assert get_spent(one) == (0, 0)
        await store.aclose()
    assert server.received == []


async def test_a_failure_that_may_have_been_billed_counts() -> None:
    async def break_body(talk: Talk, _: Received) -> None:
        await talk.send_head(content_length="1000")
        await talk.send_bytes(b'{"id":')
        await talk.reset()

    async with serving(break_body) as server:
        async with await create_managed(server.url, budget=Budget(requests=5), max_retries=0) as provider:
            fault = (await provider.chat_result(HI)).failure()
            assert not isinstance(fault, ServerFailed)
            assert get_spent(provider) == (int(fault.maybe_billed), 0)
            assert fault.maybe_billed


def make_price(*dollars: Any) -> Price:
    """A price that is one of these after the other, and the last one from then on; exceptions are raised."""
    prices = list(dollars)

    def compute_price(_: PricedUsage) -> Any:
        found = prices.pop(0) if len(prices) > 1 else prices[0]
        if isinstance(found, Exception):
            raise found
        return found

    return compute_price


@pytest.mark.parametrize("dollars", [RuntimeError("unknown model"), "much", math.nan, math.inf, -1.0])
async def test_a_price_that_cannot_be_computed_is_unknown(dollars: Any) -> None:
    async with (
        serving(answer_hello) as server,
        await create_managed(server.url, budget=Budget(usd=1.0), price=make_price(dollars)) as provider,
    ):
        refused = await provider.chat_result(HI)
        assert get_spent(provider, "usd") == (0.0, 0.0)
    assert "no price is known" in refused.failure().message
    assert not server.received


@pytest.mark.parametrize("dollars", [RuntimeError("unknown model"), math.nan, -1.0])
async def test_a_response_without_a_price_counts_with_its_estimate(dollars: Any) -> None:
    async with (
        serving(answer_hello) as server,
        await create_managed(server.url, budget=Budget(usd=1.0), price=make_price(0.25, dollars)) as provider,
    ):
        assert isinstance(await provider.chat_result(HI), Success)
        assert get_spent(provider, "usd") == (0.25, 0.0)


async def test_a_price_may_be_a_decimal() -> None:
    async with (
        serving(answer_hello) as server,
        await create_managed(server.url, budget=Budget(usd=1.0), price=make_price(Decimal("0.5"))) as provider,
    ):
        assert isinstance(await provider.chat_result(HI), Success)
        assert get_spent(provider, "usd") == (0.5, 0.0)


@pytest.mark.parametrize("amount", [math.nan, math.inf, -5, 10**400])
async def test_a_reported_cost_that_is_not_an_amount_is_unknown(amount: Any) -> None:
    assert find_reported_cost(CompletionResponse(content="Hi", metadata={"cost": {"amount": amount}})) is None


async def test_negative_counts_of_tokens_give_nothing_back() -> None:
    keeper = BudgetKeeper(Budget(tokens=100), MemoryStore(), lambda _: None)
    estimate = (await keeper.reserve("acme", "m", None, HI, None, 10)).unwrap()
    usage: Usage = {"prompt_tokens": -5, "completion_tokens": -6, "total_tokens": -11}
    keeper.settle(estimate, fault=None, usage=usage)
    assert keeper.build_stats()["tokens"]["spent"] == estimate.tokens
