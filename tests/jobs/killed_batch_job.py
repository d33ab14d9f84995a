"""A job on the batch route in a process of its own, for tests that kill it: `python -m tests.jobs.killed_batch_job LEDGER URL ROWS`."""

from __future__ import annotations

import asyncio
import sys

from victor_fp.jobs import Row, batch_route, run
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.runtime import SystemRuntime


class ImpatientRuntime(SystemRuntime):
    """Sleeps briefly, whatever duration is passed."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))


async def main(ledger: str, url: str, count: int) -> None:
    batch_route.MAX_BYTES = 1500
    rows = (Row(str(number), f"text {number}") for number in range(count))
    async with ProviderRegistry.create("openai", api_key="k", base_url=url) as provider:
        async for _ in run(rows, provider, model="m-1", ledger=ledger, route="batch", runtime=ImpatientRuntime()):
            pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
