"""The cost of a very large job, calculated: `python -m tests.bench.jobs_at_scale [FIELD=VALUE ...]`.

Fields are those of `Job`. The costs of a row were measured by `tests.bench.jobs` (CPU) and on ledgers of 10,000 rows
(bytes, time to resume); the load on Redis follows from how the shared store works.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace
from typing import Any

from victor_fp.core.resilience.pool import compute_period, compute_spacing

ROW_SECONDS = 240e-6
"""CPU of a worker for one row."""
EXPORT_SECONDS = 16e-6
RESUME_SECONDS = 34e-6
"""CPU for a row that an earlier run finished: it is read, identified, looked up, and exported."""
OUTPUT_BYTES = 182
"""Of one row, besides its answer."""
LEDGER_BYTES, PAGE_BYTES, INDEX_BYTES = 220, 4096, 30
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
    """Scripts a second that one Redis runs."""
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
    limit_scripts_per_row: float
    most_workers: int
    """Workers for which one Redis renews loans."""
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
    limit_scripts = job.workers / compute_period(job.workers)
    # Each attempt at a shared budget takes a round trip, and one of all that were made on the same value succeeds.
    changes = 1 / job.round_trip
    resume_shard = job.rows_per_shard * RESUME_SECONDS
    in_work = min(shards, job.workers)
    return Figures(
        by_workers=by_workers,
        rate=rate,
        duration=job.rows / rate,
        cores=rate * (ROW_SECONDS + EXPORT_SECONDS),
        shards=shards,
        ledger=job.rows * ledger_row,
        shard_ledger=job.rows_per_shard * ledger_row,
        output=job.rows * (OUTPUT_BYTES + job.answer_bytes),
        limit_scripts=limit_scripts,
        limit_scripts_per_row=limit_scripts / rate,
        most_workers=int(job.scripts * compute_period(sys.maxsize)),
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
        ("Redis scripts per row for limits", f"{found.limit_scripts_per_row:.3f}"),
        ("workers that saturate Redis by limits", f"{found.most_workers:,}"),
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


if __name__ == "__main__":
    print(format_figures(read_job(sys.argv[1:])))
