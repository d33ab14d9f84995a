"""Memory of a job depends on its concurrency and not on its rows."""

from __future__ import annotations

import sys

import pytest

from tests.bench.jobs import MemoryTransport, run_job
from victor_fp.providers.registry import ProviderRegistry


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_memory_is_flat_after_the_first_rows() -> None:
    async with ProviderRegistry.create("openai", api_key="k", transport=MemoryTransport()) as provider:
        warm, most = await run_job(provider, 100_000, 64)
    assert most - warm < 20
