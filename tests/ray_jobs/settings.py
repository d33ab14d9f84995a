"""What a test says about a job on Ray, and what its workers make of it. Workers import this module; Ray copies what a main
module defines, which not every class allows."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import msgspec
import ray

from tests.ray_jobs.vendor import WORKER
from victor_fp import ProviderRegistry
from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.factory import Limits, ManagedProviderFactory
from victor_fp.shell.store import Store


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A job."""

    address: str
    source: str
    output: str
    workers: str
    concurrency: int = 4
    limit: int | None = None
    """Requests in flight of all workers together."""
    per_minute: int | None = None
    """Requests per minute of all workers together."""
    recovery_timeout: float | None = None
    """Seconds for which a breaker is open; without a breaker it is None."""
    budget: int | None = None
    """Requests of all workers together."""
    redis: str | None = None
    rows_per_shard: int = 25


async def make_provider(store: Store, settings: Settings) -> BaseProvider:
    """A provider of the loopback vendor; the worker makes itself known, to the test and to the vendor."""
    name = f"{os.getpid()}-{ray.get_runtime_context().get_node_id()}"
    (Path(settings.workers) / name).touch()
    client = httpx.AsyncClient(headers={WORKER: name}, timeout=60.0)
    if settings.limit is None and settings.per_minute is None:
        return ProviderRegistry.create("openai", http_client=client)
    # The lease bounds for how long the permits of a killed worker are missing; calls take far less.
    limits = Limits(concurrency=settings.limit, requests_per_minute=settings.per_minute, lease=10.0, adopt="never")
    breaker = BreakerPolicy(
        failure_threshold=3, recovery_timeout=settings.recovery_timeout or 0.0, half_open_probes=1, success_threshold=1
    )
    return await ManagedProviderFactory.create(
        "openai",
        "m",
        store=store,
        rate_limits=limits,
        enable_resilience=settings.recovery_timeout is not None,
        circuit_breaker=breaker,
        retry=RetryPolicy(max_retries=0),
        http_client=client,
    )


def make_redis_store(url: str) -> Store:
    """The store of a job with Redis."""
    from victor_fp.shell.store.redis import RedisStore

    return RedisStore(url, poll=0.05)
