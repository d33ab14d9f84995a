"""The figures have exactly the documented keys, with values of the documented types."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from tests.acme import HI
from tests.loopback import serving
from tests.managed_shapes import Echo, answer_hello, create_managed, fail_with_500
from victor_fp import (
    CircuitBreakerStats,
    ProviderInfo,
    ProviderManager,
    ProviderMetrics,
    RateLimitStats,
    ResilienceStats,
)
from victor_fp.agent.manager_config import ProviderManagerConfig


@pytest.mark.usefixtures("no_pauses")
async def test_the_figures_of_a_managed_provider() -> None:
    async with serving(fail_with_500, answer_hello) as server, await create_managed(server.url) as provider:
        await provider.chat(HI)
        for form, found in (
            (TypeAdapter(ProviderMetrics), provider.get_metrics()),
            (TypeAdapter(ResilienceStats), provider.get_resilience_stats()),
            (TypeAdapter(RateLimitStats), provider.get_rate_limit_stats()),
            (TypeAdapter(CircuitBreakerStats), provider.get_circuit_breaker_stats()),
        ):
            assert found is not None
            assert form.validate_python(found, strict=True, extra="forbid") == found


async def test_the_facts_of_a_manager() -> None:
    form = TypeAdapter(ProviderInfo)
    empty = ProviderManager({}).get_info()
    assert form.validate_python(empty, strict=True, extra="forbid") == empty
    async with ProviderManager({}, Echo(), "e-1", config=ProviderManagerConfig(enable_health_checks=False)) as manager:
        info = manager.get_info()
    assert form.validate_python(info, strict=True, extra="forbid") == info
    assert info.keys() == ProviderInfo.__annotations__.keys()
