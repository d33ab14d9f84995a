"""Configuration of managed providers, and the pool of targets for a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from inspect import Parameter, signature
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct, structs
from pydantic import SecretStr

from victor_fp.core.faults import InvalidRequest
from victor_fp.core.model_names import split_model_name
from victor_fp.core.resilience.bounds import (
    MAX_SECONDS,
    find_count_problem,
    find_policy_problem,
    find_timeout_problem,
)
from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import QueuePolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.resilience.rate_limit_presets import PRESETS, UNLIMITED
from victor_fp.core.resilience.retry import NO_RETRIES, RetryPolicy
from victor_fp.core.security.redaction import redact_url
from victor_fp.core.security.secrets import HiddenValuesDict, to_secret
from victor_fp.core.telemetry.metrics import WINDOW, Metrics
from victor_fp.core.usage.cost import Price
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import error_from
from victor_fp.providers.provider_backend import can_run_on_http, choose_backend
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.shell.engine.budget_keeper import BudgetKeeper
from victor_fp.shell.engine.in_flight import find_in_flight
from victor_fp.shell.engine.stats import HealthGauge
from victor_fp.shell.engine.target import Target, TargetPool
from victor_fp.shell.engine.telemetry import LogObserver, Observer
from victor_fp.shell.prices import price_at
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Store
from victor_fp.shell.store.memory import MemoryStore

EVEN_SHARES = FallbackPolicy(even_shares=True)
"""A target that does not respond leaves the others their share of the time."""
DEFAULT_TIMEOUT = float("120")
"""Default seconds for one attempt. Compared by identity, to distinguish 120 seconds set for a fallback from the
default, for which the timeout of the primary is inherited."""
OnCircuitOpen: TypeAlias = Literal["fail", "wait"]
"""Whether a call fails while the circuit breaker is open, or waits for its next probe."""


@dataclass
class ProviderConfig:
    """The configuration of one target. Each fallback has its own configuration."""

    provider_name: str
    """May include the model, as in "openai/gpt-5-mini"."""
    model: str = ""
    """Empty: the provider's default model."""
    api_key: str | SecretStr | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for one attempt: in total for a call, between two reads for a stream. A fallback inherits the timeout of
    the primary by default."""
    enable_resilience: bool = True
    """Enables breaker and retries."""
    circuit_breaker_config: BreakerPolicy | None = None
    retry_config: RetryPolicy | None = None
    """None: the default policy; for a fallback, the policy of the primary."""
    on_circuit_open: OnCircuitOpen = "fail"
    """Whether a call fails at once if the breaker is open, or waits for it within its deadline."""
    fallback_providers: list[ProviderConfig] = field(default_factory=list)
    """Called in this order, each with its own model. The fallbacks of a fallback follow directly after it."""
    enable_rate_limiting: bool = True
    """Enables rate limit and queue. Without `concurrency_config` only the vendor's response headers limit."""
    concurrency_config: Limits | str | None = None
    """Requests and tokens per minute and concurrent calls, or the name of a preset such as "openai-tier-1"."""
    queue_config: QueuePolicy | None = None
    num_workers: int | None = None
    """Concurrent calls; None: those of `concurrency_config`."""
    enable_metrics: bool = True
    metrics_history_size: int = WINDOW
    """Number of operations in the percentiles."""
    budget: Budget | None = None
    """The budget of this target and its fallbacks; see `Budget.name`. Budgets of fallbacks are ignored."""
    price: Price | None = field(default=None, repr=False)
    """Prices for a budget in US dollars; None: those of the extra `prices`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `chat` and `stream` for this target; they override the caller's."""
    extra_kwargs: dict[str, Any] = field(default_factory=dict, repr=False)
    """Other keywords for the provider's constructor: settings of the endpoint, `max_retries`, `http_client` ..."""

    def __repr__(self) -> str:
        shown = {one.name: getattr(self, one.name) for one in fields(self) if one.repr}
        shown["base_url"] = self.base_url and redact_url(self.base_url)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def __setattr__(self, name: str, value: Any) -> None:
        """Store keys as `Secret`: `asdict` and `vars` hide them, and a configuration with a key cannot be pickled."""
        if name == "api_key":
            value = to_secret(value)
        elif name == "extra_kwargs":
            value = HiddenValuesDict(value)
        object.__setattr__(self, name, value)


