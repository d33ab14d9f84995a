"""ProviderManager: a current provider with health monitoring, which can be switched during conversations."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from returns.result import Failure, Result, Success
from typing_extensions import Unpack

from victor_fp.agent.current_provider import CurrentProvider, SwitchCallback
from victor_fp.agent.failover import FailoverController, build_closed_fault
from victor_fp.agent.manager_config import ProviderManagerConfig
from victor_fp.agent.manager_pool import ManagerPool, build_no_provider_fault
from victor_fp.agent.model_switcher import ModelSwitchEvent, SwitchReason
from victor_fp.agent.provider_settings import find_default_model, find_spec
from victor_fp.agent.provider_state import ProviderState, compute_context_window, describe_state
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.model_names import split_model_name
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.result import outcome
from victor_fp.core.telemetry.stats import ProviderInfo
from victor_fp.core.types import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.calls import ChatStream, build_chat_spec, complete, stream_items
from victor_fp.providers.errors import error_from, unwrap_or_raise
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.target import TargetPool
from victor_fp.shell.runtime import LOGGER

if TYPE_CHECKING:
    from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
    from victor_fp.agent.tool_calling.results import ToolCallingCapabilities

__all__ = ["ModelSwitchEvent", "ProviderManager", "ProviderManagerConfig", "ProviderState", "SwitchReason"]

_DETECTION = 5.0
"""Maximum seconds of capability detection during a switch."""


class ProviderManager:
    """Switches providers and models at runtime. Calls in flight finish on the old provider, which is then closed."""

    def __init__(
        self,
        settings: Any,
        initial_provider: BaseProvider | None = None,
        initial_model: str | None = None,
        provider_name: str | None = None,
        config: ProviderManagerConfig | None = None,
    ) -> None:
        """`settings` contain constructor keywords and models by provider; see `find_settings`.

        With a `provider_name` and no provider, one is created from the settings; "openai/gpt-5-mini" also sets the
        model. Providers belong to the manager, which closes them. Raises ProviderError if it cannot be created.
        """
        self.settings = settings
        self.config = config or ProviderManagerConfig()
        self._current = CurrentProvider(settings)
        self._failover = FailoverController(self._current, self.config)
        self._thread: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._monitor: asyncio.Task[None] | None = None
        self._capabilities: dict[tuple[str, str], ProviderRuntimeCapabilities] = {}
        provider, model = initial_provider, initial_model
        if provider is None and provider_name:
            provider_name, named = split_model_name(provider_name, ProviderRegistry.is_registered)
            model = model or named
            provider, model = unwrap_or_raise(self._current.create(provider_name, model))
        if provider is not None:
            name = provider_name or provider.name
            self._current.state = self._current.hold(provider, name, model or find_default_model(name, provider) or "")

    @property
    def provider(self) -> BaseProvider | None:
        """The current provider."""
        return None if self._current.state is None else self._current.state.provider

    @property
    def provider_name(self) -> str:
        """The name of the current provider; empty if there is none."""
        return "" if self._current.state is None else self._current.state.provider_name

    @property
    def model(self) -> str:
        """The current model; empty if there is none."""
        return "" if self._current.state is None else self._current.state.model

    @property
    def switch_count(self) -> int:
        """The number of switches."""
        return self._current.history.count

    @property
    def state(self) -> ProviderState | None:
        """The state of the current provider."""
        return self._current.state

    @property
    def capabilities(self) -> ToolCallingCapabilities | None:
        """The configured tool capabilities of the current model; see also `detect_capabilities`."""
        return None if self._current.state is None else self._current.state.capabilities

    @property
    def tool_adapter(self) -> BaseToolCallingAdapter | None:
        """The tool calling adapter of the current model."""
        return None if self._current.state is None else self._current.state.tool_adapter

    async def switch_provider(
        self,
        provider_name: str,
        model: str | None = None,
        reason: SwitchReason = SwitchReason.USER_REQUEST,
        **provider_kwargs: Any,
    ) -> bool:
        """Switch to another provider, created from the settings and the keywords; return whether it was switched.

        "openai/gpt-5-mini" sets both provider and model.

        If the new one cannot be created or is unhealthy, a configured fallback is used instead; without one, the
        current provider is kept.
        """
        self._check_thread()
        provider_name, named = split_model_name(provider_name, ProviderRegistry.is_registered)
        found = await self._failover.switch_to(provider_name, model or named, reason, provider_kwargs)
        return await self._apply_switch(found)

    async def switch_model(self, model: str, reason: SwitchReason = SwitchReason.USER_REQUEST) -> bool:
        """Switch to another model of the current provider; return False if there is no provider."""
        self._check_thread()
        return await self._apply_switch(await self._failover.switch_model(model, reason))

    def get_info(self) -> ProviderInfo:
        """Return provider, model, capabilities and condition, without sending requests."""
        return describe_state(self._current.state)

    def get_context_window(self) -> int:
        """Return the context window in tokens; 0 without a provider."""
        return 0 if self._current.state is None else compute_context_window(self._current.state)

    def is_cloud_provider(self) -> bool:
        """Return whether the current provider is a cloud service."""
        spec = find_spec(self.provider_name)
        return spec is not None and not spec.local

    def is_local_provider(self) -> bool:
        """Return whether the current provider runs on the local machine."""
        spec = find_spec(self.provider_name)
        return spec is not None and spec.local

    def get_switch_history(self) -> list[ModelSwitchEvent]:
        """Return the switches, oldest first."""
        return self._current.history.events()

    def add_switch_callback(self, callback: SwitchCallback) -> None:
        """Add a function that is called with the new state after each switch."""
        self._current.callbacks.append(callback)

    async def detect_capabilities(self) -> ProviderRuntimeCapabilities | None:
        """Return the capabilities of the current model, as reported by the vendor if possible; cached."""
        state = self._current.state
        if state is None:
            return None
        key = (state.provider_name, state.model)
        if key not in self._capabilities:
            self._capabilities[key] = await state.provider.discover_capabilities(state.model)
        state.runtime_capabilities = self._capabilities[key]
        return state.runtime_capabilities

    async def get_healthy_providers(self) -> list[str]:
        """Return the names of the working providers among the current one and the fallbacks, the fastest first.

        They are checked concurrently; if health checks are disabled, the outcomes of previous calls are used.
        """
        return await self._failover.list_healthy()

    async def start_health_monitoring(self) -> None:
        """Check the current provider periodically, and fall back if it is unhealthy.

        Starts automatically with the first call or switch, unless health checks are disabled.
        """
        self._watch()

    async def stop_health_monitoring(self) -> None:
        """Stop health monitoring."""
        monitor, self._monitor = self._monitor, None
        if monitor is not None and not monitor.done():
            monitor.cancel()
            with suppress(asyncio.CancelledError):
                await monitor

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
        """Complete a chat with the current provider, or with the fallback that replaces it. Raises ProviderError."""
        return unwrap_or_raise(
            await self.chat_result(
                messages, model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, **kwargs
            )
        )

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
        """Like `chat`, but return a Result instead of raising."""
        spec = self._build_spec(messages, model, temperature, max_tokens, tools, kwargs, stream=False)
        match outcome(self._open_pool(spec)):
            case Failure(fault):
                return Failure(fault)
            case Success(pool):
                return await complete(pool, spec)

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
        """Stream a chat completion; before the first chunk, a fallback may be used. Raises ProviderError."""
        spec = self._build_spec(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        return ChatStream(stream_items(partial(self._open_pool, spec), spec))

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
        """Like `stream`, with Results as items: successes, then at most one failure."""
        spec = self._build_spec(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        return ChatStream(stream_items(partial(self._open_pool, spec), spec, as_results=True))

    async def close(self) -> None:
        """Stop monitoring, end the calls of this manager, and close the current provider and retiring ones.

        The manager cannot be used afterwards. A provider held by another manager stays open, and so do the calls on it
        that were not made through this manager.
        """
        await self._current.close()
        await self.stop_health_monitoring()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _apply_switch(self, state: ProviderState | None) -> bool:
        if state is None:
            return False
        await self._current.notify(state)
        if self._current.is_closed:
            return False
        if self.config.enable_health_checks:
            self._watch()
            with suppress(Exception):  # the configured capabilities are kept
                async with asyncio.timeout(_DETECTION):
                    await self.detect_capabilities()
        return True

    def _build_spec(
        self,
        messages: Messages,
        model: str | None,
        temperature: float | None,
        max_tokens: int | None,
        tools: ToolsInput | None,
        options: ChatOptions,
        *,
        stream: bool,
    ) -> Result[CallSpec, Fault]:
        """Build the call specification, or return a fault."""
        return build_chat_spec(
            self.provider_name,
            messages,
            options,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            tools=tools,
            stream=stream,
        )

    def _open_pool(self, spec: Result[CallSpec, Fault]) -> Result[TargetPool, Fault]:
        """Return the targets of a call."""
        wrong = self._find_thread_fault()
        if wrong is None and self._current.is_closed:
            wrong = build_closed_fault()
        if wrong is None and self._current.state is None:
            wrong = build_no_provider_fault()
        if wrong is not None:
            return Failure(wrong)
        self._watch()
        return spec.map(lambda call: ManagerPool(self._failover, call))

    def _find_thread_fault(self) -> Fault | None:
        """Return a fault if this manager is used in another thread and event loop; None otherwise.

        Threads that drive one loop in turn, as synchronous callers do, never change its state at the same time.
        """
        thread, loop = threading.get_ident(), asyncio._get_running_loop()  # noqa: SLF001  exported by asyncio
        if self._thread in (None, thread):
            self._thread, self._loop = thread, loop or self._loop
            return None
        if loop is not None and loop is self._loop:
            return None
        return InvalidRequest(message="the manager is used in two threads: create one manager for each thread")

    def _check_thread(self) -> None:
        wrong = self._find_thread_fault()
        if wrong is not None:
            raise error_from(wrong)

    def _watch(self) -> None:
        running = asyncio.get_running_loop()
        if self._monitor is not None and not self._monitor.done() and self._monitor.get_loop() is running:
            return
        if self.config.enable_health_checks and self._current.state is not None and not self._current.is_closed:
            self._monitor = running.create_task(self._check_regularly())

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.config.health_check_interval)
            try:
                state = await self._failover.check_current()
                if state is not None:
                    await self._current.notify(state)
            except Exception:  # monitoring continues
                logging.getLogger(LOGGER).warning("a health check failed", exc_info=True)
