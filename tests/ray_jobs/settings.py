"""What a test says about a job on Ray, and what its workers make of it. Workers import this module; Ray copies what a main
module defines, which not every class allows."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import ray

from victor_fp import ProviderRegistry
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
    budget: int | None = None
    """Requests of all workers together."""
    redis: str | None = None
    rows_per_shard: int = 25


async def make_provider(store: Store, settings: Settings) -> BaseProvider:
    """A provider of the loopback vendor; the worker makes itself known."""
    name = f"{os.getpid()}-{ray.get_runtime_context().get_node_id()}"
    (Path(settings.workers) / name).touch()
    if settings.limit is None:
        return ProviderRegistry.create("openai")
    # The lease bounds for how long the permits of a killed worker are missing; calls take far less.
    limits = Limits(concurrency=settings.limit, lease=10.0, adopt="never")
    return await ManagedProviderFactory.create("openai", "m", store=store, rate_limits=limits, enable_resilience=False)


def make_redis_store(url: str) -> Store:
    """The store of a job with Redis."""
    from victor_fp.shell.store.redis import RedisStore

    return RedisStore(url, poll=0.05)
