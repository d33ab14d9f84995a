"""The state of a current or former provider."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from victor_fp.agent.provider_settings import find_spec
from victor_fp.core.faults import Fault, describe
from victor_fp.core.models.limits import find_context_window
from victor_fp.core.telemetry.stats import ProviderInfo
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry
from victor_fp.providers.runtime_capabilities import ProviderRuntimeCapabilities
from victor_fp.shell.engine.in_flight import InFlight, find_in_flight
from victor_fp.shell.limits_file import load_limits

if TYPE_CHECKING:
    from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
    from victor_fp.agent.tool_calling.results import ToolCallingCapabilities


@dataclass
class ProviderState:
    """A provider and model in use. Callbacks of a switch receive the new state."""

    provider: BaseProvider
    provider_name: str
    model: str
    is_healthy: bool = True
    """True until a call or check fails, and again after one that succeeds."""
    last_error: str | None = None
    runtime_capabilities: ProviderRuntimeCapabilities | None = None
    switch_count: int = 0
    """Number of switches up to this one."""
    is_released: bool = field(default=False, repr=False)
    """Whether the provider is no longer held by this state."""

    @property
    def in_flight(self) -> InFlight:
        """The operations of this provider in flight, of all managers."""
        return find_in_flight(self.provider)

    @cached_property
    def tool_adapter(self) -> BaseToolCallingAdapter:
        """The tool calling adapter of this model."""
        from victor_fp.agent.tool_calling.registry import ToolCallingAdapterRegistry

        return ToolCallingAdapterRegistry.get_adapter(self.provider_name, self.model)

    @property
    def capabilities(self) -> ToolCallingCapabilities:
        """The configured tool capabilities of this model."""
        return self.tool_adapter.get_capabilities()

    def record_health(self, fault: Fault | None) -> None:
        """Record the outcome of a check or call."""
        self.is_healthy = fault is None
        self.last_error = None if fault is None else describe(fault)


def describe_state(state: ProviderState | None) -> ProviderInfo:
    """Return information about the current provider and model, without sending requests."""
    if state is None:
        return {"provider": None, "model": None}
    provider, found = state.provider, state.runtime_capabilities
    spec, calling = find_spec(state.provider_name), state.capabilities
    tools = provider.supports_tools() if found is None else found.supports_tools
    streaming = provider.supports_streaming() if found is None else found.supports_streaming
    return {
        "provider": state.provider_name,
        "model": state.model,
        "supports_tools": tools,
        "supports_streaming": streaming,
        "native_tool_calls": tools and calling.native_tool_calls,
        "streaming_tool_calls": tools and streaming and calling.streaming_tool_calls,
        "parallel_tool_calls": tools and calling.parallel_tool_calls,
        "thinking_mode": calling.thinking_mode,
        "context_window": compute_context_window(state),
        "max_output_tokens": None if found is None else found.max_output_tokens,
        "capabilities_source": "config" if found is None else found.source,
        "is_cloud": spec is not None and not spec.local,
        "is_local": spec is not None and spec.local,
        "is_healthy": state.is_healthy and not provider.is_circuit_open(),
        "circuit_open": provider.is_circuit_open(),
        "in_flight": state.in_flight.count,
        "last_error": state.last_error,
        "switch_count": state.switch_count,
    }


def compute_context_window(state: ProviderState) -> int:
    """Return the context window in tokens: as discovered, as reported by the provider's class, else as configured."""
    found = state.runtime_capabilities
    if found is not None and found.source == "discovered":
        return found.context_window
    own = _find_own_window(state.provider)
    if own is not None:
        try:
            window = own(state.model)
        except Exception:  # code of a custom provider; the configured value is used
            window = None
        if isinstance(window, int) and window > 0:
            return window
    if found is not None:
        return found.context_window
    catalogue, reported = ProviderRegistry.catalogue(), load_limits(os.environ)
    return find_context_window(state.provider_name, state.model, catalogue, reported)


def _find_own_window(provider: object) -> Callable[[str], object] | None:
    """Return the method `get_context_window` of a provider, or of the one that it wraps."""
    while isinstance(provider, BaseProvider):
        own: object = getattr(provider, "get_context_window", None)
        if callable(own):
            return own
        provider = getattr(provider, "provider", None)
    return None
