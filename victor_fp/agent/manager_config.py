"""The configuration of a ProviderManager: health checks and fallbacks."""

from __future__ import annotations

from dataclasses import dataclass, field

from victor_fp.core.model_names import split_model_name
from victor_fp.providers.registry import ProviderRegistry


@dataclass
class ProviderManagerConfig:
    """The configuration of a ProviderManager: health checks and fallbacks."""

    enable_health_checks: bool = True
    """Check a provider before switching to it, and the current one periodically."""
    health_check_interval: float = 60.0
    """Seconds."""
    auto_fallback: bool = True
    """Switch to a fallback if the current provider is unhealthy, or if a call fails because of the provider."""
    fallback_providers: list[str] = field(default_factory=list)
    """Names, in order; "name/model" or "name:model" also sets the model."""
    max_fallback_attempts: int = 3

    def fallbacks(self) -> list[tuple[str, str | None]]:
        """Return the names of the fallbacks in lower case, each with its model, if given."""
        split = (
            split_model_name(name, ProviderRegistry.is_registered, separators="/:") for name in self.fallback_providers
        )
        return [(name.lower(), model) for name, model in split]
