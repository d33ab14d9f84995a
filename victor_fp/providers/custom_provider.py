"""CustomProvider: wraps a user's provider class as a `Provider`, whose calls run on the engine."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from returns.result import Result
from typing_extensions import Unpack

from victor_fp.core.catalogue.spec import ModelInfo
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.resilience.bounds import MAX_SECONDS, find_count_problem, find_timeout_problem
from victor_fp.core.resilience.breaker import Breaker
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import (
    ChatStream,
    build_chat_spec,
    build_embed_spec,
    build_rerank_spec,
    complete,
    stream_items,
)
from victor_fp.providers.errors import error_from, unwrap_or_raise
from victor_fp.providers.provider import Provider
from victor_fp.providers.provider_backend import (
    CAPABILITIES,
    ProviderBackend,
    count_own_tokens,
    find_engine_pool,
    is_overridden,
)
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.in_flight import InFlight, find_in_flight
from victor_fp.shell.engine.model_list import list_models
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import ModelState, Target, TargetPool
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store.memory import MemoryCell

if TYPE_CHECKING:
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.retrieval.vectors import Purpose
    from victor_fp.shell.engine.batches import BatchClient


class CustomProvider(Provider):
    """A provider that wraps an instance of a user's class: a call runs on the engine, and each attempt calls a method.

    The class's `timeout`, `max_retries` and circuit breaker apply, as they do to a provider of the catalogue. The
    methods of the instance itself stay as they are.
    """

    def __init__(self, provider: BaseProvider) -> None:
        """Raises ProviderError if the class's `timeout` or `max_retries` is out of its bounds."""
        if problem := _find_problem(provider):
            raise error_from(InvalidRequest(provider=provider.name, message=problem))
        self._provider = provider
        self._pool = build_class_pool(provider, find_in_flight(provider))
        target = self._pool.targets[0]
        super().__init__(
            base_url=getattr(provider, "base_url", None),
            timeout=target.timeout,
            max_retries=target.retries.max_retries,
            use_circuit_breaker=False,  # the pool uses that of the class
        )
        self.default_model = provider.default_model

    def __reduce__(self) -> tuple[type[Self], tuple[BaseProvider], dict[str, Any]]:
        """Copy and pickle by the instance of the class: the targets are built anew."""
        return type(self), (self._provider,), {"default_model": self.default_model}

    @property
    def provider(self) -> BaseProvider:
        """The instance of the class; calls of its methods bypass retries and deadlines."""
        return self._provider

    @property
    def engine_pool(self) -> TargetPool:
        """The targets of calls."""
        return self._pool

    @property
    def in_flight(self) -> InFlight:
        """Operations in flight."""
        return self._pool.in_flight

    @property
    def name(self) -> str:
        """The name of the provider."""
        return self._provider.name

    async def chat_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[CompletionResponse, Fault]:
        """Complete a chat."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, stream=False)
        return await complete(self._pool, spec)

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError while it is iterated."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, stream=True)
        return ChatStream(stream_items(self._pool, spec))

    def stream_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        spec = self._build_spec(messages, kwargs, model, temperature, max_tokens, tools, stream=True)
        return ChatStream(stream_items(self._pool, spec, as_results=True))

    async def embed_result(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> Result[EmbeddingResponse, Fault]:
        """Embed texts."""
        from victor_fp.providers.retrieval import run_embedding

        spec = build_embed_spec(self.name, texts, kwargs, model=model, dimensions=dimensions, purpose=purpose)
        return await run_embedding(self._pool, spec)

    async def rerank_result(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Order documents by their relevance to a query."""
        from victor_fp.providers.retrieval import run_ranking

        spec = build_rerank_spec(self.name, query, documents, kwargs, model=model, top_n=top_n)
        return await run_ranking(self._pool, spec)

    def supports_tools(self) -> bool:
        """Return whether tools can be passed."""
        return self._provider.supports_tools()

    def supports_streaming(self) -> bool:
        """Return whether `stream` is supported."""
        return self._provider.supports_streaming()

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """Return the capabilities of the model that the class reports. Raises ProviderError."""
        return unwrap_or_raise(await Operation(self._pool, CAPABILITIES, CallSpec(model=model)).result())

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """Return the available models."""
        return await list_models(self._pool, CallSpec())

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:
        """Return the count of the class, or an estimate if it has none. Raises ProviderError."""
        if not is_overridden(self._provider, "count_tokens"):
            return await super().count_tokens(text)
        return await count_own_tokens(self._pool, text, model)

    def choose_background_pool(self, provider: str | None) -> TargetPool | None:
        """Return the targets of the class, if it has any."""
        return self._provider.choose_background_pool(provider)

    async def open_batches(self) -> Result[BatchClient, Fault]:
        """Return the batch API of the class, if it has one."""
        return await self._provider.open_batches()

    def is_circuit_open(self) -> bool:
        """Return whether the breaker rejects calls."""
        return self._provider.is_circuit_open()

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """Return statistics of the breaker; None if it is disabled."""
        return self._provider.get_circuit_breaker_stats()

    def reset_circuit_breaker(self) -> None:
        """Close the breaker manually."""
        self._provider.reset_circuit_breaker()

    async def close(self) -> None:
        """End open streams with a fault and close the instance of the class."""
        self._pool.in_flight.interrupt("the provider was closed")
        await self._provider.close()

    async def __aenter__(self) -> Self:
        await self._provider.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.in_flight.interrupt("the provider was closed")
        await self._provider.__aexit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} around {self._provider!r}>"

    def _build_spec(
        self,
        messages: Messages,
        options: ChatOptions,
        model: str | None,
        temperature: float | None,
        max_tokens: int | None,
        tools: ToolsInput | None,
        *,
        stream: bool,
    ) -> Result[CallSpec, Fault]:
        return build_chat_spec(
            self.name,
            messages,
            options,
            model=model or self.default_model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=stream,
        )


