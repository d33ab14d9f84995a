"""The cost of a very large job, calculated: `python -m tests.bench.jobs_at_scale [FIELD=VALUE ...]`.

Fields are those of `Job`. The load on Redis follows from how the shared store works. The costs of a row and of a script are
constants here; `python -m tests.bench.jobs_at_scale measure` measures them on a shard of 10,000 rows, whose vendor is in
memory, and on a Redis on this machine.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis

from tests.bench.jobs import ANSWER, MemoryResponse, MemoryTransport, make_rows
from tests.shell.store.redis_process import run_redis
from victor_fp.core.jobs.shards import Shard
from victor_fp.core.requests import HttpRequest
from victor_fp.core.resilience.pool import Borrow, compute_period, compute_spacing
from victor_fp.jobs.shards import plan_shards, run_shard
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.store import Store
from victor_fp.shell.store.packing import CIRCUIT, FORMAT, pack_borrow
from victor_fp.shell.store.redis_scripts import LEND

ROW_SECONDS = 190e-6
"""CPU of a worker for one row: it is read, sent, written to the ledger, and exported. The vendor in memory is included."""
RESUME_SECONDS = 40e-6
"""CPU for a row that an earlier run finished: it is read, identified, looked up, and exported."""
OUTPUT_BYTES = 260
"""Of one row, besides its answer."""
LEDGER_BYTES, PAGE_BYTES, INDEX_BYTES = 260, 4096, 30
"""Of one row, besides its answer; the pages that hold whole rows where they can; the key again, in an index."""
BUDGET_CHANGES = 2
"""Changes of a shared budget by one call: to reserve, and to settle."""


@dataclass(frozen=True)
class Job:
    """A job, its cluster, and its Redis. Times in seconds."""

    rows: int = 100_000_000
    workers: int = 1000
    concurrency: int = 32
    """Rows in flight of one worker."""
    latency: float = 3.0
    """Of one call."""
    answer_bytes: int = 1200
    """Text of one answer: about 300 tokens."""
    per_minute: int = 600_000
    """Requests that the vendor allows."""
    rows_per_shard: int = 10_000
    scripts: int = 20_000
    """Scripts a second that one Redis runs; hardly fewer with more workers."""
    round_trip: float = 0.001
    """From a worker to Redis and back."""


@dataclass(frozen=True)
class Figures:
    """Cost of the job. Times in seconds."""

    by_workers: float
    """Rows a second that the workers could ask."""
    rate: float
    """Rows sent per second."""
    duration: float
    cores: float
    """CPUs that are busy."""
    shards: int
    ledger: int
    """Bytes of all ledgers."""
    shard_ledger: int
    output: int
    limit_scripts: float
    """Scripts a second for limits and cooldowns."""
    breaker_scripts: float
    """Scripts a second that read a closed breaker."""
    scripts_per_row: float
    most_workers: int
    """Workers for which one Redis renews loans and reads a breaker."""
    budget_changes: float
    """Changes of one shared budget that can succeed in a second."""
    budget_rate: float
    """Calls a second under one shared budget, at most."""
    resume_shard: float
    resume_all: float
    """After the end of all workers at once."""
    repeated: int
    """Maximum number of rows that are sent again."""


def compute_figures(job: Job) -> Figures:
    """The figures of a job."""
    by_workers = job.workers * job.concurrency / job.latency
    rate = min(by_workers, 1 / compute_spacing(job.per_minute))
    shards = -(-job.rows // job.rows_per_shard)
    in_page = max(1, (PAGE_BYTES - 20) // (LEDGER_BYTES + job.answer_bytes))
    ledger_row = max(PAGE_BYTES // in_page, LEDGER_BYTES + job.answer_bytes) + INDEX_BYTES
    limit_scripts, breaker_scripts = (
        job.workers / compute_period(job.workers),
        job.workers / CIRCUIT.get_freshness(None),
    )
    # Each attempt at a shared budget takes a round trip, and one of all that were made on the same value succeeds.
    changes = 1 / job.round_trip
    resume_shard = job.rows_per_shard * RESUME_SECONDS
    in_work = min(shards, job.workers)
    return Figures(
        by_workers=by_workers,
        rate=rate,
        duration=job.rows / rate,
        cores=rate * ROW_SECONDS,
        shards=shards,
        ledger=job.rows * ledger_row,
        shard_ledger=job.rows_per_shard * ledger_row,
        output=job.rows * (OUTPUT_BYTES + job.answer_bytes),
        limit_scripts=limit_scripts,
        breaker_scripts=breaker_scripts,
        scripts_per_row=(limit_scripts + breaker_scripts) / rate,
        most_workers=int(job.scripts / (1 / compute_period(sys.maxsize) + 1 / CIRCUIT.get_freshness(None))),
        budget_changes=changes,
        budget_rate=changes / BUDGET_CHANGES,
        resume_shard=resume_shard,
        resume_all=resume_shard * in_work / job.workers,
        repeated=in_work * job.concurrency,
    )


def format_figures(job: Job) -> str:
    """A table for people."""
    found = compute_figures(job)
    lines = [
        ("rows a second by the workers", f"{found.by_workers:,.0f}"),
        ("rows a second under the vendor's limit", f"{found.rate:,.0f}"),
        ("duration", f"{found.duration / 3600:,.1f} h"),
        ("busy CPUs of the workers", f"{found.cores:,.1f}"),
        ("shards", f"{found.shards:,}"),
        ("ledger of one shard", f"{found.shard_ledger / 1e6:,.1f} MB"),
        ("all ledgers", f"{found.ledger / 1e9:,.0f} GB"),
        ("output", f"{found.output / 1e9:,.0f} GB"),
        ("Redis scripts a second for limits", f"{found.limit_scripts:,.0f}"),
        ("Redis scripts a second for a breaker", f"{found.breaker_scripts:,.0f}"),
        ("Redis scripts per row for both", f"{found.scripts_per_row:.3f}"),
        ("workers that saturate Redis by both", f"{found.most_workers:,}"),
        ("changes a second of one shared budget", f"{found.budget_changes:,.0f}"),
        ("calls a second under one shared budget, at most", f"{found.budget_rate:,.0f}"),
        ("to resume one shard", f"{found.resume_shard:,.2f} s"),
        ("to resume after the end of all workers", f"{found.resume_all:,.2f} s"),
        ("rows sent again then, at most", f"{found.repeated:,}"),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {value:>12}" for name, value in lines)


def read_job(words: list[str]) -> Job:
    """A job from words such as `workers=100`. Raises ValueError."""
    given = dict(word.split("=", 1) for word in words)
    kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(Job)}
    unknown = sorted(given.keys() - kinds.keys())
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; fields are {', '.join(kinds)}")
    values = {name: kinds[name](float(text)) for name, text in given.items()}
    return replace(Job(), **values)


class SizedResponse(MemoryResponse):
    """An answer with a text of this size."""

    def __init__(self, answer_bytes: int) -> None:
        self._bytes = answer_bytes

    async def read(self, limit: int) -> bytes:
        """The answer."""
        answer = json.loads(ANSWER)
        answer["choices"][0]["message"]["content"] = "x" * self._bytes
        return json.dumps(answer).encode()


class SizedTransport(MemoryTransport):
    """Answers in the next turn of the loop, and counts the requests."""

    def __init__(self, answer_bytes: int) -> None:
        super().__init__()
        self._response = SizedResponse(answer_bytes)
        self.sent = 0

    async def open(self, request: HttpRequest, secret: SecretStr | None, timeout: float | None) -> MemoryResponse:
        """The answer."""
        self.sent += 1
        await super().open(request, secret, timeout)
        return self._response


@dataclass(frozen=True)
class ShardCost:
    """What one row of a shard took."""

    seconds: float
    """CPU of this process, the vendor in memory included."""
    resume_seconds: float
    ledger_bytes: float
    output_bytes: float


async def measure_shard(rows: int, answer_bytes: int) -> ShardCost:
    """Run a shard, and run it again as if its worker had been lost just before the report was written."""
    transport = SizedTransport(answer_bytes)

    def make_provider(_: Store) -> BaseProvider:
        return ProviderRegistry.create("openai", api_key="k", transport=transport)

    async def run_once(shard: Shard, folder: Path) -> float:
        began = time.process_time()
        end = await run_shard(shard, folder, make_provider, model="m", concurrency=Job.concurrency)
        assert (end.stopped, end.report.done, transport.sent) == (None, rows, rows)
        return (time.process_time() - began) / rows

    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        source = folder / "rows.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in make_rows(rows)))
        (shard,) = plan_shards(source, folder / "out", rows_per_shard=2 * rows, model="m").unwrap()
        first = await run_once(shard, folder / "out")
        (folder / "out" / f"{shard.name}.json").unlink()
        again = await run_once(shard, folder / "out")
        sizes = [(folder / "out" / f"{shard.name}.{kind}").stat().st_size / rows for kind in ("ledger", "jsonl")]
    return ShardCost(first, again, *sizes)


async def measure_script(members: int, calls: int = 400) -> float:
    """Seconds that Redis takes to renew a loan, by its own statistics, where so many processes share a limit that binds."""

    async def renew(client: Redis, members: list[int]) -> None:
        async with client.pipeline(transaction=False) as pipe:
            for number in members:
                asked = Borrow(name=f"{number:08x}", requests_per_minute=60, concurrency=half, requests=9, permits=4)
                pipe.eval(LEND, 1, "pool", pack_borrow(asked), FORMAT, 60_000)
            await pipe.execute()

    half = members // 2
    async with run_redis() as url, Redis.from_url(url) as client:
        await renew(client, list(range(members)))
        await client.config_resetstat()
        await renew(client, [number * 2654435761 % members for number in range(calls)])
        assert await client.zcard("pool") == members + 1
        statistics: Any = await client.info("commandstats")
        return float(statistics["cmdstat_eval"]["usec_per_call"]) / 1e6


async def measure() -> None:
    """Measure and print what the constants say."""
    found = await measure_shard(Job.rows_per_shard, Job.answer_bytes)
    print(f"CPU per row {found.seconds * 1e6:.0f} us; to resume {found.resume_seconds * 1e6:.0f} us")
    print(f"bytes per row: ledger {found.ledger_bytes:.0f}, output {found.output_bytes:.0f}")
    for members in (10, 1000, 20_000):
        print(f"Redis, {members} workers: {1 / await measure_script(members):,.0f} scripts/s")


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        asyncio.run(measure())
    else:
        print(format_figures(read_job(sys.argv[1:])))
