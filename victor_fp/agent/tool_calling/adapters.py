"""Adapters of built-in providers: one class for each protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from victor_fp.agent.tool_calling.base import BaseToolCallingAdapter
from victor_fp.agent.tool_calling.capabilities import ModelCapabilityLoader
from victor_fp.agent.tool_calling.fallback import FallbackParsingMixin
from victor_fp.agent.tool_calling.results import ToolCallFormat, ToolCallingCapabilities, ToolCallParseResult
from victor_fp.core.text_tools.formats import FORMATS
from victor_fp.core.types import ToolDefinition


class FamilyAdapter(FallbackParsingMixin, BaseToolCallingAdapter):
    """An adapter for all providers with one protocol; the defaults are those of OpenAI Chat Completions.

    `config` may hold `tools`, the definitions in use, and `capabilities`, a `CapabilityTable` instead of the bundled
    one.
    """

    PROTOCOL: ClassVar[str]
    PROVIDER: ClassVar[str]
    """The provider that defines the protocol."""
    CALL_FORMAT: ClassVar[ToolCallFormat] = ToolCallFormat.OPENAI

    def __init__(self, model: str = "", config: Mapping[str, Any] | None = None, provider: str | None = None) -> None:
        super().__init__(model, config)
        self._provider = provider or self.PROVIDER

    @property
    def provider_name(self) -> str:
        """The provider of this adapter, by default that of the class."""
        return self._provider

    def get_capabilities(self) -> ToolCallingCapabilities:
        """Return the capabilities from the table."""
        loader = ModelCapabilityLoader(self.config.get("capabilities"))
        return loader.get_capabilities(self._provider, self.model, self.CALL_FORMAT)

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to the format of the protocol."""
        return [{"type": "function", "function": _describe_tool(tool, "parameters")} for tool in tools]

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

    PROTOCOL = "openai-chat"
    PROVIDER = "openai"


class ResponsesToolCallingAdapter(FamilyAdapter):
    """OpenAI Responses."""

    PROTOCOL = "openai-responses"
    PROVIDER = "openai-responses"

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to functions without a nested object."""
        return [{"type": "function", **_describe_tool(tool, "parameters")} for tool in tools]


class AnthropicToolCallingAdapter(FamilyAdapter):
    """Anthropic Messages."""

    PROTOCOL = "anthropic-messages"
    PROVIDER = "anthropic"
    CALL_FORMAT = ToolCallFormat.ANTHROPIC

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to descriptions with `input_schema`."""
        return [_describe_tool(tool, "input_schema") for tool in tools]


class GoogleToolCallingAdapter(FamilyAdapter):
    """Gemini, at Google and on Vertex."""

    PROTOCOL = "gemini"
    PROVIDER = "google"
    CALL_FORMAT = ToolCallFormat.GOOGLE

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to one tool with all functions; functions without parameters have no `parameters`."""
        functions = [
            _describe_tool(tool, "parameters" if tool.parameters.get("properties") else None) for tool in tools
        ]
        return [{"function_declarations": functions}] if functions else []


class InteractionsToolCallingAdapter(FamilyAdapter):
    """Gemini Interactions."""

    PROTOCOL = "gemini-interactions"
    PROVIDER = "google-interactions"
    CALL_FORMAT = ToolCallFormat.GOOGLE

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to functions without a nested object."""
        return [{"type": "function", **_describe_tool(tool, "parameters")} for tool in tools]


class BedrockToolCallingAdapter(FamilyAdapter):
    """Bedrock Converse."""

    PROTOCOL = "bedrock-converse"
    PROVIDER = "bedrock"
    CALL_FORMAT = ToolCallFormat.BEDROCK

    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to `toolSpec` objects."""
        return [
            {"toolSpec": {**_describe_tool(tool, None), "inputSchema": {"json": dict(tool.parameters)}}}
            for tool in tools
        ]


class OllamaToolCallingAdapter(FamilyAdapter):
    """Ollama's native protocol."""

    PROTOCOL = "ollama-chat"
    PROVIDER = "ollama"
    CALL_FORMAT = ToolCallFormat.OLLAMA_NATIVE


class CohereToolCallingAdapter(FamilyAdapter):
    """Cohere v2."""

    PROTOCOL = "cohere-v2"
    PROVIDER = "cohere"


class MistralToolCallingAdapter(FamilyAdapter):
    """Mistral."""

    PROTOCOL = "mistral"
    PROVIDER = "mistral"


class ReplicateToolCallingAdapter(FamilyAdapter):
    """Replicate, which does not support tools: calls can only be in the text, and the tools in the prompt."""

    PROTOCOL = "replicate"
    PROVIDER = "replicate"
    CALL_FORMAT = ToolCallFormat.NONE


def _describe_tool(tool: ToolDefinition, schema_key: str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name, "description": tool.description}
    return described if schema_key is None else {**described, schema_key: dict(tool.parameters)}


ADAPTERS: tuple[type[FamilyAdapter], ...] = tuple(FamilyAdapter.__subclasses__())
"""The classes above."""