def list_plan(config: ProviderConfig) -> list[ProviderConfig]:
    """Return a configuration and its fallbacks in calling order; fallbacks inherit timeout and retries."""
    plan = [_split_name(config)]
    for fallback in config.fallback_providers:
        for one in list_plan(fallback):
            inherited = ProviderConfig(**{each.name: getattr(one, each.name) for each in fields(one)})
            inherited.timeout = config.timeout if one.timeout is DEFAULT_TIMEOUT else one.timeout
            if inherited.retry_config is None and "max_retries" not in inherited.extra_kwargs:
                inherited.retry_config = _choose_retries(config)
            if inherited.on_circuit_open == "fail":
                inherited.on_circuit_open = config.on_circuit_open
            plan.append(inherited)
    return plan


def _split_name(config: ProviderConfig) -> ProviderConfig:
    """Split a name that includes both provider and model."""
    provider, model = split_model_name(config.provider_name, ProviderRegistry.is_registered)
    return config if model is None else replace(config, provider_name=provider, model=config.model or model)


def build_pool(
    config: ProviderConfig,
    *,
    base_provider: BaseProvider | None = None,
    policy: FallbackPolicy = EVEN_SHARES,
    store: Store | None = None,
    observers: Sequence[Observer] = (),
) -> tuple[list[BaseProvider], TargetPool]:
    """Build the providers of a configuration and the pool of their targets. `base_provider` replaces the first one."""
    if problem := _find_problem(config) or find_policy_problem("fallback_policy", policy, FallbackPolicy):
        raise error_from(InvalidRequest(provider=str(config.provider_name), message=problem))
    runtime: Runtime = config.extra_kwargs.get("runtime", SYSTEM)
    providers: list[BaseProvider] = []
    targets: list[Target] = []
    for one in list_plan(config):
        first = base_provider if not providers else None
        provider = first or _create_provider(one)
        providers.append(provider)
        targets.append(_build_target(one, provider, is_wrapped=first is not None))
    store = store or MemoryStore(runtime)
    pool = TargetPool(
        targets,
        policy=policy,
        store=store,
        runtime=runtime,
        metrics=Metrics(window=config.metrics_history_size) if config.enable_metrics else None,
        log=LogObserver(),
        observers=observers,
        budget=_build_budget(config, store),
    )
    return providers, pool


_POLICIES: Mapping[str, type[Struct]] = {
    "circuit_breaker_config": BreakerPolicy,
    "retry_config": RetryPolicy,
    "queue_config": QueuePolicy,
    "budget": Budget,
}
"""The fields of a configuration that hold a policy or None."""


def _find_problem(config: object) -> str | None:
    """Return what is wrong with the numbers of a configuration or of one of its fallbacks; None where nothing is."""
    if not isinstance(config, ProviderConfig):
        return f"fallback_providers: expected objects of the class ProviderConfig, got {type(config).__name__}"
    extra = config.extra_kwargs
    problem = (
        find_timeout_problem(config.timeout)
        or (config.num_workers is not None and find_count_problem("num_workers", config.num_workers, 1))
        or find_count_problem("metrics_history_size", config.metrics_history_size, 1)
        or ("max_retries" in extra and find_count_problem("max_retries", extra["max_retries"]))
    )
    if problem:
        return problem
    on_open: object = config.on_circuit_open
    if on_open not in get_args(OnCircuitOpen):
        return f"on_circuit_open: expected 'fail' or 'wait', got {on_open!r}"
    price: object = config.price
    if price is not None and not callable(price):
        return f"price: expected a function, got {type(price).__name__}"
    limits = config.concurrency_config
    policies = {name: (getattr(config, name), kind) for name, kind in _POLICIES.items()}
    policies["concurrency_config"] = (None if isinstance(limits, str) else limits, Limits)
    found = (find_policy_problem(name, value, kind) for name, (value, kind) in policies.items() if value is not None)
    return next(filter(None, found), None) or next(filter(None, map(_find_problem, config.fallback_providers)), None)


