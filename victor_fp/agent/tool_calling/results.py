"""Result types of adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self


class ToolCallFormat(Enum):
    """The format of tool calls."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    BEDROCK = "bedrock"
    OLLAMA_NATIVE = "ollama_native"
    OLLAMA_JSON = "ollama_json"
    """JSON in the text."""
    LMSTUDIO_NATIVE = "lmstudio_native"
    LMSTUDIO_DEFAULT = "lmstudio_default"
    """`[TOOL_REQUEST]` in the text."""
    VLLM = "vllm"
    XML = "xml"
    """Calls with markers in the text."""
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ToolCallingCapabilities:
    """The tool calling capabilities of a model at a provider."""

    native_tool_calls: bool = False
    """The provider returns structured calls."""
    streaming_tool_calls: bool = False
    parallel_tool_calls: bool = False
    tool_choice_param: bool = False
    json_fallback_parsing: bool = False
    """Plain JSON and Python calls in the text are parsed as calls."""
    xml_fallback_parsing: bool = False
    """Calls in the text with markers are parsed as calls."""
    thinking_mode: bool = False
    thinking_disable_prefix: str | None = None
    requires_strict_prompting: bool = False
    tool_call_format: ToolCallFormat = ToolCallFormat.UNKNOWN
    argument_format: str = "json"
    recommended_max_tools: int = 20
    """Maximum number of tools to pass."""
    recommended_tool_budget: int = 12
    """Number of calls in one turn."""
    exploration_multiplier: float = 1.0
    continuation_patience: int = 10
    """Number of empty turns before an agent stops."""
    timeout_multiplier: float = 1.0
    text_format: str = "any"
    """Text formats of its calls; names of `core.text_tools.FORMATS`."""


@dataclass(frozen=True, slots=True)
class ParsedToolCall:
    """A tool call."""

    name: str
    arguments: dict[str, Any] | str
    """The object, or the original text if it is not a JSON object."""
    id: str | None = None
    """None for a call that was written as text."""

    def to_dict(self) -> dict[str, Any]:
        """Return name, arguments and, if there is one, the id."""
        data: dict[str, Any] = {"name": self.name, "arguments": self.arguments}
        return data if self.id is None else {**data, "id": self.id}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Create a call from the result of `to_dict`."""
        return cls(name=data.get("name", ""), arguments=data.get("arguments", {}), id=data.get("id"))


@dataclass(frozen=True, slots=True)
class ToolCallParseResult:
    """The result of parsing."""

    tool_calls: list[ParsedToolCall] = field(default_factory=list)
    remaining_content: str = ""
    """The text without the calls."""
    parse_method: str = "none"
    """`native`, or the text format of the first call."""
    confidence: float = 1.0
    """Confidence that the calls were intended, from 0 to 1."""
    warnings: list[str] = field(default_factory=list)
    """Calls that were skipped, repaired, or kept as text."""
