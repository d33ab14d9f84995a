"""ManagedProviderFactory: providers with resilience, rate limits, metrics and fallbacks, from a few keywords or a ProviderConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from inspect import Parameter, signature
from typing import Any, Literal, TypeAlias

from msgspec import structs
from pydantic import SecretStr

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.metrics import WINDOW, Metrics
from victor_fp.core.redaction import HiddenValuesDict, redact_url, to_secret
from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import Priority, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.resilience.rate_limit_presets import PRESETS, UNLIMITED
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.custom_source import CustomSource, is_plain
from victor_fp.providers.errors import error_from
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.managed import Pool
from victor_fp.shell.managed_line import LineSource
from victor_fp.shell.managed_source import Source
from victor_fp.shell.managed_target import Target
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Store
from victor_fp.shell.store.memory import MemoryStore
from victor_fp.shell.telemetry import LogObserver, Observer

__all__ = [
    "BreakerPolicy",
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
"""Another name for `Priority`."""

SHARED = FallbackPolicy(even_shares=True)
"""A silent target leaves the others their share of the time."""


OnCircuitOpen: TypeAlias = Literal["fail", "wait"]

DEFAULT_TIMEOUT = 120.0
"""Seconds for one attempt."""


@dataclass
class ProviderConfig:
    """One target and how it is managed. What stands here for a fallback holds for that fallback."""

    provider_name: str
    model: str
    api_key: str | SecretStr | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for one attempt: the whole of a call, each silence of a stream. A fallback that keeps the default inherits
    the primary target's."""
    enable_resilience: bool = True
    """Breaker and retries."""
    circuit_breaker_config: BreakerPolicy | None = None
    on_circuit_open: OnCircuitOpen = "fail"
    """"wait" makes calls wait for an open circuit inside their deadline instead of failing with CircuitOpen."""
    retry_config: RetryPolicy | None = None
    """None is the policy's defaults, and for a fallback the policy of the primary target."""
    fallback_providers: list[ProviderConfig] = field(default_factory=list)
    """Asked in this order, each with its own model. A fallback's own fallbacks come right behind it."""
    enable_rate_limiting: bool = True
    """Limit and waiting line. Without `concurrency_config` only what the vendor's own headers say limits."""
    concurrency_config: Limits | str | None = None
    """Requests and tokens per minute and calls at a time, or the name of a preset such as "openai-tier-1"."""
    queue_config: QueuePolicy | None = None
    num_workers: int | None = None
    """Calls at a time; None leaves it to `concurrency_config`."""
    enable_metrics: bool = True
    metrics_history_size: int = WINDOW
    """Operations over which percentiles are taken."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `chat` and `stream` that are always asked at this target, over the caller's."""
    extra_kwargs: dict[str, Any] = field(default_factory=dict, repr=False)
    """Further keywords for the provider's constructor: settings of the place, `max_retries`, `http_client` ..."""

    def __repr__(self) -> str:
        shown = {one.name: getattr(self, one.name) for one in fields(self) if one.repr}
        shown["base_url"] = self.base_url and redact_url(self.base_url)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __setattr__(self, name: str, value: Any) -> None:
        """Keys are held as `Secret`s: `asdict` and `vars` show none, and a configuration with one is not pickled."""
        if name == "api_key":
            value = to_secret(value)
        elif name == "extra_kwargs":
            value = HiddenValuesDict(value)
        object.__setattr__(self, name, value)


class ManagedProviderFactory:
    """Makes providers with shared infrastructure."""

    @classmethod
    async def create(
        cls,
        provider_name: str,
        model: str,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = 120.0,
        enable_resilience: bool = True,  # noqa: FBT001, FBT002  the signature is given
        enable_rate_limiting: bool = True,  # noqa: FBT001, FBT002
        enable_metrics: bool = True,  # noqa: FBT001, FBT002
        fallback_configs: list[ProviderConfig] | None = None,
        *,
        rate_limits: Limits | str | None = None,
        queue: QueuePolicy | None = None,
        circuit_breaker: BreakerPolicy | None = None,
        on_circuit_open: OnCircuitOpen = "fail",
        retry: RetryPolicy | None = None,
        fallback_policy: FallbackPolicy = SHARED,
        store: Store | None = None,
        observers: Sequence[Observer] = (),
        **kwargs: Any,
    ) -> ManagedProvider:
        """A provider with everything on that is not switched off.

        `rate_limits` are yours, or the name of a preset; without them only the vendor's own headers limit. `store` shares
        limits and breakers with others (`MemoryStore`, `RedisStore`) and stays yours to close. Further keywords go to
        the provider's constructor. Raises ProviderNotFoundError.
        """
        api_key, kwargs = to_secret(api_key), HiddenValuesDict(kwargs)  # a frame shown with its variables shows no key
        config = ProviderConfig(
            provider_name=provider_name,
            model=model,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            enable_resilience=enable_resilience,
            circuit_breaker_config=circuit_breaker,
            on_circuit_open=on_circuit_open,
            retry_config=retry,
            fallback_providers=list(fallback_configs or ()),
            enable_rate_limiting=enable_rate_limiting,
            concurrency_config=rate_limits,
            queue_config=queue,
            enable_metrics=enable_metrics,
            extra_kwargs=kwargs,
        )
        return await cls.create_from_config(config, fallback_policy=fallback_policy, store=store, observers=observers)

    @classmethod
    async def create_from_config(
        cls,
        config: ProviderConfig,
        *,
        fallback_policy: FallbackPolicy = SHARED,
        store: Store | None = None,
        observers: Sequence[Observer] = (),
    ) -> ManagedProvider:
        """The same from a configuration."""
        runtime: Runtime = config.extra_kwargs.get("runtime", SYSTEM)
        kept = store or MemoryStore(runtime)
        await kept.open()
        providers: list[BaseProvider] = []
        targets: list[Target] = []
        for one in plan_of(config):
            provider, source = _provider_for(one)
            providers.append(provider)
            targets.append(_target(one, source, kept, runtime))
        pool = Pool(
            targets=targets,
            policy=fallback_policy,
            store=kept,
            runtime=runtime,
            metrics=Metrics(window=config.metrics_history_size) if config.enable_metrics else None,
            observers=(LogObserver(), *observers),
        )
        return ManagedProvider(providers, pool)


