"""ProviderManager: one current provider, watched, and switched while conversations go on."""

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
from victor_fp.core.defaults import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.model_names import split_model_name
from victor_fp.core.options import ChatOptions
from victor_fp.core.request_building.inputs import Messages, ToolsInput
from victor_fp.core.result import outcome
from victor_fp.core.stats import ProviderInfo
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.chat_stream import ChatStream, complete, stream_chunks, stream_results
from victor_fp.providers.errors import error_from, unwrap_or_raise
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.call_spec import CallSpec, build_chat_spec
from victor_fp.shell.engine.target import TargetPool
from victor_fp.shell.engine.telemetry import LOGGER

if TYPE_CHECKING:
    from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
    from victor_fp.agent.tool_calling.results import ToolCallingCapabilities

__all__ = ["ModelSwitchEvent", "ProviderManager", "ProviderManagerConfig", "ProviderState", "SwitchReason"]

_DETECTION = 5.0
"""Seconds that a switch spends on finding out what the model can do."""


class ProviderManager:
    """Hot-swaps providers and models. A conversation in flight finishes on the old one, which is then closed."""

    def __init__(
        self,
        settings: Any,
        initial_provider: BaseProvider | None = None,
        initial_model: str | None = None,
        provider_name: str | None = None,
        config: ProviderManagerConfig | None = None,
    ) -> None:
        """`settings` tell constructors' keywords and models by provider; see `find_settings`.

        With a `provider_name` and no provider, one is made of the settings; "openai/gpt-5-mini" names its model too. Providers belong to the manager, which closes
        them. Raises ProviderError where the named one cannot be made.
        """
        self.settings = settings
        self.config = config or ProviderManagerConfig()
        self._current = CurrentProvider(settings)
        self._failover = FailoverController(self._current, self.config)
        self._thread: int | None = None
        self._monitor: asyncio.Task[None] | None = None
        self._capabilities: dict[tuple[str, str], ProviderRuntimeCapabilities] = {}
        provider, model = initial_provider, initial_model
        if provider is None and provider_name:
            provider_name, named = split_model_name(provider_name, ProviderRegistry.is_registered)
            model = model or named
            made = self._current.create(provider_name, model)
            if not isinstance(made, tuple):
                raise error_from(made)
            provider, model = made
        if provider is not None:
            name = provider_name or provider.name
            self._current.state = self._current.hold(provider, name, model or find_default_model(name, provider) or "")

    @property
    def provider(self) -> BaseProvider | None:
        """The current provider."""
        return None if self._current.state is None else self._current.state.provider

    @property
    def provider_name(self) -> str:
        """The current provider's name; empty where there is none."""
        return "" if self._current.state is None else self._current.state.provider_name

    @property
    def model(self) -> str:
        """The current model; empty where there is none."""
        return "" if self._current.state is None else self._current.state.model

    @property
    def switch_count(self) -> int:
        """Switches so far."""
        return self._current.history.count

    @property
    def state(self) -> ProviderState | None:
        """The current provider with what is known of it."""
        return self._current.state

    @property
    def capabilities(self) -> ToolCallingCapabilities | None:
        """What the current model can do with tools, as configured; see `detect_capabilities` for the vendor's word."""
        return None if self._current.state is None else self._current.state.capabilities

    @property
    def tool_adapter(self) -> BaseToolCallingAdapter | None:
        """How tools are given to the current model, and its calls read."""
        return None if self._current.state is None else self._current.state.tool_adapter

    async def switch_provider(
        self,
        provider_name: str,
        model: str | None = None,
        reason: SwitchReason = SwitchReason.USER_REQUEST,
        **provider_kwargs: Any,
    ) -> bool:
        """Switch to another provider, made of the settings and the keywords; whether a switch was made.

        "openai/gpt-5-mini" names the provider and its model.

        Where the new one cannot be made or is not healthy, a configured fallback takes its place; with none, everything
        stays as it is.
        """
        self._check_thread()
        provider_name, named = split_model_name(provider_name, ProviderRegistry.is_registered)
        found = await self._failover.switch_to(provider_name, model or named, reason, provider_kwargs)
        return await self._apply_switch(found)

    async def switch_model(self, model: str, reason: SwitchReason = SwitchReason.USER_REQUEST) -> bool:
        """Switch to another model of the current provider; whether there is one."""
        self._check_thread()
        return await self._apply_switch(await self._failover.switch_model(model, reason))

    def get_info(self) -> ProviderInfo:
        """Provider, model, capabilities and condition, as known without asking anybody."""
        return describe_state(self._current.state)

    def get_context_window(self) -> int:
        """Tokens that prompt and answer may take together; 0 without a provider."""
        return 0 if self._current.state is None else compute_context_window(self._current.state)

    def is_cloud_provider(self) -> bool:
        """Whether the current provider is a vendor's service."""
        spec = find_spec(self.provider_name)
        return spec is not None and not spec.local

    def is_local_provider(self) -> bool:
        """Whether the current provider runs on the caller's machine."""
        spec = find_spec(self.provider_name)
        return spec is not None and spec.local

    def get_switch_history(self) -> list[ModelSwitchEvent]:
        """Switches, oldest first."""
        return self._current.history.events()

    def add_switch_callback(self, callback: SwitchCallback) -> None:
        """Have a function called with the new state after each switch."""
        self._current.callbacks.append(callback)

    async def detect_capabilities(self) -> ProviderRuntimeCapabilities | None:
        """What the current model can do, tools above all, by the vendor's word where it has one; asked once."""
        state = self._current.state
        if state is None:
            return None
        key = (state.provider_name, state.model)
        if key not in self._capabilities:
            self._capabilities[key] = await state.provider.discover_capabilities(state.model)
        state.runtime_capabilities = self._capabilities[key]
        return state.runtime_capabilities

    async def get_healthy_providers(self) -> list[str]:
        """The current provider and the fallbacks that work, the fastest first.

        Each is asked, all at once; where health checks are switched off, what calls have shown decides.
        """
        return await self._failover.list_healthy()

    async def start_health_monitoring(self) -> None:
        """Check the current provider from time to time, and fall back when it is not healthy.

        Begins by itself with the first call or switch, unless health checks are switched off.
        """
        self._watch()

    async def stop_health_monitoring(self) -> None:
        """Stop checking."""
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
        """Complete a chat on the current provider, or on the fallback that takes its place. Raises ProviderError."""
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
        """The same as a value."""
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
        """Stream an answer; up to its first piece a fallback may take over. Raises ProviderError."""
        spec = self._build_spec(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        return ChatStream(stream_chunks(partial(self._open_pool, spec), spec))

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
        """The same as values: successes, then at most one failure."""
        spec = self._build_spec(messages, model, temperature, max_tokens, tools, kwargs, stream=True)
        return ChatStream(stream_results(partial(self._open_pool, spec), spec))

    async def close(self) -> None:
        """Stop watching, end what is in flight, and close the current provider and those that are retiring.

        Nothing can be asked of the manager after this. A provider that another manager holds stays open.
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
            with suppress(Exception):  # what cannot be found out stays as configured
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
        """The call, or why it cannot be made."""
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
        """The targets of a call that begins now."""
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
        """Why the running thread may not use this manager; None where it may."""
        if self._thread is None:
            self._thread = threading.get_ident()
        if self._thread == threading.get_ident():
            return None
        return InvalidRequest(message="the manager is used in two threads: give each thread a manager of its own")

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
            except Exception:  # watching goes on, whatever one check came to
                logging.getLogger(LOGGER).warning("a health check failed", exc_info=True)
