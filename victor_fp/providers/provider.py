"""Provider: the object API as callers use it: text or messages, a default model, streams that can be held."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from returns.result import Failure, Success
from typing_extensions import Unpack

from victor_fp.core.result import outcome
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.errors import error_from, unwrap_or_raise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from returns.result import Result

    from victor_fp.core.catalogue.spec import ModelInfo
    from victor_fp.core.faults import Fault
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.request_building.inputs import Messages, ToolsInput
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, EmbedOptions, RerankOptions, RerankResponse
    from victor_fp.core.retrieval.vectors import Purpose
    from victor_fp.providers.calls import ChatStream


class Provider(BaseProvider):
    """The type of all providers that `create` returns: calls also accept a single text, and use `default_model` if no model is given.

    These are catalogue providers, managed providers, and custom classes. `BaseProvider` requires less of a custom class: it
    receives a list of messages and the name of a model.
    """

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
        result = await self.chat_result(
            messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
        )
        match outcome(result):
            case Success(response):
                return response
            case Failure(fault):
                raise error_from(fault)

    @abstractmethod
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

    @abstractmethod
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

    @abstractmethod
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

    def stream_chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Alias of `stream`."""
        return self.stream(messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs)

    async def embed(
        self,
        texts: Sequence[str] | str,
        *,
        model: str,
        dimensions: int | None = None,
        purpose: Purpose | None = None,
        **kwargs: Unpack[EmbedOptions],
    ) -> EmbeddingResponse:
        """Embed texts, in as many requests as the vendor's limits require; the vectors are in the order of the texts.

        Raises ProviderError.
        """
        return unwrap_or_raise(
            await self.embed_result(texts, model=model, dimensions=dimensions, purpose=purpose, **kwargs)
        )

    async def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        model: str,
        top_n: int | None = None,
        **kwargs: Unpack[RerankOptions],
    ) -> RerankResponse:
        """Rank documents by their relevance to a query. Raises ProviderError."""
        return unwrap_or_raise(await self.rerank_result(query, documents, model=model, top_n=top_n, **kwargs))

    async def list_models(self) -> list[ModelInfo]:
        """Return the available models. Raises ProviderError."""
        return unwrap_or_raise(await self.list_models_result())

    @abstractmethod
    async def list_models_result(self) -> Result[list[ModelInfo], Fault]:
        """Return the available models."""

    async def count_tokens(self, text: str, *, model: str | None = None) -> int:  # noqa: ARG002  for vendors that count
        """Return the vendor's count if a model is given and the vendor supports it, else an estimate."""
        return await super().count_tokens(text)
