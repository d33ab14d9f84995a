"""What a provider and model can do, found out while running or configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class ProviderRuntimeCapabilities:
    """Capabilities and limits of a provider and model."""

    provider: str
    model: str
    context_window: int
    """Tokens that prompt and answer may take together."""
    supports_tools: bool
    supports_streaming: bool
    source: str = "config"
    """`discovered` where the vendor said so over HTTP, else `config`."""
    raw: dict[str, Any] | None = None
    """The vendor's own words."""
    max_output_tokens: int | None = None
