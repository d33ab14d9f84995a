"""Synchronous providers: the methods of asynchronous providers, run in the background loop of the process.

`tests/providers/test_sync_signatures.py` compares the signatures of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from returns.result import Result
from typing_extensions import Unpack

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import Fault
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.telemetry.stats import BudgetStats, ProviderMetrics, RateLimitStats, ResilienceStats
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.custom_provider import accept_provider
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.providers.sync_background import SyncBackgroundMethods
from victor_fp.providers.sync_batches import SyncBatchMethods
from victor_fp.providers.sync_chat import SyncChat, call_in_loop, run_or_raise, run_result
from victor_fp.providers.sync_stream import SyncStream
from victor_fp.shell.background_loop import LoopUnavailable, run

if TYPE_CHECKING:
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.retrieval.vectors import Purpose


class SyncProvider(SyncChat, SyncBackgroundMethods, SyncBatchMethods):
    """A synchronous provider.

        with create("openai/gpt-5-mini") as provider:
            print(provider.chat("Name three colours.").content)

    It can be shared by threads, used while an event loop is running, and used in a forked child process. For an
    existing provider: `SyncProvider(provider)`.
    """

    def __init__(self, provider: BaseProvider) -> None:
        self._accepting = accept_provider(provider)
        super().__init__(self._accepting)
        self._provider = provider

    @property
    def provider(self) -> BaseProvider:
        """The underlying asynchronous provider."""
        return self._provider

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def default_model(self) -> str | None:
        """The model of calls that name none."""
        return self._provider.default_model

    def stream_chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> SyncStream[StreamChunk]:
        """Alias of `stream`."""
        return self.stream(messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs)

    def embed(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts; the vectors are in the order of the texts. Raises ProviderError."""
        return run_or_raise(self._accepting.embed(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs))

    def embed_result(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> Result[EmbeddingResponse, Fault]:
        """Embed texts."""
        return run_result(
            self._accepting.embed_result(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs)
        )

    def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> RerankResponse:
        """Rank documents by their relevance to a query. Raises ProviderError."""
        return run_or_raise(self._accepting.rerank(query, documents, model=model, top_n=top_n, **kwargs))

    def rerank_result(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Rank documents by their relevance to a query."""
        return run_result(self._accepting.rerank_result(query, documents, model=model, top_n=top_n, **kwargs))

    def supports_tools(self) -> bool:
        """Return whether tools can be passed."""
        return self._provider.supports_tools()

    def supports_streaming(self) -> bool:
        """Return whether `stream` is supported."""
        return self._provider.supports_streaming()

    def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """Return the capabilities of a model, as reported by the vendor over HTTP, else as configured."""
        return run_or_raise(self._accepting.discover_capabilities(model))

    def list_models(self) -> list[ModelInfo]:
        """Return the available models. Raises ProviderError."""
        return run_or_raise(self._accepting.list_models())

    def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """Return the available models."""
        return run_result(self._accepting.list_models_result())

    def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """Return the vendor's count if a model is given and the vendor supports it, else an estimate."""
        return run_or_raise(self._accepting.count_tokens(text, model=model))

    def is_circuit_open(self) -> bool:
        """Return whether the circuit breaker is open."""
        return call_in_loop(self._provider.is_circuit_open)

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """Return the breaker's statistics; None if it is disabled. `last_failure_time` is Unix time."""
        return call_in_loop(self._provider.get_circuit_breaker_stats)

    def reset_circuit_breaker(self) -> None:
        """Close the breaker."""
        call_in_loop(self._provider.reset_circuit_breaker)

    def close(self) -> None:
        """End open streams with a fault and close the connections; a client passed to the constructor stays open."""
        with suppress(LoopUnavailable):  # at exit the loop has closed everything
            run(self._accepting.close())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} around {self._provider!r}>"


class SyncManagedProvider(SyncProvider):
    """A synchronous managed provider; created by `create_managed`, or for an existing managed provider."""

    def __init__(self, provider: ManagedProvider) -> None:
        super().__init__(provider)
        self._managed = provider

    @property
    def provider(self) -> ManagedProvider:
        """The underlying asynchronous provider."""
        return self._managed

    @property
    def model(self) -> str:
        """The configured model."""
        return self._managed.model

    def chat(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
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
        return run_or_raise(
            self._managed.chat(
                messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                priority=priority,
                **kwargs,
            )
        )

    def chat_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
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
        return run_result(
            self._managed.chat_result(
                messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                priority=priority,
                **kwargs,
            )
        )

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
    ) -> SyncStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError during iteration."""
        return SyncStream(
            self._managed.stream(
                messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                priority=priority,
                **kwargs,
            )
        )

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
    ) -> SyncStream[StreamChunk]:
        """Alias of `stream`."""
        return self.stream(
            messages,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            priority=priority,
            **kwargs,
        )

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
    ) -> SyncStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, which is the last item."""
        return SyncStream(
            self._managed.stream_result(
                messages,
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=tools,
                priority=priority,
                **kwargs,
            ),
            are_results=True,
        )

    def embed(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
        self,
        texts: Sequence[str] | str,
        *,
        model: str | None = None,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts; the vectors are in the order of the texts. Raises ProviderError."""
        return run_or_raise(
            self._managed.embed(texts, model=model, dimensions=dimensions, purpose=purpose, priority=priority, **kwargs)
        )

    def embed_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
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
        return run_result(
            self._managed.embed_result(
                texts, model=model, dimensions=dimensions, purpose=purpose, priority=priority, **kwargs
            )
        )

    def rerank(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
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
        return run_or_raise(
            self._managed.rerank(query, documents, model=model, top_n=top_n, priority=priority, **kwargs)
        )

    def rerank_result(  # pyright: ignore[reportIncompatibleMethodOverride]  additional keyword: priority
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
        return run_result(
            self._managed.rerank_result(query, documents, model=model, top_n=top_n, priority=priority, **kwargs)
        )

    def discover_capabilities(self, model: str | None = None) -> ProviderRuntimeCapabilities:
        """Return the capabilities reported by the first provider, with retries and rate limit."""
        return run_or_raise(self._managed.discover_capabilities(model))

    def get_metrics(self) -> ProviderMetrics | None:
        """Return totals, percentiles over the window, and recent operations; None if metrics are disabled."""
        return call_in_loop(self._managed.get_metrics)

    def get_resilience_stats(self) -> ResilienceStats | None:
        """Return breakers, health and successes by target; None without resilience and fallbacks."""
        return call_in_loop(self._managed.get_resilience_stats)

    def get_rate_limit_stats(self) -> RateLimitStats | None:
        """Return limits and queues of each target and model; None if rate limiting is disabled.

        The statistics of the first target and its configured model are also at the top level.
        """
        return call_in_loop(self._managed.get_rate_limit_stats)

    def get_budget_stats(self) -> BudgetStats | None:
        """Return limit, spent and reserved for each bound of the budget; None without a budget."""
        return call_in_loop(self._managed.get_budget_stats)

    def reset_budget(self) -> None:
        """Set the spent amounts of the budget to zero, for all that share it."""
        call_in_loop(self._managed.reset_budget)

    def is_healthy(self) -> bool:
        """Return whether a call is likely to succeed at the first target or a fallback, judged from traffic."""
        return call_in_loop(self._managed.is_healthy)

    def shutdown(self) -> None:
        """Reject waiting calls, release all resources and close all providers. Idempotent."""
        self.close()