def _build_budget(config: ProviderConfig, store: Store) -> BudgetKeeper | None:
    """Build the budget of a configuration. Raises ProviderError for US dollars without prices."""
    budget, price = config.budget, config.price
    if budget is None:
        return None
    if budget.usd is None or price is not None:
        return BudgetKeeper(budget, store, lambda _: price)
    if find_spec("genai_prices") is None:
        message = "a budget in US dollars requires prices: pass price=, or pip install 'victor-fp[prices]'"
        raise error_from(InvalidRequest(provider=config.provider_name, message=message))
    return BudgetKeeper(budget, store, lambda address: None if address is None else price_at(address))


def _create_provider(config: ProviderConfig) -> BaseProvider:
    """Create a provider without its own retries, if its constructor supports this."""
    kind = ProviderRegistry.get(config.provider_name)
    is_http = can_run_on_http(kind)
    keywords = HiddenValuesDict[Any](_filter_accepted(kind, {"timeout": config.timeout}) | config.extra_kwargs)
    if not is_http:
        keywords.update(_filter_accepted(kind, {"max_retries": 0}))
    if isinstance(config.api_key, SecretStr):
        # A custom class may use the key in a header unchanged.
        keywords["api_key"] = config.api_key if is_http else config.api_key.get_secret_value()
    if config.base_url is not None:
        keywords["base_url"] = config.base_url
    return kind(**keywords)


def _filter_accepted(kind: type[BaseProvider], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return those of our keywords that a constructor accepts."""
    parameters = signature(kind).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return keywords
    return {name: value for name, value in keywords.items() if name in parameters}


def _build_target(config: ProviderConfig, provider: BaseProvider, *, is_wrapped: bool) -> Target:
    timeout = config.timeout
    if is_wrapped and timeout is DEFAULT_TIMEOUT:
        timeout = getattr(provider, "timeout", DEFAULT_TIMEOUT)
        if problem := find_timeout_problem(timeout):
            raise error_from(InvalidRequest(provider=config.provider_name, message=problem))
    health = HealthGauge()
    breaker = _choose_breaker(config)
    return Target(
        backend=choose_backend(provider, replaces_breaker=breaker is not None),
        model=config.model or getattr(provider, "default_model", None) or "",
        options=dict(config.options),
        timeout=min(float(timeout), MAX_SECONDS),
        retries=_choose_retries(config),
        breaker=breaker,
        limits=_choose_limits(config),
        queue=config.queue_config or QueuePolicy(),
        waits_for_breaker=config.on_circuit_open == "wait",
        health=health,
        on_attempt=health.observe,
        in_flight=find_in_flight(provider) if is_wrapped else None,
    )


def _choose_retries(config: ProviderConfig) -> RetryPolicy:
    if not config.enable_resilience:
        return NO_RETRIES
    given = config.extra_kwargs.get("max_retries", RetryPolicy().max_retries)
    return config.retry_config or RetryPolicy(max_retries=given)


def _choose_breaker(config: ProviderConfig) -> BreakerPolicy | None:
    """Return the policy of the configuration, or one from the keywords of BaseProvider."""
    extra, usual = config.extra_kwargs, BreakerPolicy()
    if not config.enable_resilience or not extra.get("use_circuit_breaker", True):
        return None
    return config.circuit_breaker_config or BreakerPolicy(
        failure_threshold=extra.get("circuit_breaker_failure_threshold", usual.failure_threshold),
        recovery_timeout=extra.get("circuit_breaker_recovery_timeout", usual.recovery_timeout),
    )


def _choose_limits(config: ProviderConfig) -> Limits | None:
    if not config.enable_rate_limiting:
        return None
    limits = config.concurrency_config or UNLIMITED
    if isinstance(limits, str):
        if limits not in PRESETS:
            message = f"unknown preset of rate limits {limits!r}; presets: {', '.join(sorted(PRESETS))}"
            raise error_from(InvalidRequest(provider=config.provider_name, message=message))
        limits = PRESETS[limits]
    if config.num_workers is None:
        return limits
    at_a_time = config.num_workers if limits.concurrency is None else min(config.num_workers, limits.concurrency)
    return structs.replace(limits, concurrency=at_a_time)
