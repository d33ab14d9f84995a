"""ManagedProvider: one provider to its caller, and behind it several targets with limits, breakers, retries and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from returns.result import Result, Success
from typing_extensions import Unpack

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault
from victor_fp.core.options import ChatOptions
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.result import outcome
from victor_fp.core.stats import ProviderMetrics, RateLimitStats, ResilienceStats
from victor_fp.core.types import CompletionResponse, Message, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.catalogue_provider import CatalogueProvider
from victor_fp.providers.chat_stream import ChatStream, complete, stream_chunks, stream_results
from victor_fp.providers.errors import unwrap_or_raise
from victor_fp.providers.managed_config import EVEN_SHARES, ProviderConfig, build_pool
from victor_fp.providers.provider import Provider
from victor_fp.providers.provider_backend import CAPABILITIES, ProviderBackend, is_overridden
from victor_fp.providers.retrieval import run_embedding, run_ranking
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.backend import Kind
from victor_fp.shell.engine.batches import BatchClient
from victor_fp.shell.engine.call_spec import CallSpec, build_chat_spec, build_embed_spec, build_rerank_spec
from victor_fp.shell.engine.in_flight import InFlight
from victor_fp.shell.engine.kinds import TOKEN_COUNT
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
    from victor_fp.core.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.vectors import Purpose

T = TypeVar("T")


class ManagedProvider(Provider):
    """A provider with retries, breakers, rate limits, a queue, fallbacks and metrics.

    Made by `ManagedProviderFactory`, or around a provider that exists:

        managed = ManagedProvider(base_provider=provider, config=ProviderConfig("openai", "gpt-5.1"))

    `model` may be left out of every call: the configured one is used. A fallback always uses its own model and options.
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
        """`base_provider` is used as it is and closed with this provider; without one, `config` says what to create.

        Without a `config` the usual settings manage the provider, and its `default_model`, if it has one, is the model.
        """
        self._providers: tuple[BaseProvider, ...] = ()
        if config is None:
            if base_provider is None:
                raise TypeError("ManagedProvider needs base_provider= or config=")
            own = getattr(base_provider, "default_model", None)
            spec = getattr(base_provider, "SPEC", None)
            model = own if isinstance(own, str) else getattr(spec, "default_model", None)
            config = ProviderConfig(base_provider.name, model or "")
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
        """The targets that calls run on."""
        return self._pool

    @property
    def in_flight(self) -> InFlight:
        """Operations that are not over."""
        return self._pool.in_flight

    @property
    def model(self) -> str:
        """The configured model."""
        return self._pool.targets[0].model

    @property
    def provider(self) -> BaseProvider:
        """The first provider itself: calls made on it pass by everything that is managed."""
        return self._providers[0]

    def supports_tools(self) -> bool:
        """As the first provider says."""
        return self.provider.supports_tools()

    def supports_streaming(self) -> bool:
        """As the first provider says."""
        return self.provider.supports_streaming()

    def choose_background_pool(self, provider: str | None) -> TargetPool | None:
        """All targets to start at, or the first one that is the provider's."""
        if provider is None:
            return self._pool
        target = next((one for one in self._pool.targets if one.backend.name == provider), None)
        return None if target is None else TargetPool((target,), store=self._pool.store, runtime=self._pool.runtime)

    async def discover_capabilities(self, model: str | None = None) -> ProviderRuntimeCapabilities:
        """What the first provider finds out, with retries and under the rate limit."""
        provider, wanted = self.provider, model or self.model
        if isinstance(provider, CatalogueProvider) and not is_overridden(provider, "discover_capabilities"):
            return await provider.discover_on(self._choose_pool(), wanted)
        return unwrap_or_raise(await self._ask(CAPABILITIES, "discover_capabilities", CallSpec(model=wanted)))

    async def list_models(self) -> list[ModelInfo]:
        """The models that the first provider offers, with retries and under the rate limit. Raises ProviderError."""
        return unwrap_or_raise(await self.list_models_result())

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """The models that the first provider offers, with retries and under the rate limit."""
        return await list_models(self._choose_pool("list_models"), CallSpec())

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """The first provider's count: the vendor's own where a model is named and the vendor counts, else an estimate."""
        if model is None or not isinstance(self.provider, CatalogueProvider):
            return await self.provider.count_tokens(text)
        spec = CallSpec(messages=(Message(role="user", content=text),), model=model)
        match outcome(await self._ask(TOKEN_COUNT, "count_tokens", spec)):
            case Success(int(count)):
                return count
            case _:
                return await super().count_tokens(text)

    async def open_batches(self) -> Result[BatchClient, Fault]:
        """The first provider's batch API, with retries and under the rate limit."""
        if isinstance(self.provider, CatalogueProvider):
            return await self.provider.open_batches_on(self._choose_pool())
        return await self.provider.open_batches()

    async def _ask(self, kind: Kind[T], method: str, spec: CallSpec) -> Result[T, Fault]:
        """Ask the first provider something that is no chat."""
        return await Operation(self._choose_pool(method), kind, spec).result()

    def _choose_pool(self, method: str | None = None) -> TargetPool:
        """The first target alone. A method that a class overrides is called as it is."""
        target = self._pool.targets[0]
        if method is not None and is_overridden(self.provider, method):
            target = replace(target, backend=ProviderBackend(self.provider))
        elif isinstance(self.provider, CatalogueProvider):
            target = replace(target, backend=self.provider.backend)
        pool = self._pool
        return TargetPool((target,), store=pool.store, runtime=pool.runtime, in_flight=pool.in_flight)

    async def chat(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
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

    async def chat_result(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
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

    def stream(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
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
        """Stream a chat completion. Raises ProviderError while it is iterated."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=True)
        return ChatStream(stream_chunks(self._pool, spec))

    def stream_chat(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
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
        """Another name for `stream`."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=True)
        return ChatStream(stream_chunks(self._pool, spec))

    def stream_result(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
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
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, priority, stream=True)
        return ChatStream(stream_results(self._pool, spec))

    async def embed(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        texts: Sequence[str] | str,
        *,
        model: str | None = None,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts: a vector for each, in their order. All vectors of a response are of one target's model.

        Raises ProviderError.
        """
        return unwrap_or_raise(
            await self.embed_result(
                texts, model=model, dimensions=dimensions, purpose=purpose, priority=priority, **kwargs
            )
        )

    async def embed_result(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
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

    async def rerank(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str | None = None,
        top_n: int | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[RerankOptions],
    ) -> RerankResponse:
        """Order documents by their relevance to a query. Raises ProviderError."""
        return unwrap_or_raise(
            await self.rerank_result(query, documents, model=model, top_n=top_n, priority=priority, **kwargs)
        )

    async def rerank_result(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str | None = None,
        top_n: int | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Order documents by their relevance to a query."""
        spec = build_rerank_spec(self.name, query, documents, kwargs, model=model, top_n=top_n, priority=priority)
        return await run_ranking(self._pool, spec)

    def get_metrics(self) -> ProviderMetrics | None:
        """Totals, percentiles over the window, and the last operations; None where metrics are switched off."""
        return collect_metrics(self._pool)

    def get_resilience_stats(self) -> ResilienceStats | None:
        """Breakers, health and who answered; None where resilience is switched off and there is nowhere to fall back."""
        return collect_resilience(self._pool)

    def get_rate_limit_stats(self) -> RateLimitStats | None:
        """Limits, permits and lines of each target and model; None where rate limiting is switched off.

        The first target's figures for its configured model also stand at the top.
        """
        return collect_limits(self._pool.targets)

    def get_budget_stats(self) -> dict[str, dict[str, float | None]] | None:
        """Limit, spent and reserved of each measure of the budget; None where there is none."""
        return None if self._pool.budget is None else self._pool.budget.build_stats()

    def reset_budget(self) -> None:
        """Begin again with nothing spent, for everybody who shares the budget."""
        if self._pool.budget is not None:
            self._pool.budget.reset()

    def is_healthy(self) -> bool:
        """Whether a call made now is likely to be answered, by the first target or one behind it, as real traffic shows."""
        return any(is_healthy(target, self._pool) for target in self._pool.targets)

    def is_circuit_open(self) -> bool:
        """Whether calls to the first target fail fast right now."""
        return is_open(self._pool.targets[0], self._pool)

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """The first target's breaker, or None where it is switched off."""
        stats = describe_breaker(self._pool.targets[0], self._pool)
        return None if stats is None else {**stats}

    def reset_circuit_breaker(self) -> None:
        """Close all breakers by hand."""
        for target in self._pool.targets:
            for state in target.states.values():
                state.breaker.post(reset_breaker, lambda _: None)

    async def shutdown(self) -> None:
        """Send away those who wait, give everything back and close all providers. Harmless when done twice."""
        self._pool.in_flight.interrupt("the provider was shut down")
        for target in self._pool.targets:
            target.close()
        await self._pool.store.drain()
        for provider in self._providers:
            await provider.close()

    async def close(self) -> None:
        """Another name for `shutdown`."""
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
            self.name,
            messages,
            options,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=stream,
            priority=priority,
        )
