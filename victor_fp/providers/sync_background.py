"""The synchronous face of responses in the background: started, resumed by a handle, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import Unpack

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.providers.sync_chat import run_or_raise, run_result

if TYPE_CHECKING:
    from returns.result import Result

    from victor_fp.core.background import BackgroundHandle
    from victor_fp.core.faults import Fault
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.request_building.inputs import Messages, ToolsInput
    from victor_fp.core.types import CompletionResponse
    from victor_fp.providers.base import BaseProvider


class SyncBackgroundMethods:
    """`BackgroundMethods` for programs without an event loop."""

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
        """Have a response made while nobody waits: plain JSON to resume it by. Raises ProviderError."""
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
        """Have a response made while nobody waits."""
        return run_result(
            self._provider.start_background_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

    def resume_background(
        self, handle: Mapping[str, Any], *, timeout: float | None = None, deadline: float | None = None
    ) -> CompletionResponse:
        """Wait for a response that was started earlier; leaving does not end it. Raises ProviderError."""
        return run_or_raise(self._provider.resume_background(handle, timeout=timeout, deadline=deadline))

    def resume_background_result(
        self, handle: Mapping[str, Any], *, timeout: float | None = None, deadline: float | None = None
    ) -> Result[CompletionResponse, Fault]:
        """Wait for a response that was started earlier."""
        return run_result(self._provider.resume_background_result(handle, timeout=timeout, deadline=deadline))

    def cancel_background(self, handle: Mapping[str, Any]) -> None:
        """End a response that is still being made. Raises ProviderError."""
        run_or_raise(self._provider.cancel_background(handle))

    def cancel_background_result(self, handle: Mapping[str, Any]) -> Result[None, Fault]:
        """End a response that is still being made."""
        return run_result(self._provider.cancel_background_result(handle))
