"""Dialects: how one vendor speaks a protocol, as data. The type of a dialect decides the protocol."""

from __future__ import annotations

from typing import TypeAlias

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.bedrock import BedrockDialect
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.dialects.interactions import InteractionsDialect
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.dialects.responses import ResponsesDialect

__all__ = [
    "AnthropicDialect",
    "BedrockDialect",
    "ChatDialect",
    "CohereDialect",
    "Dialect",
    "GeminiDialect",
    "InteractionsDialect",
    "MistralDialect",
    "OllamaDialect",
    "ReplicateDialect",
    "ResponsesDialect",
]

Dialect: TypeAlias = (
    ChatDialect
    | AnthropicDialect
    | GeminiDialect
    | InteractionsDialect
    | OllamaDialect
    | CohereDialect
    | MistralDialect
    | ReplicateDialect
    | ResponsesDialect
    | BedrockDialect
)
