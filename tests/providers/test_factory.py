"""ManagedProviderFactory and its configurations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acme import HI, KEY
from tests.loopback import serving
from tests.managed_shapes import Echo, answer_hello, build_fallback, create_managed
from victor_fp.core import faults
from victor_fp.core.types import CompletionResponse
from victor_fp.providers.base import BaseProvider, ProviderError, ProviderNotFoundError
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.factory import (
    BreakerPolicy,
    Limits,
    ManagedProvider,
    ManagedProviderFactory,
    ProviderConfig,
    RequestPriority,
    RetryPolicy,
)
from victor_fp.providers.managed_config import list_plan
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.store.memory import MemoryStore


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    yield
    ProviderRegistry.restore()


def test_the_signature_matches_the_documentation() -> None:
    parameters = inspect.signature(ManagedProviderFactory.create).parameters
    promised = {
        "provider_name": inspect.Parameter.empty,
        "model": None,  # the promised one is required; a model in the name or the default one will do
        "api_key": None,
        "base_url": None,
        "timeout": 120.0,
        "enable_resilience": True,
        "enable_rate_limiting": True,
        "enable_metrics": True,
        "fallback_configs": None,
    }
    assert {name: parameters[name].default for name in promised} == promised
    assert list(parameters)[: len(promised)] == list(promised)
    assert inspect.iscoroutinefunction(ManagedProviderFactory.create)


async def test_a_managed_provider_is_a_provider() -> None:
    async with await create_managed("http://acme.test") as provider:
        assert isinstance(provider, BaseProvider)
        assert (provider.name, provider.model) == ("acme", "m-1")
        assert (provider.supports_tools(), provider.supports_streaming()) == (True, True)
        assert (provider.is_healthy(), provider.is_circuit_open()) == (True, False)
        assert await provider.count_tokens("12345678") == 2
        assert KEY not in repr(provider) + repr(vars(provider)) + repr(provider.provider)


async def test_everything_is_on_by_default() -> None:
    async with await create_managed("http://acme.test") as provider:
        assert provider.get_metrics() is not None
        assert provider.get_resilience_stats() is not None
        assert provider.get_rate_limit_stats() is not None


async def test_an_unknown_provider_is_reported() -> None:
    with pytest.raises(ProviderNotFoundError, match="nobody"):
        await ManagedProviderFactory.create("nobody", "m")


async def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(ProviderError, match="openai-tier-1"):
        await create_managed("http://acme.test", rate_limits="openai-tier-99")


async def test_a_config_makes_the_same_and_shows_no_key() -> None:
    given = build_fallback(
        "http://acme.test",
        concurrency_config=Limits(requests_per_minute=7),
        num_workers=2,
        circuit_breaker_config=BreakerPolicy(failure_threshold=1),
        retry_config=RetryPolicy(max_retries=0),
        metrics_history_size=3,
        extra_kwargs={"http_client": None},
    )
    assert "canary" not in repr(given)
    await create_managed("http://acme.test")
    async with await ManagedProviderFactory.create_from_config(given) as provider:
        await provider.chat_result(HI, deadline=0.01)
        stats = provider.get_rate_limit_stats()
    assert provider.max_retries == 0
    assert stats is not None
    assert (stats["requests_per_minute"], stats["concurrency"]) == (7, 2)


async def test_fallbacks_of_fallbacks_follow_them() -> None:
    last = build_fallback("http://c.test", "m-3")
    first = build_fallback("http://b.test", "m-2", fallback_providers=[last])
    async with await create_managed(
        "http://a.test", fallback_configs=[first, build_fallback("http://d.test", "m-4")]
    ) as provider:
        stats = provider.get_resilience_stats()
    assert stats is not None
    assert list(stats["fallback_circuits"]) == ["acme:m-2", "acme:m-3", "acme:m-4"]


async def test_breaker_settings_of_the_constructor_hold_here_too() -> None:
    async with await create_managed(
        "http://127.0.0.1:9", max_retries=0, circuit_breaker_failure_threshold=1
    ) as provider:
        await provider.chat_result(HI)
        assert provider.is_circuit_open()
        provider.reset_circuit_breaker()
        assert not provider.is_circuit_open()
        stats = provider.get_circuit_breaker_stats()
    assert stats is not None
    assert (stats["state"], stats["total_failures"]) == ("closed", 1)


async def test_providers_that_share_a_store_share_limits_by_key_and_model() -> None:
    store = MemoryStore()
    async with serving(answer_hello) as server:
        keywords: dict[str, Any] = {"rate_limits": Limits(requests_per_minute=2), "store": store, "max_retries": 0}
        one, two = await create_managed(server.url, **keywords), await create_managed(server.url, **keywords)
        other = await create_managed(server.url, api_key="sk-canary-another", **keywords)
        await one.chat(HI)
        await two.chat(HI)
        refused = (await one.chat_result(HI, deadline=0.1)).failure()
        await other.chat(HI)
        for provider in (one, two, other):
            await provider.shutdown()
    assert isinstance(refused, faults.RateLimited)
    assert len(server.received) == 3


async def test_overridden_methods_are_called() -> None:
    plain = type((await create_managed("http://acme.test")).provider)

    class Own(plain):  # type: ignore[misc, valid-type]  # a class made while running
        async def chat(self, messages: object, **options: Any) -> CompletionResponse:
            assert isinstance(self, CatalogueProvider)
            return CompletionResponse(content=f"mine, {self.max_retries} retries")

    ProviderRegistry.register("own", Own)
    async with await ManagedProviderFactory.create("own", "m", KEY) as provider:
        assert (await provider.chat(HI)).content == "mine, 0 retries"


async def test_constructor_receives_only_accepted_keywords() -> None:
    class Narrow(Echo):
        def __init__(self, api_key: str | None = None) -> None:
            super().__init__(api_key)

    ProviderRegistry.register("narrow", Narrow)
    async with await ManagedProviderFactory.create("narrow", "m", "k") as provider:
        assert (await provider.chat(HI)).content == "m: Hi"


def test_priorities_have_the_documented_names() -> None:
    assert [level.name for level in RequestPriority] == ["CRITICAL", "HIGH", "NORMAL", "LOW", "BATCH"]


def test_a_config_has_the_documented_fields_and_defaults() -> None:
    given = ProviderConfig("openai", "gpt-4o")
    assert (given.timeout, given.enable_resilience, given.enable_rate_limiting, given.enable_metrics) == (
        120.0,
        True,
        True,
        True,
    )
    assert (given.fallback_providers, given.extra_kwargs, given.metrics_history_size) == ([], {}, 1000)
    assert ManagedProvider.__doc__


def test_fallback_inherits_timeout_and_retries() -> None:
    plain = ProviderConfig(provider_name="groq", model="m")
    own = ProviderConfig(provider_name="xai", model="m", timeout=7.0, retry_config=RetryPolicy(max_retries=9))
    config = ProviderConfig(
        provider_name="openai",
        model="m",
        timeout=3.0,
        retry_config=RetryPolicy(max_retries=1),
        on_circuit_open="wait",
        fallback_providers=[plain, own],
    )
    _, inherited, kept = list_plan(config)
    assert (inherited.timeout, inherited.retry_config, inherited.on_circuit_open) == (
        3.0,
        RetryPolicy(max_retries=1),
        "wait",
    )
    assert (kept.timeout, kept.retry_config) == (7.0, RetryPolicy(max_retries=9))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timeout": -1}, "timeout: expected a positive number of seconds, got -1"),
        ({"timeout": "10"}, "timeout: expected a positive number of seconds, got str"),
        ({"timeout": float("nan")}, "timeout: expected a positive number of seconds, got nan"),
        ({"max_retries": "3"}, "max_retries: expected an integer of at least 0, got str"),
        ({"max_retries": -1}, "max_retries: expected an integer of at least 0, got -1"),
    ],
)
async def test_a_number_out_of_its_bounds_is_a_typed_fault_plain_and_managed(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ProviderError, match="InvalidRequest") as plain:
        ProviderRegistry.create("openai", api_key=KEY, **settings)
    with pytest.raises(ProviderError, match="InvalidRequest") as several:
        await ManagedProviderFactory.create("openai", api_key=KEY, **settings)
    assert plain.value.fault.message == several.value.fault.message == message


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"circuit_breaker_failure_threshold": 0}, "circuit_breaker_failure_threshold: expected an integer"),
        ({"circuit_breaker_recovery_timeout": -1}, "circuit_breaker_recovery_timeout: expected a number of seconds"),
    ],
)
def test_settings_of_the_breaker_are_checked_by_the_constructor(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(ProviderError) as raised:
        ProviderRegistry.create("openai", api_key=KEY, **settings)
    assert isinstance(raised.value.fault, faults.InvalidRequest)
    assert part in raised.value.fault.message


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"rate_limits": Limits(concurrency=-1)}, "concurrency_config.concurrency"),
        ({"rate_limits": 5}, "concurrency_config: expected an object of the class Limits, got 5"),
        ({"retry": 3}, "retry_config: expected an object"),
        ({"on_circuit_open": "maybe"}, "on_circuit_open: expected 'fail' or 'wait', got 'maybe'"),
        ({"fallback_configs": [3]}, "expected objects of the class ProviderConfig, got int"),
        ({"fallback_configs": [ProviderConfig(provider_name="openai", timeout=-1)]}, "timeout: expected"),
        ({"price": 3.0}, "price: expected a function, got float"),
        ({"fallback_policy": 3}, "fallback_policy: expected an object"),
    ],
)
async def test_what_manages_a_provider_is_checked_before_any_call(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(ProviderError) as raised:
        await ManagedProviderFactory.create("openai", api_key=KEY, **settings)
    assert isinstance(raised.value.fault, faults.InvalidRequest)
    assert part in raised.value.fault.message
