"""How a ProviderManager watches and falls back."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """Names, in order; "name:model" names the model to use there."""
    max_fallback_attempts: int = 3

    def fallbacks(self) -> list[tuple[str, str | None]]:
        """Names of the fallbacks, in lower case, each with its model where one is named."""
        return [(name.lower(), model or None) for name, _, model in map(_parted, self.fallback_providers)]


def _parted(spelling: str) -> tuple[str, str, str]:
    return spelling.partition(":")
