"""What a very large job takes, calculated: `python -m tests.bench.jobs_at_scale [FIELD=VALUE ...]`.

Fields are those of `Job`. The costs of one row were measured by `tests.bench.jobs` (CPU) and on ledgers of 10,000 rows
(bytes, time to resume); the load on Redis follows from how the shared store works.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields, replace

ROW_SECONDS = 240e-6
"""CPU of a worker for one row."""
RESUME_SECONDS = 17e-6
"""CPU for a row that an earlier run finished: it is read, identified, and looked up."""
EXPORT_SECONDS = 16e-6
LEDGER_BYTES, OUTPUT_BYTES = 360, 265
"""Of one row, besides its answer."""
RENEWALS_PER_SECOND = 1000
"""Loans of one key that its pool renews in a second; with more processes the period grows from 1 s to 5 s."""


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
    """What the job takes. Times in seconds."""

    by_workers: float
    """Rows a second that the workers could ask."""
    rate: float
    """Rows a second that are asked."""
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
    budget_wins: float
    """Changes of one shared budget that can succeed in a second."""
    budget_wait: float
    """For which a worker waits, on average, for its change of the budget."""
    budget_workers: int
    """Workers whose changes of one budget fill that Redis with attempts."""
    resume_shard: float
    resume_all: float
    """After the end of all workers at once."""
    repeated: int
    """Rows that are asked again then, at most."""
    most_workers: int
    """Workers for which one Redis renews loans."""


def calculate(job: Job) -> Figures:
    """The figures of a job."""
    by_workers = job.workers * job.concurrency / job.latency
    rate = min(by_workers, job.per_minute * 0.97 / 60)
    period = min(5.0, max(1.0, job.workers / RENEWALS_PER_SECOND))
    shards = -(-job.rows // job.rows_per_shard)
    ledger_row = LEDGER_BYTES + job.answer_bytes
    # Each attempt at a shared budget takes a round trip, and one of all that were made on the same value succeeds.
    wins = 1 / job.round_trip
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
        limit_scripts=job.workers / period,
        limit_scripts_per_row=job.workers / period / rate,
        budget_wins=wins,
        budget_wait=job.workers / wins,
        budget_workers=int(job.scripts * job.round_trip),
        resume_shard=resume_shard,
        resume_all=resume_shard * in_work / job.workers,
        repeated=in_work * job.concurrency,
        most_workers=int(job.scripts * 5),
    )


def format_figures(job: Job) -> str:
    """A table for people."""
    found = calculate(job)
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
        ("changes a second of one shared budget", f"{found.budget_wins:,.0f}"),
        ("wait of a worker for one of them", f"{found.budget_wait:,.1f} s"),
        ("workers that saturate Redis by one budget", f"{found.budget_workers:,}"),
        ("workers that saturate Redis by limits", f"{found.most_workers:,}"),
        ("to resume one shard", f"{found.resume_shard:,.2f} s"),
        ("to resume after the end of all workers", f"{found.resume_all:,.2f} s"),
        ("rows asked again then, at most", f"{found.repeated:,}"),
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {value:>12}" for name, value in lines)


def read_job(words: list[str]) -> Job:
    """A job from words such as `workers=100`. Raises ValueError."""
    given = dict(word.split("=", 1) for word in words)
    kinds = {field.name: type(field.default) for field in fields(Job)}
    unknown = sorted(given.keys() - kinds.keys())
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; fields are {', '.join(kinds)}")
    values = {name: kinds[name](float(text)) for name, text in given.items()}
    return replace(Job(), **values)


if __name__ == "__main__":
    print(format_figures(read_job(sys.argv[1:])))
