"""Capabilities of a provider and model, discovered at runtime or configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from victor_fp.core.catalogue.spec import ModelInfo


@dataclass
class ProviderRuntimeCapabilities:
    """Capabilities and limits of a provider and model."""

    provider: str
    model: str
    context_window: int
    """Maximum tokens of prompt and response together."""
    supports_tools: bool
    supports_streaming: bool
    source: str = "config"
    """`discovered` if the vendor reported the context window over HTTP, else `config`."""
    raw: dict[str, Any] | None = None
    """The vendor's description of the model."""
    max_output_tokens: int | None = None


def merge_discovered(configured: ProviderRuntimeCapabilities, info: ModelInfo) -> ProviderRuntimeCapabilities:
    """Merge values reported by the vendor into the configured ones, which they override."""
    return ProviderRuntimeCapabilities(
        provider=configured.provider,
        model=configured.model,
        context_window=info.context_window or configured.context_window,
        supports_tools=configured.supports_tools if info.supports_tools is None else info.supports_tools,
        supports_streaming=configured.supports_streaming
        if info.supports_streaming is None
        else info.supports_streaming,
        source="discovered" if info.context_window else configured.source,
        raw=dict(info.raw),
        max_output_tokens=info.max_output or configured.max_output_tokens,
    )
