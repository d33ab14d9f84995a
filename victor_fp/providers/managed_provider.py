"""ManagedProvider: one provider over several targets with rate limits, breakers, retries and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace
from returns.result import Result, Success
from typing_extensions import Unpack

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import Fault
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.result import outcome
from victor_fp.core.telemetry.stats import BudgetStats, ProviderMetrics, RateLimitStats, ResilienceStats
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import (
    ChatStream,
    build_chat_spec,
    build_embed_spec,
    build_rerank_spec,
    complete,
    stream_items,
)
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.custom_provider import CustomProvider
from victor_fp.providers.errors import unwrap_or_raise
from victor_fp.providers.managed_config import EVEN_SHARES, ProviderConfig, build_pool
from victor_fp.providers.provider import Provider
from victor_fp.providers.provider_backend import CAPABILITIES, ProviderBackend, count_own_tokens, is_overridden
from victor_fp.providers.retrieval import run_embedding, run_ranking
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.backend import Kind
from victor_fp.shell.engine.batches import BatchClient
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.http_backend import TOKEN_COUNT
from victor_fp.shell.engine.in_flight import InFlight
from victor_fp.shell.engine.model_list import list_models
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.stats import (
    collect_limits,
    collect_metrics,
    collect_resilience,
    describe_breaker,
    is_healthy,
    is_open,
)
from victor_fp.shell.engine.target import TargetPool, reset_breaker
from victor_fp.shell.engine.telemetry import Observer
from victor_fp.shell.store import Store

if TYPE_CHECKING:
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.retrieval.vectors import Purpose

T = TypeVar("T")


class ManagedProvider(Provider):
    """A provider with retries, breakers, rate limits, a queue, fallbacks and metrics.

    Created by `ManagedProviderFactory`, or for an existing provider:

        managed = ManagedProvider(base_provider=provider, config=ProviderConfig("openai", "gpt-5.1"))

    `model` is optional in all calls; the default is the configured one. Fallbacks always use their own model and
    options.
    """

    def __init__(
        self,
        base_provider: BaseProvider | None = None,
        config: ProviderConfig | None = None,
        *,
        fallback_policy: FallbackPolicy = EVEN_SHARES,
        store: Store | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        """`base_provider` is closed together with this provider; without one, the provider of `config` is created.

        Without `config`, default settings are used, with the provider's `default_model`, if it has one.
        """
        self._providers: tuple[BaseProvider, ...] = ()
        if config is None:
            if base_provider is None:
                raise TypeError("ManagedProvider requires base_provider= or config=")
            default = getattr(base_provider, "default_model", None)
            spec = getattr(base_provider, "SPEC", None)
            model = default if isinstance(default, str) else getattr(spec, "default_model", None)
            config = ProviderConfig(base_provider.name, model or "")
        if isinstance(base_provider, CustomProvider):
            base_provider = base_provider.provider  # its retries would multiply with those of this provider
        providers, pool = build_pool(
            config, base_provider=base_provider, policy=fallback_policy, store=store, observers=observers
        )
        self._providers = tuple(providers)
        self._pool = pool
        super().__init__(
            base_url=getattr(providers[0], "base_url", None),
            timeout=pool.targets[0].timeout,
            max_retries=pool.targets[0].retries.max_retries,
            use_circuit_breaker=False,
        )

    @property
    def name(self) -> str:
        """The first provider's name."""
        return self._providers[0].name if self._providers else ""

    @property
    def engine_pool(self) -> TargetPool:
        """The targets of calls."""
        return self._pool

    @property
    def in_flight(self) -> InFlight:
        """Operations in flight."""
        return self._pool.in_flight

    @property
    def model(self) -> str:
        """The configured model."""
        return self._pool.targets[0].model

    @property
    def provider(self) -> BaseProvider:
        """The first provider; calls of its methods bypass limits, retries and fallbacks."""
        return self._providers[0]

    def supports_tools(self) -> bool:
        """Return the value of the first provider."""
        return self.provider.supports_tools()

    def supports_streaming(self) -> bool:
        """Return the value of the first provider."""
        return self.provider.supports_streaming()

    def choose_background_pool(self, provider: str | None) -> TargetPool | None:
        """Return all targets, or the first target of `provider`."""
        if provider is None:
            return self._pool
        target = next((one for one in self._pool.targets if one.backend.name == provider), None)
        return None if target is None else TargetPool((target,), store=self._pool.store, runtime=self._pool.runtime)

    async def discover_capabilities(self, model: str | None = None) -> ProviderRuntimeCapabilities:
        """Return the capabilities reported by the first provider, with retries and rate limit."""
        provider, requested = self.provider, model or self.model
        if isinstance(provider, CatalogueProvider) and not is_overridden(provider, "discover_capabilities"):
            return await provider.discover_on(self._choose_pool(), requested)
        return unwrap_or_raise(await self._ask(CAPABILITIES, "discover_capabilities", CallSpec(model=requested)))

    async def list_models(self) -> list[ModelInfo]:
        """Return the models of the first provider, with retries and rate limit. Raises ProviderError."""
        return unwrap_or_raise(await self.list_models_result())

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """Return the models of the first provider, with retries and rate limit."""
        return await list_models(self._choose_pool("list_models"), CallSpec())

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """Return the first provider's count: the vendor's if a model is given and it is supported, else an estimate.

        Raises ProviderError if the first provider's class has a count of its own, which fails.
        """
        if is_overridden(self.provider, "count_tokens"):
            return await count_own_tokens(self._choose_pool("count_tokens"), text, model)
        if model is None or not isinstance(self.provider, CatalogueProvider):
            return await super().count_tokens(text)
        spec = CallSpec(messages=(Message(role="user", content=text),), model=model)
        match outcome(await self._ask(TOKEN_COUNT, "count_tokens", spec)):
            case Success(int(count)):
                return count
            case _:
                return await super().count_tokens(text)

    async def open_batches(self) -> Result[BatchClient, Fault]:
        """Return the first provider's batch API, with retries, rate limit and budget."""
        if isinstance(self.provider, CatalogueProvider):
            opened = await self.provider.open_batches_on(self._choose_pool())
        else:
            opened = await self.provider.open_batches()
        return opened.map(lambda client: replace(client, budget=self._pool.budget))

    async def _ask(self, kind: Kind[T], method: str, spec: CallSpec) -> Result[T, Fault]:
        """Run an operation other than a chat at the first provider."""
        return await Operation(self._choose_pool(method), kind, spec).result()

    def _choose_pool(self, method: str | None = None) -> TargetPool:
        """Return a pool of the first target only. An overridden method is called instead of the backend."""
        target = replace(self._pool.targets[0], health=None, on_attempt=None)  # only chats count
        if method is not None and is_overridden(self.provider, method):
            target = replace(target, backend=ProviderBackend(self.provider, replaces_retries=True))
        elif isinstance(self.provider, CatalogueProvider):
            target = replace(target, backend=self.provider.backend)
        pool = self._pool
        return TargetPool((target,), store=pool.store, runtime=pool.runtime, in_flight=pool.in_flight)

    async def chat(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Complete a chat. Raises ProviderError."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=False)
        return unwrap_or_raise(await complete(self._pool, spec))

    async def chat_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[CompletionResponse, Fault]:
        """Complete a chat."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=False)
        return await complete(self._pool, spec)

    def stream(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError during iteration."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=True)
        return ChatStream(stream_items(self._pool, spec))

    def stream_chat(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Alias of `stream`."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=True)
        return ChatStream(stream_items(self._pool, spec))

    def stream_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, which is the last item."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=True)
        return ChatStream(stream_items(self._pool, spec, as_results=True))

    async def embed(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        texts: Sequence[str] | str,
        *,
        model: str | None = None,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts; the vectors are in the order of the texts. All vectors of a response are from one model.

        Raises ProviderError.
        """
        return unwrap_or_raise(
            await self.embed_result(
                texts, model=model, dimensions=dimensions, purpose=purpose, priority=priority, **kwargs
            )
        )

    async def embed_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        texts: Sequence[str] | str,
        *,
        model: str | None = None,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[EmbedOptions],
    ) -> Result[EmbeddingResponse, Fault]:
        """Embed texts."""
        spec = build_embed_spec(
            self.name, texts, kwargs, model=model, dimensions=dimensions, purpose=purpose, priority=priority
        )
        return await run_embedding(self._pool, spec)

    async def rerank(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str | None = None,
        top_n: int | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[RerankOptions],
    ) -> RerankResponse:
        """Rank documents by their relevance to a query. Raises ProviderError."""
        return unwrap_or_raise(
            await self.rerank_result(query, documents, model=model, top_n=top_n, priority=priority, **kwargs)
        )

    async def rerank_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str | None = None,
        top_n: int | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Rank documents by their relevance to a query."""
        spec = build_rerank_spec(self.name, query, documents, kwargs, model=model, top_n=top_n, priority=priority)
        return await run_ranking(self._pool, spec)

    def get_metrics(self) -> ProviderMetrics | None:
        """Return totals, percentiles over the window, and recent operations; None if metrics are disabled."""
        return collect_metrics(self._pool)

    def get_resilience_stats(self) -> ResilienceStats | None:
        """Return breakers, health and successes by target; None without resilience and fallbacks."""
        return collect_resilience(self._pool)

    def get_rate_limit_stats(self) -> RateLimitStats | None:
        """Return limits and queues of each target and model; None if rate limiting is disabled.

        The statistics of the first target and its configured model are also at the top level.
        """
        return collect_limits(self._pool.targets)

    def get_budget_stats(self) -> BudgetStats | None:
        """Return limit, spent and reserved for each bound of the budget; None without a budget."""
        return None if self._pool.budget is None else self._pool.budget.build_stats()

    def reset_budget(self) -> None:
        """Set the spent amounts of the budget to zero, for all that share it."""
        if self._pool.budget is not None:
            self._pool.budget.reset()

    def is_healthy(self) -> bool:
        """Return whether a call is likely to succeed at the first target or a fallback, judged from traffic."""
        return any(is_healthy(target, self._pool) for target in self._pool.targets)

    def is_circuit_open(self) -> bool:
        """Return whether the circuit breaker of the first target is open."""
        return is_open(self._pool.targets[0], self._pool)

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """Return the statistics of the first target's breaker; None if it is disabled."""
        stats = describe_breaker(self._pool.targets[0], self._pool)
        return None if stats is None else {**stats}

    def reset_circuit_breaker(self) -> None:
        """Close all breakers."""
        for target in self._pool.targets:
            for state in target.states.values():
                state.breaker.post(reset_breaker, None, lambda _: None)

    async def shutdown(self) -> None:
        """Reject waiting calls, release all resources and close all providers. Idempotent."""
        self._pool.in_flight.interrupt("the provider was shut down")
        await self._pool.store.drain()
        for provider in self._providers:
            await provider.close()

    async def close(self) -> None:
        """Alias of `shutdown`."""
        await self.shutdown()

    def _build_spec(
        self,
        messages: Messages,
        options: ChatOptions,
        model: str | None,
        temperature: float | None,
        max_tokens: int | None,
        tools: ToolsInput | None,
        priority: Priority,
        *,
        stream: bool,
    ) -> Result[CallSpec, Fault]:
        return build_chat_spec(
            self._pool.plan[0].provider,
            messages,
            options,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=stream,
            priority=priority,
        )
