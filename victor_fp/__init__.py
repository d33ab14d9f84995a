"""One typed interface to every LLM provider, with failures as exceptions or as `Result` values.

Names are loaded when they are first used, so that the package is imported quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor_fp import replay, sync
    from victor_fp.agent.provider_manager import ProviderManager
    from victor_fp.agent.tools import Tool, run_tools, tool
    from victor_fp.core.catalogue import Catalogue
    from victor_fp.core.catalogue.spec import ProviderSpec
    from victor_fp.core.faults import Fault, describe
    from victor_fp.core.metadata import ChunkMetadata, EmbeddingMetadata, RerankMetadata, ResponseMetadata
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.result import collect, outcome
    from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse
    from victor_fp.core.schemas.structured import structured
    from victor_fp.core.telemetry.stats import (
        BudgetStats,
        CircuitBreakerStats,
        ProviderInfo,
        ProviderMetrics,
        RateLimitStats,
        ResilienceStats,
    )
    from victor_fp.core.types import (
        AudioPart,
        CompletionResponse,
        FilePart,
        ImagePart,
        Message,
        StreamChunk,
        TextPart,
        ToolCall,
        ToolDefinition,
        Usage,
    )
    from victor_fp.providers.base import BaseProvider, ProviderError
    from victor_fp.providers.factory import ManagedProvider, ManagedProviderFactory, ProviderConfig
    from victor_fp.providers.provider import Provider
    from victor_fp.providers.registry import ProviderRegistry, create

__version__ = "0.1.0"

__all__ = [
    "AudioPart",
    "BaseProvider",
    "BudgetStats",
    "Catalogue",
    "ChatOptions",
    "ChunkMetadata",
    "CircuitBreakerStats",
    "CompletionResponse",
    "EmbeddingMetadata",
    "EmbeddingResponse",
    "Fault",
    "FilePart",
    "ImagePart",
    "ManagedProvider",
    "ManagedProviderFactory",
    "Message",
    "Provider",
    "ProviderConfig",
    "ProviderError",
    "ProviderInfo",
    "ProviderManager",
    "ProviderMetrics",
    "ProviderRegistry",
    "ProviderSpec",
    "RateLimitStats",
    "RerankMetadata",
    "RerankResponse",
    "ResilienceStats",
    "ResponseMetadata",
    "StreamChunk",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolDefinition",
    "Usage",
    "collect",
    "create",
    "describe",
    "outcome",
    "replay",
    "run_tools",
    "structured",
    "sync",
    "tool",
]

_TYPES = "victor_fp.core.types"
_HOMES = {
    **dict.fromkeys(("AudioPart", "CompletionResponse", "FilePart", "ImagePart", "Message", "StreamChunk"), _TYPES),
    **dict.fromkeys(("TextPart", "ToolCall", "ToolDefinition", "Usage"), _TYPES),
    "BaseProvider": "victor_fp.providers.base",
    "ProviderError": "victor_fp.providers.base",
    "ManagedProvider": "victor_fp.providers.factory",
    "ManagedProviderFactory": "victor_fp.providers.factory",
    "ProviderConfig": "victor_fp.providers.factory",
    "ProviderManager": "victor_fp.agent.provider_manager",
    **dict.fromkeys(("Tool", "run_tools", "tool"), "victor_fp.agent.tools"),
    "Provider": "victor_fp.providers.provider",
    **dict.fromkeys(("ProviderRegistry", "create"), "victor_fp.providers.registry"),
    "Catalogue": "victor_fp.core.catalogue",
    "ProviderSpec": "victor_fp.core.catalogue.spec",
    **dict.fromkeys(
        ("ChunkMetadata", "EmbeddingMetadata", "RerankMetadata", "ResponseMetadata"), "victor_fp.core.metadata"
    ),
    **dict.fromkeys(("CircuitBreakerStats", "ProviderInfo", "ProviderMetrics"), "victor_fp.core.telemetry.stats"),
    **dict.fromkeys(("BudgetStats", "RateLimitStats", "ResilienceStats"), "victor_fp.core.telemetry.stats"),
    "ChatOptions": "victor_fp.core.options",
    "EmbeddingResponse": "victor_fp.core.retrieval.embeddings",
    "RerankResponse": "victor_fp.core.retrieval.embeddings",
    "Fault": "victor_fp.core.faults",
    "describe": "victor_fp.core.faults",
    "collect": "victor_fp.core.result",
    "outcome": "victor_fp.core.result",
    "structured": "victor_fp.core.schemas.structured",
}


def __getattr__(name: str) -> object:
    if name in ("replay", "sync"):
        return import_module(f"victor_fp.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
