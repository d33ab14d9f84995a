"""Synchronous providers: the same names, methods and results, for scripts, notebooks, threads and forked workers.

    from victor_fp.sync import create

    with create("openai/gpt-5-mini") as provider:
        print(provider.chat("Name three colours.").content)
        for chunk in provider.stream("Tell me a short story."):
            print(chunk.content, end="", flush=True)

All calls run in one event loop, which starts with the first call and ends with the process. A forked child starts its own.
`run` runs any other coroutine of this package in that loop. `run_job` and `embed_rows` are the
synchronous versions of the functions in `victor_fp.jobs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from victor_fp.core.resilience.breaker import BreakerPolicy
from victor_fp.core.resilience.budget import Budget
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import QueuePolicy
from victor_fp.core.resilience.rate_limit import Limits
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.security.secrets import HiddenValuesDict, to_secret
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.core.usage.cost import Price
from victor_fp.providers.factory import ManagedProviderFactory
from victor_fp.providers.managed_config import EVEN_SHARES, OnCircuitOpen, ProviderConfig
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.providers.sync_chat import run_or_raise
from victor_fp.providers.sync_provider import SyncManagedProvider, SyncProvider
from victor_fp.providers.sync_stream import SyncStream
from victor_fp.shell.background_loop import run
from victor_fp.shell.engine.telemetry import Observer
from victor_fp.shell.store import Store

if TYPE_CHECKING:
    from victor_fp.agent.sync_manager import SyncProviderManager
    from victor_fp.agent.tools import Tool
    from victor_fp.jobs.sync_run import SyncJobRun, embed_rows, run_job

__all__ = [
    "SyncJobRun",
    "SyncManagedProvider",
    "SyncProvider",
    "SyncProviderManager",
    "SyncStream",
    "create",
    "create_from_config",
    "create_managed",
    "embed_rows",
    "run",
    "run_job",
    "run_tools",
]


def create(name: str, **kwargs: Any) -> SyncProvider:
    """Create a provider by name with the keyword arguments of its constructor; "openai/gpt-5-mini" also sets its model.

    Raises ProviderNotFoundError.
    """
    return SyncProvider(ProviderRegistry.create(name, **HiddenValuesDict(kwargs)))


def create_managed(
    provider_name: str,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    base_url: str | None = None,
    timeout: float = 120.0,
    enable_resilience: bool = True,  # noqa: FBT001, FBT002  as ManagedProviderFactory.create
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
) -> SyncManagedProvider:
    """Create a managed provider: retries, breaker, rate limits, fallbacks and metrics; see `ManagedProviderFactory.create`.

    Raises ProviderNotFoundError.
    """
    api_key, kwargs = to_secret(api_key), HiddenValuesDict(kwargs)  # a traceback with local variables shows no key
    making = ManagedProviderFactory.create(
        provider_name,
        model,
        api_key,
        base_url,
        timeout,
        enable_resilience,
        enable_rate_limiting,
        enable_metrics,
        fallback_configs,
        rate_limits=rate_limits,
        queue=queue,
        circuit_breaker=circuit_breaker,
        retry=retry,
        fallback_policy=fallback_policy,
        on_circuit_open=on_circuit_open,
        budget=budget,
        price=price,
        store=store,
        observers=observers,
        **kwargs,
    )
    return SyncManagedProvider(run_or_raise(making))


def create_from_config(
    config: ProviderConfig,
    *,
    fallback_policy: FallbackPolicy = EVEN_SHARES,
    store: Store | None = None,
    observers: Sequence[Observer] = (),
) -> SyncManagedProvider:
    """Create a managed provider from a configuration."""
    making = ManagedProviderFactory.create_from_config(
        config, fallback_policy=fallback_policy, store=store, observers=observers
    )
    return SyncManagedProvider(run_or_raise(making))


def run_tools(
    response: CompletionResponse | StreamChunk, tools: Sequence[Tool], *, timeout: float | None = None
) -> list[Message]:
    """Run the tool calls of a response or final chunk concurrently; return the result messages in the order of the calls.

    A failed call results in a message with `is_error`; see `victor_fp.run_tools`.
    """
    from victor_fp.agent.tools import run_tools as run_tools_async

    return run(run_tools_async(response, tools, timeout=timeout))


def __getattr__(name: str) -> object:
    if name == "SyncProviderManager":  # the modules of managers are loaded on first use
        from victor_fp.agent.sync_manager import SyncProviderManager

        return SyncProviderManager
    if name in ("SyncJobRun", "embed_rows", "run_job"):  # and so are those of jobs
        from victor_fp.jobs import sync_run

        found: object = getattr(sync_run, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
