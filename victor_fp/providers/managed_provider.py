"""ManagedProvider: one provider to its caller, and behind it a plan of targets with limits, breakers, retries and metrics."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol, cast

from returns.result import Failure, Result, Success
from typing_extensions import Unpack

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault
from victor_fp.core.options import ChatOptions
from victor_fp.core.protocols import ModelInfo
from victor_fp.core.request_building.message_input import MessagesInput, ToolInput, read_messages, read_tools
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.chat_stream import ChatStream
from victor_fp.providers.errors import error_from, value_or_raise
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.managed import Pool
from victor_fp.shell.managed_call import managed_call
from victor_fp.shell.managed_source import Asking
from victor_fp.shell.managed_stats import circuit_of, is_healthy, is_open, limits_of, metrics_of, resilience_of
from victor_fp.shell.managed_stream import ManagedStream
from victor_fp.shell.managed_target import reset


class Closing(Protocol):
    """Something that ends with the provider."""

    async def aclose(self) -> None:
        """Close it."""
        ...


class ManagedProvider(BaseProvider):
    """A provider with retries, breakers, rate limits, a waiting line, fallbacks and metrics; made by `ManagedProviderFactory`.

    `model` may be left out of every call: the configured one is used. A fallback always uses its own model and options.
    """

    def __init__(self, providers: Sequence[BaseProvider], pool: Pool, *, owned: Sequence[Closing] = ()) -> None:
        """`providers` belong to the targets of `pool`, in their order; `owned` is closed with them."""
        first = providers[0]
        self._providers = tuple(providers)
        self._pool = pool
        self._owned = tuple(owned)
        super().__init__(
            base_url=first.base_url,
            timeout=pool.targets[0].timeout,
            max_retries=pool.targets[0].retries.max_retries,
            use_circuit_breaker=False,
        )

    @property
    def name(self) -> str:
        """The first provider's name."""
        return self._providers[0].name

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

    async def discover_capabilities(self, model: str | None = None) -> ProviderRuntimeCapabilities:
        """As the first provider finds them out."""
        return await self.provider.discover_capabilities(model or self.model)

    async def list_models(self) -> list[ModelInfo]:
        """As the first provider lists them."""
        return await self.provider.list_models()

    async def count_tokens(self, text: str) -> int:
        """As the first provider counts."""
        return await self.provider.count_tokens(text)

    async def chat(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        messages: MessagesInput,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> CompletionResponse:
        """Complete a chat. Raises ProviderError."""
        asking = _asking(messages, model, temperature, max_tokens, tools, priority, kwargs, stream=False)
        return value_or_raise(await managed_call(self._pool, asking))

    async def chat_result(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        messages: MessagesInput,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[CompletionResponse, Fault]:
        """Complete a chat."""
        asking = _asking(messages, model, temperature, max_tokens, tools, priority, kwargs, stream=False)
        return await managed_call(self._pool, asking)

    def stream(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        messages: MessagesInput,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Stream a chat completion. Raises ProviderError while it is iterated."""
        asking = _asking(messages, model, temperature, max_tokens, tools, priority, kwargs, stream=True)
        return ChatStream(_chunks(ManagedStream(self._pool, asking)))

    def stream_chat(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        messages: MessagesInput,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[StreamChunk]:
        """Another name for `stream`."""
        asking = _asking(messages, model, temperature, max_tokens, tools, priority, kwargs, stream=True)
        return ChatStream(_chunks(ManagedStream(self._pool, asking)))

    def stream_result(  # pyright: ignore[reportIncompatibleMethodOverride]  one keyword more: priority
        self,
        messages: MessagesInput,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: Sequence[ToolInput] | None = None,
        priority: Priority = Priority.NORMAL,
        **kwargs: Unpack[ChatOptions],
    ) -> ChatStream[Result[StreamChunk, Fault]]:
        """Stream a chat completion: successes, then at most one failure, then nothing."""
        asking = _asking(messages, model, temperature, max_tokens, tools, priority, kwargs, stream=True)
        return ChatStream(_results(ManagedStream(self._pool, asking)))

    def get_metrics(self) -> dict[str, Any] | None:
        """Totals, percentiles over the window, and the last operations; None where metrics are switched off."""
        return metrics_of(self._pool)

    def get_resilience_stats(self) -> dict[str, Any] | None:
        """Breakers, health and who answered; None where resilience is switched off and there is nowhere to fall back."""
        return resilience_of(self._pool)

    def get_rate_limit_stats(self) -> dict[str, Any] | None:
        """Limits, permits and lines of each target and model; None where rate limiting is switched off.

        The first target's figures for its configured model also stand at the top.
        """
        return limits_of(self._pool.targets)

    def is_healthy(self) -> bool:
        """Whether a call made now is likely to be answered, by the first target or one behind it, as real traffic shows."""
        return any(is_healthy(target) for target in self._pool.targets)

    def is_circuit_open(self) -> bool:
        """Whether calls to the first target fail fast right now."""
        return is_open(self._pool.targets[0])

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """The first target's breaker, or None where it is switched off."""
        return circuit_of(self._pool.targets[0])

    def reset_circuit_breaker(self) -> None:
        """Close all breakers by hand."""
        for target in self._pool.targets:
            for place in target.places.values():
                place.breaker.post(reset, lambda _: None)

    async def shutdown(self) -> None:
        """Send away those who wait, give everything back and close all providers. Harmless when done twice."""
        for target in self._pool.targets:
            target.close()
        await self._pool.store.drain()
        for provider in self._providers:
            await provider.close()
        for one in self._owned:
            await one.aclose()

    async def close(self) -> None:
        """Another name for `shutdown`."""
        await self.shutdown()


def _asking(
    messages: MessagesInput,
    model: str | None,
    temperature: float | None,
    max_tokens: int | None,
    tools: Sequence[ToolInput] | None,
    priority: Priority,
    options: ChatOptions,
    *,
    stream: bool,
) -> Asking:
    return Asking(
        # the target refuses what cannot be read
        messages=read_messages(messages).value_or(cast("tuple[Message, ...]", messages)),
        model=model,
        temperature=temperature,
        max_tokens=max_tokens,
        tools=None if tools is None else read_tools(tools).value_or(cast("tuple[ToolDefinition, ...]", tools)),
        options=dict(options),
        priority=Priority(priority),
        stream=stream,
    )


async def _chunks(stream: ManagedStream) -> AsyncGenerator[StreamChunk, None]:
    try:
        while (batch := await stream.batch()) is not None:
            for chunk in batch.chunks:
                yield chunk
            if batch.fault is not None:
                raise error_from(batch.fault)
    finally:
        await stream.aclose()


async def _results(stream: ManagedStream) -> AsyncGenerator[Result[StreamChunk, Fault], None]:
    try:
        while (batch := await stream.batch()) is not None:
            for chunk in batch.chunks:
                yield Success(chunk)
            if batch.fault is not None:
                yield Failure(batch.fault)
    finally:
        await stream.aclose()
