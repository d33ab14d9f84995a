"""Lookup of adapters: registered ones, else by the protocol in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from returns.result import Failure, Success

from victor_fp.agent.tool_calling.adapters import ADAPTERS, FamilyAdapter, OpenAIToolCallingAdapter
from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
from victor_fp.core.result import outcome
from victor_fp.providers.registry import ProviderRegistry


class ToolCallingAdapterRegistry:
    """Adapters by provider."""

    _registered: ClassVar[dict[str, type[BaseToolCallingAdapter]]] = {}
    _BY_PROTOCOL: ClassVar[dict[str, type[FamilyAdapter]]] = {adapter.PROTOCOL: adapter for adapter in ADAPTERS}

    @classmethod
    def register(cls, provider_name: str, adapter_class: type[BaseToolCallingAdapter]) -> None:
        """Register a class for a provider; it replaces a previous one."""
        cls._registered[provider_name.lower()] = adapter_class

    @classmethod
    def unregister(cls, provider_name: str) -> None:
        """Remove the class registered for a provider."""
        cls._registered.pop(provider_name.lower(), None)

    @classmethod
    def get_adapter(
        cls, provider_name: str, model: str = "", config: Mapping[str, Any] | None = None
    ) -> BaseToolCallingAdapter:
        """Return the adapter of a provider, by name or alias. Unknown providers are treated as OpenAI-compatible."""
        given = provider_name.lower()
        match outcome(ProviderRegistry.catalogue().find(given)):
            case Success(spec):
                name, family = spec.name, cls._BY_PROTOCOL.get(spec.dialect.protocol, OpenAIToolCallingAdapter)
            case Failure():
                name, family = given, OpenAIToolCallingAdapter
        own = cls._registered.get(given) or cls._registered.get(name)
        if own is not None and not issubclass(own, FamilyAdapter):
            return own(model, config)
        return (own or family)(model, config, name)

    @classmethod
    def list_providers(cls) -> list[str]:
        """Return the providers with an adapter, sorted."""
        return sorted({*cls._registered, *ProviderRegistry.catalogue().names})

    @classmethod
    def is_registered(cls, provider_name: str) -> bool:
        """Return whether an adapter is registered, or the provider is in the catalogue."""
        return provider_name.lower() in cls._registered or provider_name in ProviderRegistry.catalogue()
