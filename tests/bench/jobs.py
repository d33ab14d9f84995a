"""A job over a transport in memory: CPU per row against a bare bounded loop over the same provider, and memory.

`python -m tests.bench.jobs [ROWS] [CONCURRENCY] [SECONDS]` alternates rounds of both, prints the medians and the median of
the ratios inside a round, and then runs ROWS rows as one job while it watches memory. Answers take SECONDS on average, 0 by
default. CPU seconds of this process are counted, the ledger's thread included.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from victor_fp.core.requests import HttpRequest
from victor_fp.core.types import Message
from victor_fp.jobs import run
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry

ROUNDS, ROUND_ROWS = 8, 4_000
WARM_UP = 10_000
"""Rows after which memory is expected to be flat."""
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The quick brown fox jumps over the lazy dog. " * 4},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 30, "completion_tokens": 44, "total_tokens": 74},
    }
).encode()


class MemoryResponse:
    """The same answer to everything."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "application/json"}

    async def read(self, limit: int) -> bytes:
        """The answer."""
        return ANSWER

    async def receive(self) -> None:
        """Nothing is streamed."""

    async def aclose(self) -> None:
        """Nothing is open."""


class MemoryTransport:
    """Answers in the next turn of the loop, or after half to one and a half times as many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._random = random.Random(1)

    async def open(self, request: HttpRequest, secret: SecretStr | None, timeout: float | None) -> MemoryResponse:
        """The answer."""
        await asyncio.sleep(self._seconds * self._random.uniform(0.5, 1.5) if self._seconds else 0)
        return MemoryResponse()

    async def aclose(self) -> None:
        """Nothing is open."""


def make_rows(count: int) -> Iterator[dict[str, Any]]:
    """Rows as a JSONL file gives them."""
    for number in range(count):
        yield {"key": f"row-{number}", "prompt": f"Tell me about number {number}, please, in some words."}


async def run_bare(provider: BaseProvider, count: int, concurrency: int) -> None:
    """A loop as a careful program would write it: bounded, without a ledger."""
    rows = make_rows(count)

    async def work() -> None:
        for row in rows:
            result = await provider.chat_result([Message(role="user", content=row["prompt"])], model="m")
            assert result.unwrap().stop_reason == "stop"

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def run_job(provider: BaseProvider, count: int, concurrency: int) -> tuple[float, float]:
    """A job; resident megabytes after the first rows and the most of them afterwards."""
    finished, warm, most = 0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        ledger = Path(directory) / "job.ledger"
        async for done in run(make_rows(count), provider, model="m", ledger=ledger, concurrency=concurrency):
            assert done.result.unwrap().stop_reason == "stop"
            finished += 1
            if finished == WARM_UP:
                warm = most = measure_resident_megabytes()
            elif finished % 1000 == 0 and finished > WARM_UP:
                most = max(most, measure_resident_megabytes())
    assert finished == count
    return warm, most


def measure_resident_megabytes() -> float:
    """Memory of this process, as Linux reports it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def main(count: int, concurrency: int, seconds: float) -> None:
    """Measure and print."""
    async with ProviderRegistry.create("openai", api_key="k", transport=MemoryTransport(seconds)) as provider:
        bare, job = [], []
        await run_bare(provider, 500, concurrency)
        await run_job(provider, 500, concurrency)
        for _ in range(ROUNDS):
            began = time.process_time()
            await run_bare(provider, ROUND_ROWS, concurrency)
            between = time.process_time()
            await run_job(provider, ROUND_ROWS, concurrency)
            bare.append((between - began) / ROUND_ROWS * 1e6)
            job.append((time.process_time() - between) / ROUND_ROWS * 1e6)
        ratio = statistics.median(mine / base for mine, base in zip(job, bare, strict=True))
        print(f"CPU per row, {concurrency} in flight: bare loop {statistics.median(bare):.1f} us,", end=" ")
        print(f"job {statistics.median(job):.1f} us, ratio {ratio:.2f}")
        if count:
            began, cpu = time.perf_counter(), time.process_time()
            warm, most = await run_job(provider, count, concurrency)
            seconds, used = time.perf_counter() - began, time.process_time() - cpu
            print(f"{count} rows: {count / seconds:.0f} rows/s, {used / count * 1e6:.1f} us CPU per row;", end=" ")
            print(f"resident {warm:.0f} MB after {WARM_UP} rows, at most {most:.0f} MB afterwards")


if __name__ == "__main__":
    rows, width, delay = [*sys.argv[1:], *("0", "128", "0")[len(sys.argv) - 1 :]]
    asyncio.run(main(int(rows), int(width), float(delay)))
