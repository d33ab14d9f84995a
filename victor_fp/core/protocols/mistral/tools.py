"""Tools, the choice among them, and the ids of calls, in the fields of Mistral's chat completions."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType
from victor_fp_wire.mistral import request as wire

from victor_fp.core.protocols.openai_family.tools import ToolUse
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import ToolDefinition

MistralToolChoice: TypeAlias = wire.NamedToolChoice | Literal["auto", "none", "any", "required"]
_NINE = re.compile(r"[a-zA-Z0-9]{9}")


def build_tools(use: ToolUse) -> list[wire.Tool] | UnsetType:
    """The tools as functions; UNSET where there are none."""
    return [_build_tool(tool) for tool in use.tools] if use.tools else UNSET


def build_choice(use: ToolUse) -> MistralToolChoice | UnsetType:
    """The choice among the tools, by a word or by name."""
    if use.named is not UNSET:
        return wire.NamedToolChoice(function=wire.FunctionName(name=use.named))
    # Older models know `any` alone of the two words for a call that must be.
    return "any" if use.choice == "required" else use.choice


def fit_call_id(given: str) -> str:
    """A call's id as the vendor accepts it: another vendor's id that does not fit becomes one that does, always the same."""
    return given if _NINE.fullmatch(given) else make_id(given, 0)


def _build_tool(tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        function=wire.FunctionDefinition(
            name=tool.name,
            description=tool.description or UNSET,
            parameters=tool.parameters,
            strict=UNSET if tool.strict is None else tool.strict,
        )
    )
