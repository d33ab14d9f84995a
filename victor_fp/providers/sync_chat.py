"""Synchronous chat over asynchronous chat: the base of synchronous providers and managers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from returns.result import Failure, Result
from typing_extensions import Unpack

from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, StreamChunk
from victor_fp.providers.errors import error_from
from victor_fp.providers.sync_stream import SyncStream
from victor_fp.shell.background_loop import LoopUnavailable, get_background_loop, run

T = TypeVar("T")


class AsyncChat(Protocol):
    """The chat methods of asynchronous catalogue providers, managed providers and managers."""

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
        ...

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
        ...

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[StreamChunk]:
        """Stream a chat completion. Raises ProviderError during iteration."""
        ...

    def stream_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> AsyncIterator[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, which is the last item."""
        ...


class SyncChat:
    """Base class with the chat methods of providers and managers."""

    def __init__(self, chat: AsyncChat) -> None:
        self._chat = chat

    @property
    def asynchronous(self) -> AsyncChat:
        """The asynchronous methods, for all classes of providers."""
        return self._chat

    def chat(
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
        return run_or_raise(
            self._chat.chat(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    def chat_result(
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
        return run_result(
            self._chat.chat_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    def stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> SyncStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError during iteration."""
        return SyncStream(
            self._chat.stream(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    def stream_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> SyncStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, which is the last item."""
        return SyncStream(
            self._chat.stream_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            ),
            are_results=True,
        )

    def close(self) -> None:
        """Close connections and release other resources."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_or_raise(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop; raises its exception, and ProviderError if the loop is not available."""
    try:
        return run(coroutine)
    except LoopUnavailable as unavailable:
        raise error_from(InvalidRequest(message=str(unavailable))) from None


def run_result(coroutine: Coroutine[Any, Any, Result[T, Fault]]) -> Result[T, Fault]:
    """Run a coroutine in the loop; InvalidRequest if the loop is not available."""
    try:
        return run(coroutine)
    except LoopUnavailable as unavailable:
        return Failure(InvalidRequest(message=str(unavailable)))


def call_in_loop(function: Callable[[], T]) -> T:
    """Call a function in the loop, in which the state that it accesses is used."""
    try:
        return get_background_loop().call(function)
    except LoopUnavailable:  # the loop has stopped
        return function()
