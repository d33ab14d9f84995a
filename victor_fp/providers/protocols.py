"""Protocols for optional capabilities of providers, independent of a base class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeGuard, runtime_checkable

from victor_fp.core.types import CompletionResponse, Message, StreamChunk, ToolDefinition


@runtime_checkable
class StreamingProvider(Protocol):
    """A provider that can stream responses."""

    def supports_streaming(self) -> bool:
        """Return whether this provider can."""
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
    """A provider that accepts tool definitions and returns structured calls."""

    def supports_tools(self) -> bool:
        """Return whether this provider can."""
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
    """Return whether a provider implements the protocol and supports streaming."""
    return isinstance(provider, StreamingProvider) and provider.supports_streaming()


def is_tool_calling_provider(provider: object) -> TypeGuard[ToolCallingProvider]:
    """Return whether a provider implements the protocol and supports tools."""
    return isinstance(provider, ToolCallingProvider) and provider.supports_tools()
