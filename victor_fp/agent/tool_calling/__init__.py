"""Tool calling adapters: convert tools for a provider, and parse its tool calls."""

from __future__ import annotations

from victor_fp.agent.tool_calling.adapters import (
    AnthropicToolCallingAdapter,
    BedrockToolCallingAdapter,
    CohereToolCallingAdapter,
    FamilyAdapter,
    GoogleToolCallingAdapter,
    MistralToolCallingAdapter,
    OllamaToolCallingAdapter,
    OpenAIToolCallingAdapter,
    ReplicateToolCallingAdapter,
    ResponsesToolCallingAdapter,
)
from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
from victor_fp.agent.tool_calling.capabilities import ModelCapabilityLoader, get_model_capabilities
from victor_fp.agent.tool_calling.fallback import FallbackParsingMixin
from victor_fp.agent.tool_calling.registry import ToolCallingAdapterRegistry
from victor_fp.agent.tool_calling.results import (
    ParsedToolCall,
    ToolCallFormat,
    ToolCallingCapabilities,
    ToolCallParseResult,
)

__all__ = [
    "AnthropicToolCallingAdapter",
    "BaseToolCallingAdapter",
    "BedrockToolCallingAdapter",
    "CohereToolCallingAdapter",
    "FallbackParsingMixin",
    "FamilyAdapter",
    "GoogleToolCallingAdapter",
    "MistralToolCallingAdapter",
    "ModelCapabilityLoader",
    "OllamaToolCallingAdapter",
    "OpenAIToolCallingAdapter",
    "ReplicateToolCallingAdapter",
    "ResponsesToolCallingAdapter",
    "ParsedToolCall",
    "ToolCallFormat",
    "ToolCallParseResult",
    "ToolCallingAdapterRegistry",
    "ToolCallingCapabilities",
    "get_model_capabilities",
]
