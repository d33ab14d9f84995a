"""Jobs over a vendor's batch API on loopback, and a clock that lets the vendor work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.batches.openai_vendor import OpenAIVendor
from tests.batches.vendor import BatchVendor, Job
from tests.fake_runtime import FakeRuntime
from tests.loopback import Received, Talk, serving
from tests.openai_shapes import build_body
from victor_fp.jobs import Row, run
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry

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
