"""The synchronous face of the provider manager."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from victor_fp.agent.current_provider import SwitchCallback
from victor_fp.agent.model_switcher import ModelSwitchEvent, SwitchReason
from victor_fp.agent.provider_manager import ProviderManager, ProviderManagerConfig
from victor_fp.agent.provider_state import ProviderState
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.managed_provider import ManagedProvider
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.providers.sync_chat import SyncChat, call_in_loop, run_or_raise
from victor_fp.providers.sync_provider import SyncManagedProvider, SyncProvider
from victor_fp.shell.background_loop import LoopUnavailable, run

if TYPE_CHECKING:
    from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
    from victor_fp.agent.tool_calling.results import ToolCallingCapabilities
    from victor_fp.core.stats import ProviderInfo


class SyncProviderManager(SyncChat):
    """Hot-swaps providers and models for programs without an event loop. All threads of a process may share one."""

    def __init__(
        self,
        settings: Any,
        initial_provider: SyncProvider | BaseProvider | None = None,
        initial_model: str | None = None,
        provider_name: str | None = None,
        config: ProviderManagerConfig | None = None,
    ) -> None:
        """`settings` tell constructors' keywords and models by provider; see `find_settings`.

        With a `provider_name` and no provider, one is made of the settings; "openai/gpt-5-mini" names its model too. Providers
        belong to the manager, which closes them. Raises ProviderError where the named one cannot be made.
        """
        provider = initial_provider.provider if isinstance(initial_provider, SyncProvider) else initial_provider
        self._manager = ProviderManager(settings, provider, initial_model, provider_name, config)
        super().__init__(self._manager)

    @property
    def manager(self) -> ProviderManager:
        """The asynchronous manager behind this one."""
        return self._manager

    @property
    def settings(self) -> Any:
        """The settings that providers are made of."""
        return self._manager.settings

    @property
    def config(self) -> ProviderManagerConfig:
        """How it watches and falls back."""
        return self._manager.config

    @property
    def provider(self) -> SyncProvider | None:
        """The current provider."""
        provider = self._manager.provider
        if isinstance(provider, ManagedProvider):
            return SyncManagedProvider(provider)
        return None if provider is None else SyncProvider(provider)

    @property
    def provider_name(self) -> str:
        """The current provider's name; empty where there is none."""
        return self._manager.provider_name

    @property
    def model(self) -> str:
        """The current model; empty where there is none."""
        return self._manager.model

    @property
    def switch_count(self) -> int:
        """Switches so far."""
        return self._manager.switch_count

    @property
    def state(self) -> ProviderState | None:
        """The current provider with what is known of it."""
        return self._manager.state

    @property
    def capabilities(self) -> ToolCallingCapabilities | None:
        """What the current model can do with tools, as configured; see `detect_capabilities` for the vendor's word."""
        return self._manager.capabilities

    @property
    def tool_adapter(self) -> BaseToolCallingAdapter | None:
        """How tools are given to the current model, and its calls read."""
        return self._manager.tool_adapter

    def switch_provider(
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
        return run_or_raise(self._manager.switch_provider(provider_name, model, reason, **provider_kwargs))

    def switch_model(self, model: str, reason: SwitchReason = SwitchReason.USER_REQUEST) -> bool:
        """Switch to another model of the current provider; whether there is one."""
        return run_or_raise(self._manager.switch_model(model, reason))

    def get_info(self) -> ProviderInfo:
        """Provider, model, capabilities and condition, as known without asking anybody."""
        return call_in_loop(self._manager.get_info)

    def get_context_window(self) -> int:
        """Tokens that prompt and answer may take together; 0 without a provider."""
        return call_in_loop(self._manager.get_context_window)

    def is_cloud_provider(self) -> bool:
        """Whether the current provider is a vendor's service."""
        return self._manager.is_cloud_provider()

    def is_local_provider(self) -> bool:
        """Whether the current provider runs on the caller's machine."""
        return self._manager.is_local_provider()

    def get_switch_history(self) -> list[ModelSwitchEvent]:
        """Switches, oldest first."""
        return call_in_loop(self._manager.get_switch_history)

    def add_switch_callback(self, callback: SwitchCallback) -> None:
        """Have a function called with the new state after each switch, in the thread of the background loop."""
        self._manager.add_switch_callback(callback)

    def detect_capabilities(self) -> ProviderRuntimeCapabilities | None:
        """What the current model can do, tools above all, by the vendor's word where it has one; asked once."""
        return run_or_raise(self._manager.detect_capabilities())

    def get_healthy_providers(self) -> list[str]:
        """The current provider and the fallbacks that work, the fastest first.

        Each is asked, all at once; where health checks are switched off, what calls have shown decides.
        """
        return run_or_raise(self._manager.get_healthy_providers())

    def start_health_monitoring(self) -> None:
        """Check the current provider from time to time, and fall back when it is not healthy.

        Begins by itself with the first call or switch, unless health checks are switched off.
        """
        run_or_raise(self._manager.start_health_monitoring())

    def stop_health_monitoring(self) -> None:
        """Stop checking."""
        run_or_raise(self._manager.stop_health_monitoring())

    def close(self) -> None:
        """Stop watching, end what is in flight, and close the current provider and those that are retiring.

        Nothing can be asked of the manager after this. A provider that another manager holds stays open.
        """
        with suppress(LoopUnavailable):  # at the end of the process the loop has closed everything
            run(self._manager.close())
