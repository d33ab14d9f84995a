"""Synchronous chat over anything that chats asynchronously: the part that providers and managers share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from returns.result import Failure, Result
from typing_extensions import Unpack

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.errors import error_from
from victor_fp.providers.sync_stream import SyncStream
from victor_fp.shell.background_loop import LoopUnavailable, get_background_loop, run

T = TypeVar("T")


class AsyncChat(Protocol):
    """The chat methods that asynchronous providers of the catalogue, managed ones and managers have."""

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
        """Stream a chat completion. Raises ProviderError while it is iterated."""
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
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        ...


class SyncChat:
    """The chat methods that providers and managers share."""

    def __init__(self, chat: AsyncChat) -> None:
        self._chat = chat

    @property
    def asynchronous(self) -> AsyncChat:
        """The same methods with `await`, for every class of provider alike."""
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
        """Stream a chat completion. Raises ProviderError while it is iterated."""
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
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        return SyncStream(
            self._chat.stream_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            ),
            are_results=True,
        )

    def close(self) -> None:
        """Close connections and whatever else is held."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_or_raise(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine; raises what it raises, and ProviderError where the loop cannot be waited for."""
    try:
        return run(coroutine)
    except LoopUnavailable as unavailable:
        raise error_from(InvalidRequest(message=str(unavailable))) from None


def run_result(coroutine: Coroutine[Any, Any, Result[T, Fault]]) -> Result[T, Fault]:
    """The result of a coroutine; InvalidRequest where the loop cannot be waited for."""
    try:
        return run(coroutine)
    except LoopUnavailable as unavailable:
        return Failure(InvalidRequest(message=str(unavailable)))


def call_in_loop(function: Callable[[], T]) -> T:
    """Call a function in the loop, where the state that it reads or changes is used."""
    try:
        return get_background_loop().call(function)
    except LoopUnavailable:  # nothing runs in the loop any more
        return function()
