"""What adapters answer with: calls, and what was made of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self


class ToolCallFormat(Enum):
    """How calls come."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    BEDROCK = "bedrock"
    OLLAMA_NATIVE = "ollama_native"
    OLLAMA_JSON = "ollama_json"
    """As JSON in the text."""
    LMSTUDIO_NATIVE = "lmstudio_native"
    LMSTUDIO_DEFAULT = "lmstudio_default"
    """As `[TOOL_REQUEST]` in the text."""
    VLLM = "vllm"
    XML = "xml"
    """With marks of their own in the text."""
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ToolCallingCapabilities:
    """What a model at a provider can do with tools."""

    native_tool_calls: bool = False
    """Calls come as such."""
    streaming_tool_calls: bool = False
    parallel_tool_calls: bool = False
    tool_choice_param: bool = False
    json_fallback_parsing: bool = False
    """Plain JSON and Python calls in the text count."""
    xml_fallback_parsing: bool = False
    """Calls in the text that bear marks of their own count."""
    thinking_mode: bool = False
    thinking_disable_prefix: str | None = None
    requires_strict_prompting: bool = False
    tool_call_format: ToolCallFormat = ToolCallFormat.UNKNOWN
    argument_format: str = "json"
    recommended_max_tools: int = 20
    """Tools to pass."""
    recommended_tool_budget: int = 12
    """Calls in one turn."""
    exploration_multiplier: float = 1.0
    continuation_patience: int = 10
    """Empty turns before an agent gives up."""
    timeout_multiplier: float = 1.0
    text_format: str = "any"
    """The textual formats of its calls, by the names of `core.text_tools.FORMATS`."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call, wherever it came from."""

    name: str
    arguments: dict[str, Any] | str
    """The object, or the original text where it is no JSON object."""
    id: str | None = None
    """None for a call that was written as text."""

    def to_dict(self) -> dict[str, Any]:
        """Name and arguments, and the id where there is one."""
        told: dict[str, Any] = {"name": self.name, "arguments": self.arguments}
        return told if self.id is None else {**told, "id": self.id}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The other way round."""
        return cls(name=data.get("name", ""), arguments=data.get("arguments", {}), id=data.get("id"))


@dataclass(frozen=True, slots=True)
class ToolCallParseResult:
    """What was found."""

    tool_calls: list[ToolCall] = field(default_factory=list)
    remaining_content: str = ""
    """The text without the calls."""
    parse_method: str = "none"
    """How the calls were found: `native`, or the word for the textual format of the first."""
    confidence: float = 1.0
    """How unlikely it is that something else was meant, from 0 to 1."""
    warnings: list[str] = field(default_factory=list)
    """What was skipped, repaired, or meant as a call but stayed text."""
