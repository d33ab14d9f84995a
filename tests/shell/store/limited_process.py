"""One of several processes on one key: calls as fast as it may, until its time is over. Run by the tests of Redis."""

from __future__ import annotations

import asyncio
import sys

from tests.acme import HI
from tests.managed_shapes import create_managed
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.shell.store.redis import RedisStore


async def main(url: str, redis: str, seconds: float, per_minute: int, at_a_time: int) -> None:
    """Call with several tasks; print how many were answered."""
    store = RedisStore(redis, poll=0.05)
    limits = Limits(requests_per_minute=per_minute or None, concurrency=at_a_time or None, adopt="never")
    loop = asyncio.get_running_loop()
    ends, answered = loop.time() + seconds, 0

    async def call_until_end() -> None:
        nonlocal answered
        while (left := ends - loop.time()) > 0:
            result = await provider.chat_result(HI, deadline=left)
            answered += result.value_or(None) is not None

    async with await create_managed(
        url, store=store, rate_limits=limits, enable_resilience=False, timeout=60.0
    ) as provider:
        await asyncio.gather(*(call_until_end() for _ in range(8)))
    await store.aclose()
    print(answered)


if __name__ == "__main__":
    url, redis, seconds, per_minute, at_a_time = sys.argv[1:]
    asyncio.run(main(url, redis, float(seconds), int(per_minute), int(at_a_time)))
