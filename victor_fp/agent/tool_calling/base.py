"""What an adapter is: it knows how one kind of provider takes tools and returns calls."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from victor_fp.agent.tool_calling.fallback import FallbackParsingMixin
from victor_fp.agent.tool_calling.results import (
    ToolCall,
    ToolCallFormat,
    ToolCallingCapabilities,
    ToolCallParseResult,
)
from victor_fp.core.text_tools.formats import formats_called
from victor_fp.core.text_tools.tools import well_formed
from victor_fp.core.types import ToolDefinition

__all__ = [
    "BaseToolCallingAdapter",
    "FallbackParsingMixin",
    "ToolCall",
    "ToolCallFormat",
    "ToolCallParseResult",
    "ToolCallingCapabilities",
]

PLACEHOLDERS = re.compile(
    r"(example|sample)_|(tool|function|func|my_tool|my_function|test_tool)(_?name|_?\d+)?\Z", re.IGNORECASE
)
"""Names that models copy from instructions instead of calling a tool."""
_FENCED = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_CLOSING_RUN = re.compile(r"(?:</\w+>\s*){3,}")
_ORPHAN = re.compile(
    r"</?(?:tool_calls?|tool_code|tool_response|function_calls?|functioncall|invoke|parameter|function|arg_key|arg_value)"
    r"(?:[=\s][^<>]*)?>|\[(?:END_)?TOOL_REQUEST\]|\[TOOL_CALLS\]|<\|(?:python_tag|eom_id|eot_id)\|>"
)
_EMPTY_LINES = re.compile(r"\n{4,}")


class BaseToolCallingAdapter(ABC):
    """One provider's tool calling, for one model.

    A subclass says `provider_name`, `get_capabilities`, `convert_tools` and `parse_tool_calls`; `FallbackParsingMixin`
    helps with the last. `config` may hold `tools`, the definitions of the tools in use: their names always count.
    """

    ARGUMENT_ALIASES: ClassVar[Mapping[tuple[str, str], str]] = {}
    """The name a tool's argument has, by tool and by the name that models give it."""
    TOOL_ARGUMENT_DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Values for arguments that models leave out, by tool."""
    HALLUCINATED_ARGUMENTS: ClassVar[frozenset[str]] = frozenset()
    """Arguments that models invent; they are left out, except where TOOL_VALID_ARGUMENTS has them."""
    TOOL_VALID_ARGUMENTS: ClassVar[Mapping[str, frozenset[str]]] = {}

    def __init__(self, model: str = "", config: Mapping[str, Any] | None = None) -> None:
        self.model = model
        self.model_lower = model.lower()
        self.config: dict[str, Any] = dict(config or {})

    @property
    @abstractmethod
    def provider_name(self) -> str:
        """The provider this adapter is for."""

    @abstractmethod
    def get_capabilities(self) -> ToolCallingCapabilities:
        """What the model can do with tools here."""

    @abstractmethod
    def convert_tools(self, tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
        """The tools as the provider takes them."""

    @abstractmethod
    def parse_tool_calls(
        self, content: str, raw_tool_calls: Sequence[Mapping[str, Any]] | None = None
    ) -> ToolCallParseResult:
        """The calls of an answer: of its raw entries, or else of its text."""

    @property
    def tools(self) -> tuple[ToolDefinition, ...] | None:
        """The tools in use, where `config` tells of them."""
        given = self.config.get("tools")
        return None if given is None else tuple(given)

    def is_valid_tool_name(self, name: str) -> bool:
        """Whether this can be a tool's name: letters, digits, underscores, hyphens and dots, and no placeholder.

        The names of the tools in use are valid whatever they look like.
        """
        if not isinstance(name, str):
            return False
        if any(tool.name == name for tool in self.tools or ()):
            return True
        return well_formed(name) and PLACEHOLDERS.match(name) is None

    def normalize_arguments(self, arguments: Mapping[str, Any], tool_name: str) -> dict[str, Any]:
        """The arguments under the tool's own names, without invented ones, with defaults for what is missing.

        By the class's tables, which are empty until a subclass fills them.
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
        """What a system prompt should say to this model about tools; empty where nothing."""
        capabilities = self.get_capabilities()
        hints: list[str] = []
        if not capabilities.native_tool_calls and (formats := formats_called(capabilities.text_format)):
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
        """The text without marks of calls that stand alone, runs of closing tags, and wide gaps; code is left as it is."""
        pieces = _FENCED.split(content)
        swept = (piece if piece.startswith("```") else _remove_markup(piece) for piece in pieces)
        return "".join(swept).strip()


def _remove_markup(text: str) -> str:
    return _EMPTY_LINES.sub("\n\n\n", _ORPHAN.sub("", _CLOSING_RUN.sub("", text)))
