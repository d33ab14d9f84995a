"""BaseProvider: the object API of all providers, built-in and custom."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import SecretStr
from typing_extensions import Unpack

from victor_fp.core.security.redaction import redact_url
from victor_fp.core.security.secrets import HiddenValuesDict, to_secret
from victor_fp.core.types import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_TEMPERATURE,
    AudioPart,
    CompletionResponse,
    FilePart,
    ImagePart,
    Message,
    StreamChunk,
    TextPart,
    ToolCall,
    ToolDefinition,
    Usage,
)
from victor_fp.providers.background_methods import BackgroundMethods
from victor_fp.providers.batch_methods import BatchMethods
from victor_fp.providers.errors import (
    CircuitOpenError,
    ProviderAuthenticationError,
    ProviderAuthError,
    ProviderConnectionError,
    ProviderError,
    ProviderInvalidResponseError,
    ProviderNotFoundError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    error_from,
    fault_from,
)
from victor_fp.providers.guarded import CircuitGuarded
from victor_fp.providers.protocols import (
    StreamingProvider,
    ToolCallingProvider,
    is_streaming_provider,
    is_tool_calling_provider,
)
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.catalogue.spec import ModelInfo
    from victor_fp.core.faults import Fault
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.retrieval.vectors import Purpose

T = TypeVar("T")

__all__ = [
    "AudioPart",
    "BaseProvider",
    "CircuitOpenError",
    "CompletionResponse",
    "FilePart",
    "ImagePart",
    "Message",
    "ProviderAuthError",
    "ProviderAuthenticationError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderInvalidResponseError",
    "ProviderNotFoundError",
    "ProviderRateLimitError",
    "ProviderRuntimeCapabilities",
    "ProviderTimeoutError",
    "StreamChunk",
    "StreamingProvider",
    "TextPart",
    "ToolCall",
    "ToolCallingProvider",
    "ToolDefinition",
    "Usage",
    "error_from",
    "fault_from",
    "is_streaming_provider",
    "is_tool_calling_provider",
]


class BaseProvider(CircuitGuarded, BackgroundMethods, BatchMethods, ABC):
    """Base class of all LLM providers.

    A custom provider implements `name`, `chat`, `stream` and `close`; everything else has a default. `chat` and
    `stream` raise `ProviderError`; `chat_result` and `stream_result` return Results, for any exception of `chat` and
    `stream`.

    A provider with a key can be copied, but pickling raises TypeError. One without a key can be pickled if its own
    attributes can.
    """

    default_model: str | None = None
    """The model of calls without a model through a manager, a managed provider or `victor_fp.sync`;
    `create("acme/model-1")` sets it. Built-in providers use it for all calls."""

    def __init__(
        self,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        timeout: float = 60,
        max_retries: int = 3,
        use_circuit_breaker: bool = True,  # noqa: FBT001, FBT002  public signature
        circuit_breaker_failure_threshold: int = 5,
        circuit_breaker_recovery_timeout: float = 30.0,
        **kwargs: Any,
    ) -> None:
        """Connections are opened on first use and closed by `close` or `async with`.

        `timeout` (seconds) applies to one attempt: in total for a call, between two reads for a stream. `max_retries`
        is the number of attempts after the first. The breaker opens after `circuit_breaker_failure_threshold`
        consecutive failures and probes again after `circuit_breaker_recovery_timeout` seconds.
        """
        self._secret = to_secret(api_key)
        self.base_url = base_url
        self.timeout = timeout
        self.max_retries = max_retries
        self.extra_config: dict[str, Any] = HiddenValuesDict(kwargs)
        CircuitGuarded.__init__(
            self,
            threshold=circuit_breaker_failure_threshold if use_circuit_breaker else None,
            recovery=circuit_breaker_recovery_timeout,
        )

    @property
    def api_key(self) -> str | None:
        """The key passed to the constructor."""
        return None if self._secret is None else self._secret.get_secret_value()

    @property
    @abstractmethod
    def name(self) -> str:
        """The provider's name, such as `anthropic`."""

    @abstractmethod
    async def chat(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Complete a chat. Raises ProviderError."""

    @abstractmethod
    def stream(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamChunk]:
        """Stream a chat completion; only the last chunk has `is_final`. Raises ProviderError."""

    @abstractmethod
    async def close(self) -> None:
        """Close connections and release other resources."""

    async def chat_result(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[CompletionResponse, Fault]:
        """Like `chat`, but return a Result instead of raising."""
        from returns.result import Failure, Success

        from victor_fp.providers.errors import build_provider_fault

        try:
            response = await self.chat(
                list(messages),
                model=model,
                temperature=temperature,
                max_tokens=max_tokens,
                tools=None if tools is None else list(tools),
                **kwargs,
            )
        except Exception as error:  # any exception of a provider is a failed call
            return Failure(build_provider_fault(self, error, model))
        return Success(response)

    async def stream_result(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[Result[StreamChunk, Fault]]:
        """Like `stream`, with Results as items: successes, then at most one failure, which is the last item."""
        from returns.result import Failure, Success

        from victor_fp.providers.errors import build_provider_fault

        chunks: AsyncIterator[StreamChunk] | None = None
        received: list[str] = []
        try:
            while True:
                try:
                    if chunks is None:
                        chunks = aiter(
                            self.stream(
                                list(messages),
                                model=model,
                                temperature=temperature,
                                max_tokens=max_tokens,
                                tools=None if tools is None else list(tools),
                                **kwargs,
                            )
                        )
                    chunk = await anext(chunks, None)
                except Exception as error:
                    yield Failure(build_provider_fault(self, error, model, received))
                    return
                if chunk is None:
                    return
                received.append(chunk.content)
                yield Success(chunk)
        finally:
            with suppress(Exception):  # its failure was already reported, or no caller waits for it
                await _close_stream(chunks)

    async def stream_chat(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = DEFAULT_TEMPERATURE,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamChunk]:
        """Alias of `stream`."""
        chunks = self.stream(
            messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
        )
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await _close_stream(chunks)

    async def embed(
        self,
        texts: Sequence[str] | str,  # noqa: ARG002  overridden by providers with embeddings
        *,
        model: str,
        dimensions: int | None = None,  # noqa: ARG002
        purpose: Purpose | None = None,  # noqa: ARG002
        **kwargs: Unpack[EmbedOptions],  # noqa: ARG002
    ) -> EmbeddingResponse:
        """Embed texts; the vectors are in their order. Raises ProviderError, also if embeddings are not supported.

        response = await provider.embed(["first text", "second text"], model="text-embedding-3-small")
        matrix = numpy.asarray(response.vectors)
        """
        raise self._build_unsupported_error("embeddings", model)

    async def embed_result(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> Result[EmbeddingResponse, Fault]:
        """Like `embed`, but return a Result instead of raising."""
        return await self._to_result(
            self.embed(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs), model
        )

    async def rerank(
        self,
        query: str,  # noqa: ARG002  overridden by providers with reranking
        documents: Sequence[str],  # noqa: ARG002
        *,
        model: str,
        top_n: int | None = None,  # noqa: ARG002
        **kwargs: Unpack[RerankOptions],  # noqa: ARG002
    ) -> RerankResponse:
        """Rank documents by their relevance to a query. Raises ProviderError, also if reranking is not supported."""
        raise self._build_unsupported_error("reranking", model)

    async def rerank_result(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> Result[RerankResponse, Fault]:
        """Like `rerank`, but return a Result instead of raising."""
        return await self._to_result(self.rerank(query, documents, model=model, top_n=top_n, **kwargs), model)

    def _build_unsupported_error(self, operation: str, model: str) -> ProviderError:
        from victor_fp.core.faults import OperationUnsupported

        message = f"{self.name} does not support {operation}"
        return error_from(OperationUnsupported(provider=self.name, model=model, operation=operation, message=message))

    async def _to_result(self, call: Awaitable[T], model: str) -> Result[T, Fault]:
        from returns.result import Failure, Success

        from victor_fp.providers.errors import build_provider_fault

        try:
            return Success(await call)
        except Exception as error:  # any exception of a provider is a failed call
            return Failure(build_provider_fault(self, error, model))

    def supports_tools(self) -> bool:
        """Return whether tools can be passed. Default: False."""
        return False

    def supports_streaming(self) -> bool:
        """Return whether `stream` is supported. Default: False."""
        return False

    async def discover_capabilities(self, model: str) -> ProviderRuntimeCapabilities:
        """Return the capabilities of a model; by default configured limits and what this class declares."""
        from victor_fp.core.models.limits import find_context_window
        from victor_fp.shell.limits_file import load_limits

        return ProviderRuntimeCapabilities(
            provider=self.name,
            model=model,
            context_window=find_context_window(self.name, model, reported=load_limits(os.environ)),
            supports_tools=self.supports_tools(),
            supports_streaming=self.supports_streaming(),
            source="config",
        )

    async def list_models(self) -> list[ModelInfo]:
        """Return the available models; empty if the provider cannot list them."""
        return []

    async def count_tokens(self, text: str) -> int:
        """Estimate the tokens of a text: about four characters each, rounded up."""
        return -(-len(text) // 4)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        base_url: str | None = getattr(self, "base_url", None)  # missing if the constructor raised
        location = f" at {redact_url(base_url)}" if base_url else ""
        return f"<{type(self).__name__} {self.name}{location}>"


async def _close_stream(chunks: AsyncIterator[StreamChunk] | None) -> None:
    """Close a stream, if it supports closing."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
