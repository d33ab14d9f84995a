"""Tools and tool choice of Cohere v2."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.cohere_v2 import request as wire

from victor_fp.core.dialects.policies.cohere import CoherePolicy
from victor_fp.core.json import Json
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import ToolDefinition


class CohereTooling(msgspec.Struct, frozen=True, kw_only=True):
    """Tool fields of a request body."""

    tools: list[wire.Tool] | UnsetType = UNSET
    choice: Literal["REQUIRED", "NONE"] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET
    unsupported: tuple[Adjustment, ...] = ()


def build_tools(policy: CoherePolicy, request: ChatRequest) -> CohereTooling:
    """Build the tool fields. A named choice sends only that tool and requires a call.

    Tools of `extra_body` replace these; a choice of one of them by name requires that it is the only one.
    """
    choice, own_tools = request.options.tool_choice, request.options.extra_body.get("tools")
    if not request.has_tools:
        missing = choice == "required" or isinstance(choice, dict)
        reason = "there are no tools to choose from"
        return CohereTooling(unsupported=(Adjustment(parameter="tool_choice", reason=reason),) if missing else ())
    unsupported: list[Adjustment] = []
    tools = request.tools
    if choice == "none" and not policy.tool_choice and not own_tools:
        # Without tools, no call is possible.
        return CohereTooling()
    if choice in ("required", "none") or isinstance(choice, dict):
        if not policy.tool_choice:
            unsupported.append(Adjustment(parameter="tool_choice", reason="this model does not accept a tool choice"))
            choice = None
        elif isinstance(choice, dict) and own_tools:
            if not _is_only_tool(own_tools, choice["name"]):
                reason = "Cohere accepts no choice by name; pass only the chosen tool in extra_body"
                unsupported.append(Adjustment(parameter="tool_choice", reason=reason))
                choice = None
        elif isinstance(choice, dict):
            named = choice.get("name")
            tools = tuple(tool for tool in tools if tool.name == named)
            if not tools:
                unsupported.append(Adjustment(parameter="tool_choice", reason=f"there is no tool named {named!r}"))
                tools, choice = request.tools, None
    if request.options.parallel_tool_calls is False:
        unsupported.append(
            Adjustment(parameter="parallel_tool_calls", reason="Cohere does not support limiting parallel calls")
        )
    return CohereTooling(
        tools=[_build_tool(tool) for tool in tools] or UNSET,
        choice=UNSET if choice in (None, "auto") else ("NONE" if choice == "none" else "REQUIRED"),
        # One flag for all tools.
        strict=True if any(tool.strict for tool in tools) else UNSET,
        unsupported=tuple(unsupported),
    )


def _is_only_tool(tools: Json, name: str) -> bool:
    """Return whether the tools of `extra_body` are a single one with this name."""
    match tools:
        case [{"function": {"name": str(only)}}]:
            return only == name
        case _:
            return False


def _build_tool(tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        function=wire.ToolFunction(
            name=tool.name, description=tool.description or UNSET, parameters=dict(tool.parameters)
        )
    )
