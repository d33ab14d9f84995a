"""Structure of the table of model capabilities; see `capabilities` for the merging of its sections."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.json import Json

ProviderKind: TypeAlias = Literal["hosted", "open", "local"]
"""hosted: a vendor's API, which always returns structured calls. open: a host of open models, whose calls appear in the
text if its parser misses them. local: a server on the caller's machine."""


class ModelCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The capabilities of one model at one provider."""

    tool_calling: bool = False
    """Trained to call tools."""
    code_generation: bool = False
    vision: bool = False
    reasoning: bool = False
    thinking_mode: bool = False
    """Can reason before it responds."""
    thinking_disable_prefix: str | None = None
    """Prefix of a message that disables thinking."""
    text_format: str = "any"
    """Text format of its tool calls; see `core.text_tools.formats`."""
    native_tool_calls: bool = False
    """The provider returns structured calls of this model."""
    streaming_tool_calls: bool = False
    parallel_tool_calls: bool = False
    tool_choice_param: bool = False
    json_fallback_parsing: bool = True
    """Plain JSON and Python calls in the text are parsed as calls."""
    xml_fallback_parsing: bool = True
    """Calls in the text with markers are parsed as calls."""
    tool_call_format: str | None = None
    """A value of `ToolCallFormat`, for native calls."""
    text_call_format: str | None = None
    """A value of `ToolCallFormat`, for a model without native calls."""
    requires_strict_prompting: bool = True
    argument_format: str = "json"
    recommended_max_tools: int = 20
    recommended_tool_budget: int = 12
    """Number of calls in one turn."""
    exploration_multiplier: float = 1.0
    continuation_patience: int = 10
    """Number of empty turns before an agent stops."""
    timeout_multiplier: float = 1.0


Section: TypeAlias = dict[str, Json]
"""A subset of the fields of `ModelCapabilities`."""


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sections for models that match a pattern."""

    training: Section = {}
    """Properties of the models themselves, independent of the provider."""
    providers: dict[str, Section] = {}
    """Sections by provider."""
    settings: Section = {}
    """Recommended settings."""


class CapabilityTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table: the bundled one, or one read from a file."""

    schema_version: str = "1"
    defaults: Section = {}
    kinds: dict[ProviderKind, Section] = {}
    protocols: dict[str, Section] = {}
    provider_defaults: dict[str, Section] = {}
    models: dict[str, ModelEntry] = {}
    """By glob pattern."""
