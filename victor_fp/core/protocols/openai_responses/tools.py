"""Tools and tool choice of Responses."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.protocols.openai_family.tools import ToolUse
from victor_fp.core.types import ToolDefinition


def build_tools(tool_use: ToolUse) -> list[wire.FunctionTool] | UnsetType:
    """Build the tools as functions; UNSET if there are none. Server tools are passed in `extra_body`."""
    return [_build_tool(tool) for tool in tool_use.tools] if tool_use.tools else UNSET


def build_choice(tool_use: ToolUse) -> wire.NamedToolChoice | str | UnsetType:
    """Build the tool choice, a mode or a named tool."""
    return tool_use.choice if tool_use.named is UNSET else wire.NamedToolChoice(type="function", name=tool_use.named)


def _build_tool(tool: ToolDefinition) -> wire.FunctionTool:
    """Build a function. `strict` is always sent, since the vendor's default is true."""
    return wire.FunctionTool(
        name=tool.name,
        description=tool.description or UNSET,
        parameters=tool.parameters,
        strict=bool(tool.strict),
    )
