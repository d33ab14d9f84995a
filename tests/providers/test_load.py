"""5,000 calls at concurrency 100 against a vendor that fails part of the time: each one is answered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from returns.result import Failure, Result, Success

from tests.loopback import Received, Talk, serving
from victor_fp import BaseProvider, ManagedProviderFactory, Message, ProviderRegistry
from victor_fp.core.faults import Fault
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse

pytestmark = pytest.mark.slow

ROWS = 5_000
CONCURRENCY = 100


class Vendor:
    """Fails 12 % of its requests, no row more than three times, and all of them between two moments where these are set.

    Of 5,000 rows one would fail four times by chance, which is more than the default retries.
    """

    def __init__(self) -> None:
        self.luck = random.Random(7)
        self.down: tuple[float, float] | None = None
        self.sent: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    async def __call__(self, talk: Talk, received: Received) -> None:
        now = asyncio.get_running_loop().time()
        row = received.json()["messages"][0]["content"]  # type: ignore[index]  # the shape of every request here
        drawn = self.luck.random() if self.failed[row] < 3 else 1.0
        if drawn < 0.12:
            self.failed[row] += 1
        if self.down is not None and self.down[0] <= now < self.down[1]:
            self.sent["down"] += 1
            await talk.answer({"error": {"message": "down", "type": "server_error"}}, 503)
        elif drawn < 0.05:
            self.sent["500"] += 1
            await talk.answer({"error": {"message": "internal", "type": "server_error"}}, 500)
        elif drawn < 0.10:
            self.sent["429"] += 1
            error = {"message": "slow down", "type": "rate_limit_exceeded", "code": "rate_limit_exceeded"}
            await talk.answer({"error": error}, 429, retry_after="1")
        elif drawn < 0.12:
            self.sent["cut"] += 1
            await talk.reset()
        else:
            self.sent["200"] += 1
            await talk.answer(
                {
                    "id": "c",
                    "object": "chat.completion",
                    "model": "m-1",
                    "choices": [
                        {"index": 0, "message": {"role": "assistant", "content": row}, "finish_reason": "stop"}
                    ],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                }
            )


Ask = Callable[[str], Awaitable[Result[CompletionResponse, Fault]]]


async def ask_all(ask: Ask) -> Counter[str]:
    """The outcomes by name; an answer to another row counts as wrong."""
    free = asyncio.Semaphore(CONCURRENCY)
    outcomes: Counter[str] = Counter()

    async def ask_one(row: str) -> None:
        async with free:
            match outcome(await ask(row)):
                case Success(response):
                    outcomes["answered" if response.content == row else "wrong"] += 1
                case Failure(fault):
                    outcomes[f"{type(fault).__name__}: {fault}"[:200]] += 1

    await asyncio.gather(*(ask_one(str(n)) for n in range(ROWS)))
    return outcomes


@pytest.mark.parametrize("managed", [False, True], ids=["plain", "managed"])
async def test_all_rows_are_answered_by_a_vendor_that_fails_part_of_the_time(managed: bool) -> None:
    vendor = Vendor()
    async with serving(vendor) as server:
        url = f"{server.url}/v1"
        provider: BaseProvider = (
            await ManagedProviderFactory.create("openai", "m-1", api_key="k", base_url=url)
            if managed
            else ProviderRegistry.create("openai", api_key="k", base_url=url)
        )
        async with provider:

            async def ask(row: str) -> Result[CompletionResponse, Fault]:
                return await provider.chat_result([Message(role="user", content=row)], model="m-1")

            assert await ask_all(ask) == {"answered": ROWS}
    assert min(vendor.sent["500"], vendor.sent["429"], vendor.sent["cut"]) > 50


async def test_all_rows_are_answered_when_the_vendor_is_down_for_a_minute() -> None:
    vendor = Vendor()
    async with serving(vendor) as server:
        loop = asyncio.get_running_loop()
        async with await ManagedProviderFactory.create(
            "openai", "m-1", api_key="k", base_url=f"{server.url}/v1", on_circuit_open="wait"
        ) as provider:

            async def ask(row: str) -> Result[CompletionResponse, Fault]:
                if row == str(ROWS // 2):
                    vendor.down = (loop.time(), loop.time() + 60)
                return await provider.chat_result([Message(role="user", content=row)], model="m-1", deadline=300)

            assert await ask_all(ask) == {"answered": ROWS}
            stats = provider.get_circuit_breaker_stats()
            assert stats is not None
            assert stats["state_changes"] >= 3, "open, half-open, closed"
    assert vendor.sent["down"] > 0


class Narrow:
    """Lets ten requests through a second and answers the others with 429."""

    def __init__(self) -> None:
        self.window = (0, 0)

    async def __call__(self, talk: Talk, received: Received) -> None:
        second = int(asyncio.get_running_loop().time())
        self.window = (second, self.window[1] + 1 if self.window[0] == second else 1)
        if self.window[1] > 10:
            error = {"message": "slow down", "type": "rate_limit_exceeded", "code": "rate_limit_exceeded"}
            await talk.answer({"error": error}, 429, retry_after="1")
        else:
            message = {"role": "assistant", "content": "Hi"}
            await talk.answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


@pytest.mark.parametrize("managed", [False, True], ids=["plain", "managed"])
async def test_more_calls_than_a_vendor_allows_wait_for_it_instead_of_failing(managed: bool) -> None:
    async with serving(Narrow()) as server:
        url = f"{server.url}/v1"
        provider: BaseProvider = (
            await ManagedProviderFactory.create("openai", "m-1", api_key="k", base_url=url)
            if managed
            else ProviderRegistry.create("openai", api_key="k", base_url=url)
        )
        async with provider:
            hi = [Message(role="user", content="Hi")]
            results = await asyncio.gather(*(provider.chat_result(hi, model="m-1") for _ in range(100)))
    assert [result.unwrap().content for result in results] == ["Hi"] * 100
