"""How a ProviderManager watches and falls back."""

from __future__ import annotations

from dataclasses import dataclass, field

from victor_fp.core.model_names import split_model_name
from victor_fp.providers.registry import ProviderRegistry


@dataclass
class ProviderManagerConfig:
    """How a ProviderManager watches and falls back."""

    enable_health_checks: bool = True
    """Check a provider before switching to it, and the current one from time to time."""
    health_check_interval: float = 60.0
    """Seconds."""
    auto_fallback: bool = True
    """Switch to a fallback when the current provider is found unhealthy, or a call fails for the provider's reasons."""
    fallback_providers: list[str] = field(default_factory=list)
    """Names, in order; "name/model" or "name:model" names the model to use there."""
    max_fallback_attempts: int = 3

    def fallbacks(self) -> list[tuple[str, str | None]]:
        """Names of the fallbacks, in lower case, each with its model where one is named."""
        split = (
            split_model_name(name, ProviderRegistry.is_registered, separators="/:") for name in self.fallback_providers
        )
        return [(name.lower(), model) for name, model in split]
