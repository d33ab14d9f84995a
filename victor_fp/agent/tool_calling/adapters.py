"""Adapters of built-in providers: one class for each protocol, based on the data in `families`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from victor_fp.agent.tool_calling import families
from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
from victor_fp.agent.tool_calling.capabilities import ModelCapabilityLoader
from victor_fp.agent.tool_calling.fallback import FallbackParsingMixin
from victor_fp.agent.tool_calling.families import Family
from victor_fp.agent.tool_calling.results import ToolCallingCapabilities, ToolCallParseResult
from victor_fp.core.text_tools.formats import FORMATS
from victor_fp.core.types import ToolDefinition


class FamilyAdapter(FallbackParsingMixin, BaseToolCallingAdapter):
    """An adapter for all providers with the protocol of its family.

    `config` may hold `tools`, the definitions in use, and `capabilities`, a `CapabilityTable` instead of the bundled
    one.
    """

    FAMILY: ClassVar[Family]

    def __init__(self, model: str = "", config: Mapping[str, Any] | None = None, provider: str | None = None) -> None:
        super().__init__(model, config)
        self._provider = provider or self.FAMILY.provider

    @property
    def provider_name(self) -> str:
        """The provider of this adapter, by default that of the family."""
        return self._provider

    def get_capabilities(self) -> ToolCallingCapabilities:
        """Return the capabilities from the table."""
        loader = ModelCapabilityLoader(self.config.get("capabilities"))
        return loader.get_capabilities(self._provider, self.model, self.FAMILY.call_format)

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to the format of the family."""
        return self.FAMILY.convert(tools)

    def parse_tool_calls(
        self, content: str, raw_tool_calls: Sequence[Mapping[str, Any]] | None = None
    ) -> ToolCallParseResult:
        """Parse the native calls or, without any, calls in the text if the capabilities enable this."""
        native = self.parse_native_tool_calls(raw_tool_calls or (), self.is_valid_tool_name)
        if native.tool_calls or not content:
            return replace(native, remaining_content=content)
        capabilities = self.get_capabilities()
        formats = [
            form
            for form in FORMATS
            if (capabilities.xml_fallback_parsing if form.markup else capabilities.json_fallback_parsing)
        ]
        if not formats:
            return replace(native, remaining_content=content)
        found = self.parse_from_content(content, self.is_valid_tool_name, tools=self.tools, formats=formats)
        return replace(found, warnings=[*native.warnings, *found.warnings])


class OpenAIToolCallingAdapter(FamilyAdapter):
    """OpenAI Chat Completions and every provider compatible with it."""

    FAMILY = families.OPENAI


class ResponsesToolCallingAdapter(FamilyAdapter):
    """OpenAI Responses."""

    FAMILY = families.RESPONSES


class AnthropicToolCallingAdapter(FamilyAdapter):
    """Anthropic Messages."""

    FAMILY = families.ANTHROPIC


class GoogleToolCallingAdapter(FamilyAdapter):
    """Gemini, at Google and on Vertex."""

    FAMILY = families.GOOGLE


class InteractionsToolCallingAdapter(FamilyAdapter):
    """Gemini Interactions."""

    FAMILY = families.INTERACTIONS


class BedrockToolCallingAdapter(FamilyAdapter):
    """Bedrock Converse."""

    FAMILY = families.BEDROCK


class OllamaToolCallingAdapter(FamilyAdapter):
    """Ollama's native protocol."""

    FAMILY = families.OLLAMA


class CohereToolCallingAdapter(FamilyAdapter):
    """Cohere v2."""

    FAMILY = families.COHERE


class MistralToolCallingAdapter(FamilyAdapter):
    """Mistral."""

    FAMILY = families.MISTRAL


class ReplicateToolCallingAdapter(FamilyAdapter):
    """Replicate, which does not support tools: calls can only be in the text."""

    FAMILY = families.REPLICATE


ADAPTERS: tuple[type[FamilyAdapter], ...] = (
    OpenAIToolCallingAdapter,
    ResponsesToolCallingAdapter,
    AnthropicToolCallingAdapter,
    GoogleToolCallingAdapter,
    InteractionsToolCallingAdapter,
    BedrockToolCallingAdapter,
    OllamaToolCallingAdapter,
    CohereToolCallingAdapter,
    MistralToolCallingAdapter,
    ReplicateToolCallingAdapter,
)
