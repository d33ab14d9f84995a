"""The base class of tool calling adapters."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from victor_fp.agent.tool_calling.fallback import FallbackParsingMixin
from victor_fp.agent.tool_calling.results import (
    ParsedToolCall,
    ToolCallFormat,
    ToolCallingCapabilities,
    ToolCallParseResult,
)
from victor_fp.core.text_tools.formats import find_formats
from victor_fp.core.text_tools.tools import is_well_formed
from victor_fp.core.types import ToolDefinition

__all__ = [
    "BaseToolCallingAdapter",
    "FallbackParsingMixin",
    "ParsedToolCall",
    "ToolCallFormat",
    "ToolCallParseResult",
    "ToolCallingCapabilities",
]

PLACEHOLDERS = re.compile(
    r"(example|sample)_|(tool|function|func|my_tool|my_function|test_tool)(_?name|_?\d+)?\Z", re.IGNORECASE
)
"""Placeholder names that models copy from instructions."""
_FENCED = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_CLOSING_RUN = re.compile(r"(?:</\w+>\s*){3,}")
_ORPHAN = re.compile(
    r"</?(?:tool_calls?|tool_code|tool_response|function_calls?|functioncall|invoke|parameter|function|arg_key|arg_value)"
    r"(?:[=\s][^<>]*)?>|\[(?:END_)?TOOL_REQUEST\]|\[TOOL_CALLS\]|<\|(?:python_tag|eom_id|eot_id)\|>"
)
_EMPTY_LINES = re.compile(r"\n{4,}")


class BaseToolCallingAdapter(ABC):
    """Tool calling of one provider and model.

    A subclass implements `provider_name`, `get_capabilities`, `convert_tools` and `parse_tool_calls`;
    `FallbackParsingMixin` helps with the last. `config` may hold `tools`, the definitions of the tools in use: their
    names are always valid.
    """

    ARGUMENT_ALIASES: ClassVar[Mapping[tuple[str, str], str]] = {}
    """The real names of arguments, by tool and by the name that models use."""
    TOOL_ARGUMENT_DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Default values of missing arguments, by tool."""
    HALLUCINATED_ARGUMENTS: ClassVar[frozenset[str]] = frozenset()
    """Arguments that models hallucinate; they are removed, unless TOOL_VALID_ARGUMENTS contains them."""
    TOOL_VALID_ARGUMENTS: ClassVar[Mapping[str, frozenset[str]]] = {}

    def __init__(self, model: str = "", config: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.model_lower = model.lower()
        self.config: dict[str, Any] = dict(config or {})

    @property
    @abstractmethod
    def provider_name(self) -> str:
        """The provider of this adapter."""

    @abstractmethod
    def get_capabilities(self) -> ToolCallingCapabilities:
        """Return the tool calling capabilities of the model."""

    @abstractmethod
    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """Convert tools to the provider's format."""

    @abstractmethod
    def parse_tool_calls(
        self, content: str, raw_tool_calls: Sequence[Mapping[str, Any]] | None = None
    ) -> ToolCallParseResult:
        """Parse the calls of a response: from its raw entries, or else from its text."""

    @property
    def tools(self) -> tuple[ToolDefinition, ...] | None:
        """The tools in use, if they are in `config`."""
        given = self.config.get("tools")
        return None if given is None else tuple(given)

    def is_valid_tool_name(self, name: str) -> bool:
        """Return whether a tool name is valid: letters, digits, underscores, hyphens and dots, and not a placeholder.

        The names of the tools in use are always valid.
        """
        if not isinstance(name, str):
            return False
        if any(tool.name == name for tool in self.tools or ()):
            return True
        return is_well_formed(name) and PLACEHOLDERS.match(name) is None

    def normalize_arguments(self, arguments: Mapping[str, Any], tool_name: str) -> dict[str, Any]:
        """Rename arguments to the tool's names, remove hallucinated ones, and add defaults.

        Uses the tables of the class, which are empty by default.
        """
        valid = self.TOOL_VALID_ARGUMENTS.get(tool_name, frozenset())
        named: dict[str, Any] = {}
        for key, value in arguments.items():
            own = self.ARGUMENT_ALIASES.get((tool_name, key), key)
            if own in named and own != key:
                continue
            if own not in self.HALLUCINATED_ARGUMENTS or own in valid:
                named[own] = value
        for key, value in self.TOOL_ARGUMENT_DEFAULTS.get(tool_name, {}).items():
            if named.get(key) is None:
                named[key] = value
        return named

    def get_system_prompt_hints(self) -> str:
        """Return instructions about tools for the system prompt of this model; may be empty."""
        capabilities = self.get_capabilities()
        hints: list[str] = []
        if not capabilities.native_tool_calls and (formats := find_formats(capabilities.text_format)):
            example = formats[0].write("TOOL_NAME", {"PARAMETER_NAME": "VALUE"})
            hints += ["To call a tool, write a call of exactly this form, and stop after it:", example]
        if capabilities.requires_strict_prompting:
            hints.append("Call one tool at a time, wait for its result, and answer in plain text when you know enough.")
        elif capabilities.parallel_tool_calls:
            hints.append("Calls that do not depend on each other may be made together.")
        if capabilities.thinking_mode and capabilities.thinking_disable_prefix:
            hints.append(
                f"{capabilities.thinking_disable_prefix} before a question asks for an answer without thinking."
            )
        return "\n".join(hints)

    def sanitize_content(self, content: str) -> str:
        """Remove stray markers of calls, runs of closing tags, and large gaps; code blocks are kept unchanged."""
        pieces = _FENCED.split(content)
        swept = (piece if piece.startswith("```") else _remove_markup(piece) for piece in pieces)
        return "".join(swept).strip()


def _remove_markup(text: str) -> str:
    return _EMPTY_LINES.sub("\n\n\n", _ORPHAN.sub("", _CLOSING_RUN.sub("", text)))
