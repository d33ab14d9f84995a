"""The driver of a job on Ray, in a process of its own, so that it can be killed: `python -m tests.ray_jobs.driver JSON`.

It prints a line that begins with `shard` for every shard that ends; Ray prints others. Each worker leaves an empty file, named
by its process and node, in the folder `workers`.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import msgspec
import ray

from tests.ray_jobs.settings import Settings, make_provider, make_redis_store
from victor_fp.core.resilience.budget import Budget
from victor_fp.jobs.ray import run_shards


def main(settings: Settings) -> None:
    ray.init(address=settings.address, log_to_driver=False, configure_logging=False)
    more: dict[str, Any] = {}
    if settings.redis is not None:
        more["make_store"] = partial(make_redis_store, settings.redis)
    if settings.budget is not None:
        more["budget"] = Budget(requests=settings.budget, name="job")
    ends = run_shards(
        settings.source,
        settings.output,
        partial(make_provider, settings=settings),
        rows_per_shard=settings.rows_per_shard,
        num_cpus=1,
        model="m",
        concurrency=settings.concurrency,
        **more,
    )
    for end in ends:
        stopped = "" if end.stopped is None else f"{type(end.stopped).__name__}: {end.stopped.message}"
        print("shard", end.name, end.report.done, end.report.left, end.is_resumed, stopped, sep="\t", flush=True)


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Settings))