def accept_provider(provider: BaseProvider) -> Provider:
    """Return the provider; an instance of a user's class is wrapped. Raises as the constructor of `CustomProvider`."""
    return provider if isinstance(provider, Provider) else CustomProvider(provider)


def find_pool(provider: BaseProvider) -> TargetPool | None:
    """Return the targets of a provider or a class; None if a provider's chats do not run on the engine."""
    return find_engine_pool(provider) if isinstance(provider, Provider) else build_class_pool(provider)


def build_class_pool(provider: BaseProvider, in_flight: InFlight | None = None) -> TargetPool:
    """Build the targets of a class: one, with its `timeout`, `max_retries` and breaker.

    Each of them is missing if the constructor of the class does not call that of BaseProvider. Calls are counted in
    `in_flight`.
    """
    runtime: Runtime = getattr(provider, "_runtime", SYSTEM)
    breaker: MemoryCell[Breaker | None] | None = getattr(provider, "_breaker_cell", None)
    target = Target(
        backend=ProviderBackend(provider, replaces_breaker=True),
        model="",
        timeout=min(float(getattr(provider, "timeout", 60.0)), MAX_SECONDS),
        retries=RetryPolicy(max_retries=getattr(provider, "max_retries", RetryPolicy().max_retries)),
        shared_state=ModelState(breaker=breaker or MemoryCell(None, runtime.now), limiter=None),
    )
    return TargetPool((target,), runtime=runtime, in_flight=in_flight)


def _find_problem(provider: BaseProvider) -> str | None:
    """Return what is wrong with the numbers of a class; None if nothing is, or it has none."""
    timeout: object = getattr(provider, "timeout", 60.0)
    max_retries: object = getattr(provider, "max_retries", 0)
    return find_timeout_problem(timeout) or find_count_problem("max_retries", max_retries)
