"""CustomProvider: wraps a user's provider class as a `Provider`; the class gets lists of messages and a model name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

from returns.result import Failure, Result, Success
from typing_extensions import Unpack

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.model_names import describe_missing_model
from victor_fp.core.options import ChatOptions
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.request_building.inputs import Messages, ToolsInput, read_messages, read_tools
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import ChatStream
from victor_fp.providers.errors import build_provider_fault, error_from, unwrap_or_raise
from victor_fp.providers.provider import Provider
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities

if TYPE_CHECKING:
    from victor_fp.core.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.vectors import Purpose
    from victor_fp.shell.engine.batches import BatchClient
    from victor_fp.shell.engine.target import TargetPool

T = TypeVar("T")


class Arguments(NamedTuple):
    """The arguments of a call to a custom class."""

    messages: list[Message]
    model: str
    tools: list[ToolDefinition] | None


class CustomProvider(Provider):
    """A provider that wraps an instance of a user's class and calls its methods with the arguments that it expects."""

    def __init__(self, provider: BaseProvider) -> None:
        super().__init__(base_url=getattr(provider, "base_url", None), use_circuit_breaker=False)
        self._provider = provider
        self.default_model = provider.default_model

    @property
    def provider(self) -> BaseProvider:
        """The instance of the class."""
        return self._provider

    @property
    def name(self) -> str:
        """The name of the provider."""
        return self._provider.name

    async def chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Complete a chat. Raises ProviderError."""
        given = unwrap_or_raise(self._read(messages, model, tools))
        options = _join_options(temperature, max_tokens, kwargs)
        return await self._provider.chat(given.messages, model=given.model, tools=given.tools, **options)

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
        match outcome(self._read(messages, model, tools)):
            case Failure(fault):
                return Failure(fault)
            case Success(given):
                options = _join_options(temperature, max_tokens, kwargs)
                return await self._provider.chat_result(given.messages, model=given.model, tools=given.tools, **options)

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
        match outcome(self._read(messages, model, tools)):
            case Failure(fault):
                return ChatStream(_raise(fault))
            case Success(given):
                options = _join_options(temperature, max_tokens, kwargs)
                chunks = self._provider.stream(given.messages, model=given.model, tools=given.tools, **options)
                return ChatStream(_pass_on(chunks))

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
        match outcome(self._read(messages, model, tools)):
            case Failure(fault):
                return ChatStream(_fail(fault))
            case Success(given):
                options = _join_options(temperature, max_tokens, kwargs)
                results = self._provider.stream_result(given.messages, model=given.model, tools=given.tools, **options)
                return ChatStream(_pass_on(results))

    async def embed(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts; return a vector for each, in their order. Raises ProviderError."""
        return await self._provider.embed(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs)

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
        return await self._provider.embed_result(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs)

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> RerankResponse:
        """Order documents by their relevance to a query. Raises ProviderError."""
        return await self._provider.rerank(query, documents, model=model, top_n=top_n, **kwargs)

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
        return await self._provider.rerank_result(query, documents, model=model, top_n=top_n, **kwargs)

    def supports_tools(self) -> bool:
        """Return whether tools can be passed."""
        return self._provider.supports_tools()

    def supports_streaming(self) -> bool:
        """Return whether `stream` is supported."""
        return self._provider.supports_streaming()

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """Return the capabilities of the model that the class reports."""
        return await self._provider.discover_capabilities(model)

    async def list_models(self) -> list[ModelInfo]:
        """Return the available models."""
        return await self._provider.list_models()

    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """Return the available models."""
        try:
            return Success(await self._provider.list_models())
        except Exception as error:  # any exception of the class is a failed call
            return Failure(build_provider_fault(self._provider, error, None))

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:  # noqa: ARG002  the class has no such parameter
        """Return the count of the class."""
        return await self._provider.count_tokens(text)

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
        """Close the instance of the class."""
        await self._provider.close()

    async def __aenter__(self) -> Self:
        await self._provider.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._provider.__aexit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} around {self._provider!r}>"

    def _read(self, messages: Messages, model: str | None, tools: ToolsInput | None) -> Result[Arguments, Fault]:
        name = self._provider.name
        chosen = model or self.default_model
        if not chosen:
            return Failure(InvalidRequest(provider=name, message=describe_missing_model(name)))
        conversation = read_messages(messages)
        definitions = () if tools is None else read_tools(tools)
        if isinstance(conversation, str) or isinstance(definitions, str):
            wrong = conversation if isinstance(conversation, str) else str(definitions)
            return Failure(InvalidRequest(provider=name, model=chosen, message=wrong))
        return Success(Arguments(list(conversation), chosen, None if tools is None else list(definitions)))


def _join_options(temperature: float | None, max_tokens: int | None, options: ChatOptions) -> dict[str, Any]:
    """Return all options, by the names of the class's parameters."""
    return {"temperature": temperature, "max_tokens": max_tokens, **options}


async def _pass_on(items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Yield the items of a stream, and close it together with this one."""
    if not hasattr(items, "aclose"):
        async for item in items:
            yield item
        return
    async with aclosing(cast("AsyncGenerator[T, None]", items)):
        async for item in items:
            yield item


async def _raise(fault: Fault) -> AsyncGenerator[StreamChunk, None]:
    """Return a stream that fails immediately."""
    raise error_from(fault)
    yield StreamChunk()


async def _fail(fault: Fault) -> AsyncGenerator[Result[StreamChunk, Fault], None]:
    """Return a stream of results with one failure."""
    yield Failure(fault)
