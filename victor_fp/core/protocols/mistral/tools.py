"""Tools, tool choice and call ids of Mistral's chat completions."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType
from victor_fp_wire.mistral import request as wire

from victor_fp.core.protocols.openai_family.tools import ToolUse
from victor_fp.core.types import ToolDefinition

MistralToolChoice: TypeAlias = wire.NamedToolChoice | Literal["auto", "none", "any", "required"]
CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")


def build_tools(tool_use: ToolUse) -> list[wire.Tool] | UnsetType:
    """Build the tools as functions; UNSET if there are none."""
    return [_build_tool(tool) for tool in tool_use.tools] if tool_use.tools else UNSET


def build_choice(tool_use: ToolUse) -> MistralToolChoice | UnsetType:
    """Build the tool choice, a mode or a named tool."""
    if tool_use.named is not UNSET:
        return wire.NamedToolChoice(function=wire.FunctionName(name=tool_use.named))
    # Older models accept only `any` for a required call, not `required`.
    return "any" if tool_use.choice == "required" else tool_use.choice


def _build_tool(tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        function=wire.FunctionDefinition(
            name=tool.name,
            description=tool.description or UNSET,
            parameters=tool.parameters,
            strict=UNSET if tool.strict is None else tool.strict,
        )
    )