def plan_of(config: ProviderConfig) -> list[ProviderConfig]:
    """A configuration and its fallbacks, in the order in which they are asked.

    A fallback without figures of its own inherits timeout, retries and what happens at an open circuit.
    """
    plan = [config]
    for fallback in config.fallback_providers:
        inherited = replace(
            fallback,
            timeout=config.timeout if fallback.timeout == DEFAULT_TIMEOUT else fallback.timeout,
            retry_config=fallback.retry_config
            or (None if "max_retries" in fallback.extra_kwargs else _given_retries(config)),
            on_circuit_open=config.on_circuit_open if fallback.on_circuit_open == "fail" else fallback.on_circuit_open,
        )
        plan += plan_of(inherited)
    return plan


def _given_retries(config: ProviderConfig) -> RetryPolicy | None:
    """The retries that a configuration names, in either of its two ways."""
    given = config.extra_kwargs.get("max_retries")
    return config.retry_config or (None if given is None else RetryPolicy(max_retries=given))


def _provider_for(config: ProviderConfig) -> tuple[BaseProvider, Source]:
    """A provider that leaves retries to the managed path, as far as it lets itself be told."""
    kind = ProviderRegistry.get(config.provider_name)
    keywords = HiddenValuesDict[Any](_taken_by(kind, {"timeout": config.timeout}) | config.extra_kwargs)
    if not is_plain(kind):
        keywords.update(_taken_by(kind, {"max_retries": 0}))
    if isinstance(config.api_key, SecretStr):
        # Somebody's own class may put the key into a header as it comes.
        keywords["api_key"] = config.api_key if is_plain(kind) else config.api_key.get_secret_value()
    if config.base_url is not None:
        keywords["base_url"] = config.base_url
    provider = kind(**keywords)
    if isinstance(provider, CatalogueProvider) and is_plain(kind):
        return provider, LineSource(provider.line)
    return provider, CustomSource(provider)


def _taken_by(kind: type[BaseProvider], keywords: dict[str, Any]) -> dict[str, Any]:
    """Those of our own keywords that a constructor takes."""
    parameters = signature(kind).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return keywords
    return {name: value for name, value in keywords.items() if name in parameters}


def _target(config: ProviderConfig, source: Source, store: Store, runtime: Runtime) -> Target:
    return Target(
        source=source,
        model=config.model,
        options=dict(config.options),
        timeout=config.timeout,
        wait_when_open=config.on_circuit_open == "wait",
        retries=_retries(config),
        breaker=_breaker(config),
        limits=_limits(config),
        queue=config.queue_config or QueuePolicy(),
        store=store,
        runtime=runtime,
    )


def _retries(config: ProviderConfig) -> RetryPolicy:
    if not config.enable_resilience:
        return RetryPolicy(max_retries=0)
    given = config.extra_kwargs.get("max_retries", RetryPolicy().max_retries)
    return config.retry_config or RetryPolicy(max_retries=given)


def _breaker(config: ProviderConfig) -> BreakerPolicy | None:
    """The policy given, or one of BaseProvider's own keywords."""
    extra, usual = config.extra_kwargs, BreakerPolicy()
    if not config.enable_resilience or not extra.get("use_circuit_breaker", True):
        return None
    return config.circuit_breaker_config or BreakerPolicy(
        failure_threshold=extra.get("circuit_breaker_failure_threshold", usual.failure_threshold),
        recovery_timeout=extra.get("circuit_breaker_recovery_timeout", usual.recovery_timeout),
    )


def _limits(config: ProviderConfig) -> Limits | None:
    if not config.enable_rate_limiting:
        return None
    limits = config.concurrency_config or UNLIMITED
    if isinstance(limits, str):
        if limits not in PRESETS:
            message = f"no preset of rate limits is called {limits!r}; there are: {', '.join(sorted(PRESETS))}"
            raise error_from(InvalidRequest(provider=config.provider_name, message=message))
        limits = PRESETS[limits]
    if config.num_workers is None:
        return limits
    at_a_time = config.num_workers if limits.concurrency is None else min(config.num_workers, limits.concurrency)
    return structs.replace(limits, concurrency=at_a_time)
