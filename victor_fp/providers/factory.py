"""ManagedProviderFactory: creates managed providers from keywords or a ProviderConfig."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import Priority, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.security.secrets import HiddenValuesDict, to_secret
from victor_fp.core.usage.cost import Price
from victor_fp.providers.managed_config import EVEN_SHARES, OnCircuitOpen, ProviderConfig
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.shell.engine.telemetry import Observer
from victor_fp.shell.runtime import SYSTEM
from victor_fp.shell.store import Store
from victor_fp.shell.store.memory import MemoryStore

__all__ = [
    "BreakerPolicy",
    "Budget",
    "FallbackPolicy",
    "Limits",
    "ManagedProvider",
    "ManagedProviderFactory",
    "Priority",
    "ProviderConfig",
    "QueuePolicy",
    "RequestPriority",
    "RetryPolicy",
]

RequestPriority = Priority
"""Alias of `Priority`."""


class ManagedProviderFactory:
    """Creates managed providers."""

    @classmethod
    async def create(
        cls,
        provider_name: str,
        model: str | None = None,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = 120.0,
        enable_resilience: bool = True,  # noqa: FBT001, FBT002  public signature
        enable_rate_limiting: bool = True,  # noqa: FBT001, FBT002
        enable_metrics: bool = True,  # noqa: FBT001, FBT002
        fallback_configs: list[ProviderConfig] | None = None,
        *,
        rate_limits: Limits | str | None = None,
        queue: QueuePolicy | None = None,
        circuit_breaker: BreakerPolicy | None = None,
        retry: RetryPolicy | None = None,
        fallback_policy: FallbackPolicy = EVEN_SHARES,
        on_circuit_open: OnCircuitOpen = "fail",
        budget: Budget | None = None,
        price: Price | None = None,
        store: Store | None = None,
        observers: Sequence[Observer] = (),
        **kwargs: Any,
    ) -> ManagedProvider:
        """Create a managed provider; all features are enabled by default.

        `provider_name` may name the model as well, as in "openai/gpt-5-mini"; without a model the provider's default
        one is used. `rate_limits` are limits or the name of a preset; by default only the vendor's response headers
        limit. `on_circuit_open="wait"` lets calls wait for an open breaker within their deadline. `store` shares limits
        and breakers with other providers (`MemoryStore`, `RedisStore`); it must be closed by the caller. `budget`
        limits the total spending; in US dollars, prices are those of `price` or of the extra `prices`. Other keywords
        are passed to the provider's constructor. Raises ProviderNotFoundError.
        """
        api_key, kwargs = to_secret(api_key), HiddenValuesDict(kwargs)  # error trackers report variables of frames
        config = ProviderConfig(
            provider_name=provider_name,
            model=model or "",
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            enable_resilience=enable_resilience,
            circuit_breaker_config=circuit_breaker,
            retry_config=retry,
            on_circuit_open=on_circuit_open,
            fallback_providers=list(fallback_configs or ()),
            enable_rate_limiting=enable_rate_limiting,
            concurrency_config=rate_limits,
            queue_config=queue,
            enable_metrics=enable_metrics,
            budget=budget,
            price=price,
            extra_kwargs=kwargs,
        )
        return await cls.create_from_config(config, fallback_policy=fallback_policy, store=store, observers=observers)

    @classmethod
    async def create_from_config(
        cls,
        config: ProviderConfig,
        *,
        fallback_policy: FallbackPolicy = EVEN_SHARES,
        store: Store | None = None,
        observers: Sequence[Observer] = (),
    ) -> ManagedProvider:
        """Create a managed provider from a configuration."""
        kept = store or MemoryStore(config.extra_kwargs.get("runtime", SYSTEM))
        await kept.open()
        return ManagedProvider(config=config, fallback_policy=fallback_policy, store=kept, observers=observers)
