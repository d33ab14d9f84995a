"""Tools and tool choice of Chat Completions."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.protocols.openai_family.options import Rules
from victor_fp.core.protocols.openai_family.tools import ToolUse
from victor_fp.core.types import ToolDefinition

EPHEMERAL = wire.CacheControl(type="ephemeral")


def build_tools(rules: Rules, tool_use: ToolUse) -> list[wire.Tool] | UnsetType:
    """Build the tools as functions; UNSET if there are none."""
    return [_build_tool(rules, tool) for tool in tool_use.tools] if tool_use.tools else UNSET


def build_choice(tool_use: ToolUse) -> wire.NamedToolChoice | str | UnsetType:
    """Build the tool choice, a mode or a named tool."""
    if tool_use.named is UNSET:
        return tool_use.choice
    return wire.NamedToolChoice(type="function", function=wire.FunctionName(name=tool_use.named))


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
