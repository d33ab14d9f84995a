"""The synchronous provider manager."""

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
    from victor_fp.core.telemetry.stats import ProviderInfo


class SyncProviderManager(SyncChat):
    """The synchronous ProviderManager. It can be shared by all threads of a process."""

    def __init__(
        self,
        settings: Any,
        initial_provider: SyncProvider | BaseProvider | None = None,
        initial_model: str | None = None,
        provider_name: str | None = None,
        config: ProviderManagerConfig | None = None,
    ) -> None:
        """`settings` contain constructor keywords and models by provider; see `find_settings`.

        With a `provider_name` and no provider, one is created from the settings; "openai/gpt-5-mini" also sets the
        model. Providers belong to the manager, which closes them. Raises ProviderError if it cannot be created.
        """
        provider = initial_provider.provider if isinstance(initial_provider, SyncProvider) else initial_provider
        self._manager = ProviderManager(settings, provider, initial_model, provider_name, config)
        super().__init__(self._manager)

    @property
    def manager(self) -> ProviderManager:
        """The underlying asynchronous manager."""
        return self._manager

    @property
    def settings(self) -> Any:
        """The settings of providers."""
        return self._manager.settings

    @property
    def config(self) -> ProviderManagerConfig:
        """The configuration of health checks and fallbacks."""
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
        """The name of the current provider; empty if there is none."""
        return self._manager.provider_name

    @property
    def model(self) -> str:
        """The current model; empty if there is none."""
        return self._manager.model

    @property
    def switch_count(self) -> int:
        """The number of switches."""
        return self._manager.switch_count

    @property
    def state(self) -> ProviderState | None:
        """The state of the current provider."""
        return self._manager.state

    @property
    def capabilities(self) -> ToolCallingCapabilities | None:
        """The configured tool capabilities of the current model; see also `detect_capabilities`."""
        return self._manager.capabilities

    @property
    def tool_adapter(self) -> BaseToolCallingAdapter | None:
        """The tool calling adapter of the current model."""
        return self._manager.tool_adapter

    def switch_provider(
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
        return run_or_raise(self._manager.switch_provider(provider_name, model, reason, **provider_kwargs))

    def switch_model(self, model: str, reason: SwitchReason = SwitchReason.USER_REQUEST) -> bool:
        """Switch to another model of the current provider; return False if there is no provider."""
        return run_or_raise(self._manager.switch_model(model, reason))

    def get_info(self) -> ProviderInfo:
        """Return provider, model, capabilities and condition, without sending requests."""
        return call_in_loop(self._manager.get_info)

    def get_context_window(self) -> int:
        """Return the context window in tokens; 0 without a provider."""
        return call_in_loop(self._manager.get_context_window)

    def is_cloud_provider(self) -> bool:
        """Return whether the current provider is a cloud service."""
        return self._manager.is_cloud_provider()

    def is_local_provider(self) -> bool:
        """Return whether the current provider runs on the local machine."""
        return self._manager.is_local_provider()

    def get_switch_history(self) -> list[ModelSwitchEvent]:
        """Return the switches, oldest first."""
        return call_in_loop(self._manager.get_switch_history)

    def add_switch_callback(self, callback: SwitchCallback) -> None:
        """Add a function that is called with the new state after each switch, in the thread of the background loop."""
        self._manager.add_switch_callback(callback)

    def detect_capabilities(self) -> ProviderRuntimeCapabilities | None:
        """Return the capabilities of the current model, as reported by the vendor if possible; cached."""
        return run_or_raise(self._manager.detect_capabilities())

    def get_healthy_providers(self) -> list[str]:
        """Return the names of the working providers among the current one and the fallbacks, the fastest first.

        They are checked concurrently; if health checks are disabled, the outcomes of previous calls are used.
        """
        return run_or_raise(self._manager.get_healthy_providers())

    def start_health_monitoring(self) -> None:
        """Check the current provider periodically, and fall back if it is unhealthy.

        Starts automatically with the first call or switch, unless health checks are disabled.
        """
        run_or_raise(self._manager.start_health_monitoring())

    def stop_health_monitoring(self) -> None:
        """Stop health monitoring."""
        run_or_raise(self._manager.stop_health_monitoring())

    def close(self) -> None:
        """Stop monitoring, end calls in flight, and close the current provider and retiring ones.

        The manager cannot be used afterwards. A provider held by another manager stays open.
        """
        with suppress(LoopUnavailable):  # at exit the loop has closed everything
            run(self._manager.close())
