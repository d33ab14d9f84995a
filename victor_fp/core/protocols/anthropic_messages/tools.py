"""Tools and tool choice of Anthropic Messages."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.anthropic_messages.request import (
    CacheControlEphemeral,
    Tool,
    ToolChoice,
    ToolChoiceAny,
    ToolChoiceAuto,
    ToolChoiceNone,
    ToolChoiceTool,
)

from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import ToolDefinition

EPHEMERAL = CacheControlEphemeral()


class AnthropicTooling(msgspec.Struct, frozen=True, kw_only=True):
    """Tools and tool choice of a request."""

    tools: list[Tool] | UnsetType = UNSET
    choice: ToolChoice | UnsetType = UNSET
    unsupported: tuple[Adjustment, ...] = ()


def build_tools(policy: ClaudePolicy, request: ChatRequest, *, budgeted: bool) -> AnthropicTooling:
    """Build definitions, choice and parallel use. `budgeted`: there is a thinking budget, which rules out forced calls."""
    choice, parallel = request.options.tool_choice, request.options.parallel_tool_calls
    forced = choice == "required" or isinstance(choice, dict)
    refused: list[Adjustment] = []
    if not request.has_tools:
        missing = Adjustment(parameter="tool_choice", reason="there are no tools to choose from")
        return AnthropicTooling(unsupported=(missing,) if forced else ())
    if forced and (budgeted or not policy.forced_tools):
        reason = "a thinking budget allows only auto and none" if budgeted else "this model accepts only auto and none"
        refused.append(Adjustment(parameter="tool_choice", reason=reason, action="changed"))
        choice = "auto"
    if not policy.structured and any(tool.strict for tool in request.tools):
        reason = "this model does not enforce tool schemas"
        refused += [Adjustment(parameter="tools.strict", reason=reason) for tool in request.tools if tool.strict]
    tools = [_build_tool(policy, tool) for tool in request.tools] or UNSET
    return AnthropicTooling(tools=tools, choice=_build_choice(choice, parallel=parallel), unsupported=tuple(refused))


def _build_choice(choice: str | dict[str, str] | None, *, parallel: bool | None) -> ToolChoice | UnsetType:
    disable = UNSET if parallel is None else not parallel
    match choice:
        case None:
            return UNSET if disable is UNSET else ToolChoiceAuto(disable_parallel_tool_use=disable)
        case "none":
            return ToolChoiceNone()
        case "required":
            return ToolChoiceAny(disable_parallel_tool_use=disable)
        case dict():
            return ToolChoiceTool(name=choice.get("name", ""), disable_parallel_tool_use=disable)
        case _:
            return ToolChoiceAuto(disable_parallel_tool_use=disable)


def _build_tool(policy: ClaudePolicy, tool: ToolDefinition) -> Tool:
    strict = tool.strict if policy.structured or not tool.strict else None
    return Tool(
        name=tool.name,
        description=tool.description or UNSET,
        input_schema=tool.parameters,
        strict=UNSET if strict is None else strict,
        cache_control=EPHEMERAL if tool.cache else UNSET,
    )
