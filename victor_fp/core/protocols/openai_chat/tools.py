"""Tools, and the choice among them, in the fields of Chat Completions."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.protocols.openai_family.tools import ToolUse
from victor_fp.core.types import ToolDefinition

EPHEMERAL = wire.CacheControl(type="ephemeral")


def build_tools(rules: Rules, use: ToolUse) -> list[wire.Tool] | UnsetType:
    """The tools as functions; UNSET where there are none."""
    return [_build_tool(rules, tool) for tool in use.tools] if use.tools else UNSET


def build_choice(use: ToolUse) -> wire.NamedToolChoice | str | UnsetType:
    """The choice among the tools, by a word or by name."""
    if use.named is UNSET:
        return use.choice
    return wire.NamedToolChoice(type="function", function=wire.FunctionName(name=use.named))


def _build_tool(rules: Rules, tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        type="function",
        function=wire.FunctionDefinition(
            name=tool.name,
            description=tool.description or UNSET,
            parameters=tool.parameters,
            strict=UNSET if tool.strict is None else tool.strict,
        ),
        cache_control=EPHEMERAL if tool.cache and rules.cache_marks == "cache_control" else UNSET,
    )
