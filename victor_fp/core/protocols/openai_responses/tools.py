"""Tools, and the choice among them, in the fields of Responses."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.protocols.openai_family.tools import ToolUse
from victor_fp.core.types import ToolDefinition


def build_tools(use: ToolUse) -> list[wire.FunctionTool] | UnsetType:
    """The tools as functions; UNSET where there are none. The vendor's own tools are fields of the caller's."""
    return [_build_tool(tool) for tool in use.tools] if use.tools else UNSET


def build_choice(use: ToolUse) -> wire.NamedToolChoice | str | UnsetType:
    """The choice among the tools, by a word or by name."""
    return use.choice if use.named is UNSET else wire.NamedToolChoice(type="function", name=use.named)


def _build_tool(tool: ToolDefinition) -> wire.FunctionTool:
    """A function. Strictness is always written, since the vendor makes schemas strict where it is not."""
    return wire.FunctionTool(
        name=tool.name,
        description=tool.description or UNSET,
        parameters=tool.parameters,
        strict=bool(tool.strict),
    )
