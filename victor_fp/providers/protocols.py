"""Protocols for what a provider may be able to do, apart from any base class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeGuard, runtime_checkable

from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition


@runtime_checkable
class StreamingProvider(Protocol):
    """A provider that can hand an answer out while it is generated."""

    def supports_streaming(self) -> bool:
        """Whether this one can."""
        ...

    def stream(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = 0.7,
        max_tokens: int = 4096,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[StreamChunk]:
        """Stream a chat completion."""
        ...


@runtime_checkable
class ToolCallingProvider(Protocol):
    """A provider that takes tool definitions and gives structured calls."""

    def supports_tools(self) -> bool:
        """Whether this one can."""
        ...

    async def chat(
        self,
        messages: list[Message],
        *,
        model: str,
        temperature: float = 0.7,
        max_tokens: int = 4096,
        tools: list[ToolDefinition] | None = None,
        **kwargs: Any,
    ) -> CompletionResponse:
        """Complete a chat."""
        ...


def is_streaming_provider(provider: object) -> TypeGuard[StreamingProvider]:
    """Whether a provider has the protocol and says that it supports streaming."""
    return isinstance(provider, StreamingProvider) and provider.supports_streaming()


def is_tool_calling_provider(provider: object) -> TypeGuard[ToolCallingProvider]:
    """Whether a provider has the protocol and says that it supports tools."""
    return isinstance(provider, ToolCallingProvider) and provider.supports_tools()
