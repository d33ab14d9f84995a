"""Synchronous methods for background responses: start, resume by a handle, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.providers.sync_chat import run_or_raise, run_result

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.faults import Fault
    from victor_fp.core.long_running.background import BackgroundHandle
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.request_building.inputs import Messages, ToolsInput
    from victor_fp.core.types import CompletionResponse
    from victor_fp.providers.base import BaseProvider


class SyncBackgroundMethods:
    """Synchronous `BackgroundMethods`."""

    _provider: BaseProvider

    def start_background(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> BackgroundHandle:
        """Start a background response; the returned handle is plain JSON. Raises ProviderError."""
        return run_or_raise(
            self._provider.start_background(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    def start_background_result(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        tools: ToolsInput | None = None,
        **kwargs: Unpack[ChatOptions],
    ) -> Result[BackgroundHandle, Fault]:
        """Start a background response."""
        return run_result(
            self._provider.start_background_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    def resume_background(
        self, handle: Mapping[str, Any], *, timeout: float | None = None, deadline: float | None = None
    ) -> CompletionResponse:
        """Wait for a background response; leaving does not cancel it. Raises ProviderError."""
        return run_or_raise(self._provider.resume_background(handle, timeout=timeout, deadline=deadline))

    def resume_background_result(
        self, handle: Mapping[str, Any], *, timeout: float | None = None, deadline: float | None = None
    ) -> Result[CompletionResponse, Fault]:
        """Wait for a background response."""
        return run_result(self._provider.resume_background_result(handle, timeout=timeout, deadline=deadline))

    def cancel_background(self, handle: Mapping[str, Any]) -> None:
        """Cancel a background response. Raises ProviderError."""
        run_or_raise(self._provider.cancel_background(handle))

    def cancel_background_result(self, handle: Mapping[str, Any]) -> Result[None, Fault]:
        """Cancel a background response."""
        return run_result(self._provider.cancel_background_result(handle))
