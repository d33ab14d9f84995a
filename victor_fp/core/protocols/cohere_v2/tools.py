"""Tools and the choice among them."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.cohere_v2 import request as wire

from victor_fp.core.models.cohere import CoherePolicy
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import ToolDefinition


class CohereTooling(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a body that are about tools."""

    tools: list[wire.Tool] | UnsetType = UNSET
    choice: Literal["REQUIRED", "NONE"] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET
    unsupported: tuple[Adjustment, ...] = ()


def build_tools(policy: CoherePolicy, request: ChatRequest) -> CohereTooling:
    """Tools as the model may use them. Naming one tool means to show that one only, and to require a call."""
    choice = request.options.tool_choice
    if not request.tools:
        missing = choice == "required" or isinstance(choice, dict)
        reason = "no tools are given to choose from"
        return CohereTooling(unsupported=(Adjustment(parameter="tool_choice", reason=reason),) if missing else ())
    unsupported: list[Adjustment] = []
    tools = request.tools
    if choice == "none" and not policy.tool_choice:
        # A model that is shown no tools calls none.
        return CohereTooling()
    if choice in ("required", "none") or isinstance(choice, dict):
        if not policy.tool_choice:
            unsupported.append(Adjustment(parameter="tool_choice", reason="this model decides by itself"))
            choice = None
        elif isinstance(choice, dict):
            named = choice.get("name")
            tools = tuple(tool for tool in tools if tool.name == named)
            if not tools:
                unsupported.append(Adjustment(parameter="tool_choice", reason=f"no tool is called {named!r}"))
                tools, choice = request.tools, None
    if request.options.parallel_tool_calls is False:
        unsupported.append(Adjustment(parameter="parallel_tool_calls", reason="Cohere cannot forbid several calls"))
    return CohereTooling(
        tools=[_build_tool(tool) for tool in tools],
        choice=UNSET if choice in (None, "auto") else ("NONE" if choice == "none" else "REQUIRED"),
        # One switch for all tools.
        strict=True if any(tool.strict for tool in tools) else UNSET,
        unsupported=tuple(unsupported),
    )


def _build_tool(tool: ToolDefinition) -> wire.Tool:
    return wire.Tool(
        function=wire.ToolFunction(
            name=tool.name, description=tool.description or UNSET, parameters=dict(tool.parameters)
        )
    )
