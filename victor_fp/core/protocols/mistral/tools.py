"""Tools, the choice among them, and the ids of calls."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import UNSET, UnsetType
from victor_fp_wire.mistral import request as wire

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.protocols.mistral.chunks import refused
from victor_fp.core.protocols.openai_chat.tools import untaken_choice
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import ToolDefinition

Choice: TypeAlias = wire.NamedToolChoice | Literal["auto", "none", "any", "required"]
_NINE = re.compile(r"[a-zA-Z0-9]{9}")


def tools_written(spec: ProviderSpec, request: ChatRequest, untaken: list[Adjustment]) -> list[wire.Tool] | UnsetType:
    """The tools; without any, a choice that needs some is added to `untaken`."""
    if not request.tools:
        untaken += untaken_choice(request.options.tool_choice)
        return UNSET
    if not spec.supports.tools:
        untaken.append(refused(spec, "tools"))
        return UNSET
    return [_tool(tool) for tool in request.tools]


def choice(asked: str | dict[str, str] | None) -> Choice | UnsetType:
    """The choice among tools. Older models know `any` alone of the two words for a call that must be."""
    match asked:
        case "auto" | "none":
            return "auto" if asked == "auto" else "none"
        case "required":
            return "any"
        case {"name": name}:
            return wire.NamedToolChoice(function=wire.FunctionName(name=name))
        case _:
            return UNSET


def call_id(given: str) -> str:
    """A call's id as the vendor takes it: another vendor's id that does not fit becomes one that does, always the same."""
    return given if _NINE.fullmatch(given) else make_id(given, 0)


def _tool(tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        function=wire.FunctionDefinition(
            name=tool.name,
            description=tool.description or UNSET,
            parameters=dict(tool.parameters),
            strict=UNSET if tool.strict is None else tool.strict,
        )
    )
