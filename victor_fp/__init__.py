"""One typed interface to every LLM chat provider: a functional core with Results, in a thin imperative shell.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor_fp import replay
    from victor_fp.agent.provider_manager import ProviderManager
    from victor_fp.core.catalogue.spec import ProviderSpec
    from victor_fp.core.embeddings import EmbeddingResponse, RerankResponse
    from victor_fp.core.faults import Fault, describe
    from victor_fp.core.options import ChatOptions
    from victor_fp.core.result import collect, outcome
    from victor_fp.core.structured import structured
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
    from victor_fp.providers.registry import ProviderRegistry

__version__ = "0.1.0"

__all__ = [
    "AudioPart",
    "BaseProvider",
    "ChatOptions",
    "CompletionResponse",
    "EmbeddingResponse",
    "Fault",
    "FilePart",
    "ImagePart",
    "ManagedProvider",
    "ManagedProviderFactory",
    "Message",
    "ProviderConfig",
    "ProviderError",
    "ProviderManager",
    "ProviderRegistry",
    "ProviderSpec",
    "RerankResponse",
    "StreamChunk",
    "TextPart",
    "ToolCall",
    "ToolDefinition",
    "Usage",
    "collect",
    "describe",
    "outcome",
    "replay",
    "structured",
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
    "ProviderRegistry": "victor_fp.providers.registry",
    "ProviderSpec": "victor_fp.core.catalogue.spec",
    "ChatOptions": "victor_fp.core.options",
    "EmbeddingResponse": "victor_fp.core.embeddings",
    "RerankResponse": "victor_fp.core.embeddings",
    "Fault": "victor_fp.core.faults",
    "describe": "victor_fp.core.faults",
    "collect": "victor_fp.core.result",
    "outcome": "victor_fp.core.result",
    "structured": "victor_fp.core.structured",
}


def __getattr__(name: str) -> object:
    if name == "replay":
        return import_module("victor_fp.replay")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
