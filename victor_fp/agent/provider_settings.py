"""A program's settings of providers: constructor keywords and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from returns.result import Success

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.result import outcome
from victor_fp.providers.base import BaseProvider
from victor_fp.providers.registry import ProviderRegistry

_MODELS = ("model", "default_model")


def find_settings(settings: Any, provider_name: str) -> dict[str, Any]:
    """Return the keywords for a provider's constructor, including `model` if it is set.

    `settings` may have a method `get_provider_settings(name)`, or be a mapping from names to keywords, itself or under
    "providers". Anything else, including None, has no settings.
    """
    ask = getattr(settings, "get_provider_settings", None)
    found: Any = None
    if callable(ask):
        found = ask(provider_name)
    elif isinstance(settings, Mapping):
        by_name = settings.get("providers", settings)
        found = _find_by_name(by_name, provider_name) if isinstance(by_name, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _find_by_name(by_name: Mapping[Any, Any], provider_name: str) -> Any:
    """Return the entry of a name, case-insensitively."""
    if provider_name in by_name:
        return by_name[provider_name]
    wanted = provider_name.lower()
    return next((value for name, value in by_name.items() if str(name).lower() == wanted), None)


def take_model(keywords: dict[str, Any]) -> str | None:
    """Remove and return the model of settings, which constructors do not accept."""
    named = [keywords.pop(name, None) for name in _MODELS]
    return next((str(model) for model in named if model), None)


def find_default_model(provider_name: str, provider: BaseProvider) -> str | None:
    """Return the default model: `default_model` of the provider, or that of the catalogue."""
    own = getattr(provider, "default_model", None)
    if isinstance(own, str):
        return own
    spec = find_spec(provider_name)
    return None if spec is None else spec.default_model


def find_spec(provider_name: str) -> ProviderSpec | None:
    """Return the catalogue entry of a provider, if any."""
    match outcome(ProviderRegistry.catalogue().find(provider_name)):
        case Success(spec):
            return spec
        case _:
            return None
