"""The tool formats of each protocol, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from victor_fp.agent.tool_calling.results import ToolCallFormat
from victor_fp.core.types import ToolDefinition


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The providers with one protocol."""

    protocol: str
    provider: str
    """The provider that defines the protocol."""
    call_format: ToolCallFormat
    convert: Callable[[Sequence[ToolDefinition]], list[dict[str, Any]]]


def to_chat_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Convert tools for OpenAI Chat Completions and compatible APIs."""
    return [{"type": "function", "function": _describe_tool(tool, "parameters")} for tool in tools]


def to_responses_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Convert tools for OpenAI Responses and Gemini Interactions."""
    return [{"type": "function", **_describe_tool(tool, "parameters")} for tool in tools]


def to_input_schema_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Anthropic Messages."""
    return [_describe_tool(tool, "input_schema") for tool in tools]


def to_gemini_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Convert tools for Gemini: one tool with all functions; functions without parameters have no `parameters`."""
    functions = [_describe_tool(tool, "parameters" if tool.parameters.get("properties") else None) for tool in tools]
    return [{"function_declarations": functions}] if functions else []


def to_bedrock_tools(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Bedrock Converse."""
    return [
        {"toolSpec": {**_describe_tool(tool, None), "inputSchema": {"json": dict(tool.parameters)}}} for tool in tools
    ]


def _describe_tool(tool: ToolDefinition, schema_key: str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name, "description": tool.description}
    return described if schema_key is None else {**described, schema_key: dict(tool.parameters)}


OPENAI = Family(protocol="openai-chat", provider="openai", call_format=ToolCallFormat.OPENAI, convert=to_chat_tools)
RESPONSES = Family(
    protocol="openai-responses",
    provider="openai-responses",
    call_format=ToolCallFormat.OPENAI,
    convert=to_responses_tools,
)
ANTHROPIC = Family(
    protocol="anthropic-messages",
    provider="anthropic",
    call_format=ToolCallFormat.ANTHROPIC,
    convert=to_input_schema_tools,
)
GOOGLE = Family(protocol="gemini", provider="google", call_format=ToolCallFormat.GOOGLE, convert=to_gemini_tools)
INTERACTIONS = Family(
    protocol="gemini-interactions",
    provider="google-interactions",
    call_format=ToolCallFormat.GOOGLE,
    convert=to_responses_tools,
)
BEDROCK = Family(
    protocol="bedrock-converse", provider="bedrock", call_format=ToolCallFormat.BEDROCK, convert=to_bedrock_tools
)
OLLAMA = Family(
    protocol="ollama-chat", provider="ollama", call_format=ToolCallFormat.OLLAMA_NATIVE, convert=to_chat_tools
)
COHERE = Family(protocol="cohere-v2", provider="cohere", call_format=ToolCallFormat.OPENAI, convert=to_chat_tools)
MISTRAL = Family(protocol="mistral", provider="mistral", call_format=ToolCallFormat.OPENAI, convert=to_chat_tools)
REPLICATE = Family(protocol="replicate", provider="replicate", call_format=ToolCallFormat.NONE, convert=to_chat_tools)
"""Replicate does not support tools; the format is used in prompts."""
