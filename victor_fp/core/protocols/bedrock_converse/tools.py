"""Tools and tool choice of Bedrock Converse."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.bedrock_converse.request import (
    ClaudeToolChoice,
    SpecificToolChoice,
    Tool,
    ToolChoice,
    ToolConfiguration,
    ToolInputSchema,
    ToolSpecification,
)

from victor_fp.core.conversation import index_tool_names
from victor_fp.core.dialects.policies.bedrock import BedrockPolicy
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.options import Options
from victor_fp.core.protocols.bedrock_converse.turns import CACHE_POINT
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.schemas.vocabulary import ANY_OBJECT
from victor_fp.core.types import ToolDefinition


class ConverseTooling(msgspec.Struct, frozen=True, kw_only=True):
    """Tools and tool choice of a request."""

    config: ToolConfiguration | UnsetType = UNSET
    model_choice: ClaudeToolChoice | UnsetType = UNSET
    """For additionalModelRequestFields."""
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()


def build_tools(
    policy: BedrockPolicy, claude: ClaudePolicy | None, request: ChatRequest, *, budgeted: bool, calls: bool
) -> ConverseTooling:
    """Build definitions, choice and parallel use.

    `budgeted`: there is a thinking budget, which rules out forced calls. `calls`: the conversation has calls, which the
    vendor accepts only if tools are declared.
    """
    has_own_tools = _has_own_tools(request.options)
    has_tools = bool(request.tools) or has_own_tools
    choice, refused = _resolve_choice(claude, request, budgeted=budgeted, has_tools=has_tools)
    parallel = request.options.parallel_tool_calls
    if not has_tools or (choice == "none" and not calls and not has_own_tools):
        return _build_undefined_tools(request, refused, calls=calls and not request.tools)
    enforced = policy.structured and (claude is None or claude.structured)
    tools = [written for tool in request.tools for written in _build_tool(policy, tool, enforced=enforced)]
    if not enforced and any(tool.strict for tool in request.tools):
        refused.append(Adjustment(parameter="tools.strict", reason="this model does not enforce tool schemas"))
    in_model_fields = policy.own_tool_choice and (choice == "none" or parallel is not None)
    if in_model_fields:
        # A choice in toolConfig is rejected if additionalModelRequestFields has one.
        return ConverseTooling(
            config=_build_config(tools, UNSET),
            model_choice=_build_claude_choice(choice, parallel),
            unsupported=tuple(refused),
        )
    if choice == "none":
        refused.append(Adjustment(parameter="tool_choice", reason="this model does not support tool_choice none"))
    if parallel is False:
        reason = "this model does not support limiting parallel calls"
        refused.append(Adjustment(parameter="parallel_tool_calls", reason=reason))
    return ConverseTooling(config=_build_config(tools, _build_choice(choice)), unsupported=tuple(refused))


def _has_own_tools(options: Options) -> bool:
    """Return whether the caller passes tools in the vendor's own field, which replace the others."""
    match options.extra_body.get("toolConfig", options.unknown.get("toolConfig")):
        case {"tools": tools}:
            return bool(tools)
        case _:
            return False


def _build_config(tools: list[Tool], choice: ToolChoice | UnsetType) -> ToolConfiguration | UnsetType:
    return ToolConfiguration(tools=tools, tool_choice=choice) if tools or choice is not UNSET else UNSET


def _resolve_choice(
    claude: ClaudePolicy | None, request: ChatRequest, *, budgeted: bool, has_tools: bool
) -> tuple[str | dict[str, str] | None, list[Adjustment]]:
    choice = request.options.tool_choice
    if choice != "required" and not isinstance(choice, dict):
        return choice, []
    if not has_tools:
        return None, [Adjustment(parameter="tool_choice", reason="there are no tools to choose from")]
    if claude is not None and (budgeted or not claude.forced_tools):
        reason = (
            "a thinking budget does not allow forced calls" if budgeted else "this model does not support forced calls"
        )
        return "auto", [Adjustment(parameter="tool_choice", reason=reason, action="changed")]
    return choice, []


def _build_undefined_tools(request: ChatRequest, refused: Sequence[Adjustment], *, calls: bool) -> ConverseTooling:
    """Build a configuration without callable tools; tools of earlier calls are declared by name."""
    if not calls:
        return ConverseTooling(unsupported=tuple(refused))
    names = dict.fromkeys(index_tool_names(request.messages).values())
    tools = [
        Tool(tool_spec=ToolSpecification(name=name, input_schema=ToolInputSchema(json=ANY_OBJECT))) for name in names
    ]
    reason = "tools of earlier calls are declared by name, since the vendor rejects calls of undeclared tools"
    return ConverseTooling(
        config=ToolConfiguration(tools=tools),
        unsupported=tuple(refused),
        notes=(Adjustment(parameter="tools", reason=reason, action="changed"),),
    )


def _build_choice(choice: str | dict[str, str] | None) -> ToolChoice | UnsetType:
    match choice:
        case "auto":
            return ToolChoice(auto={})
        case "required":
            return ToolChoice(any={})
        case dict():
            return ToolChoice(tool=SpecificToolChoice(name=choice.get("name", "")))
        case _:
            return UNSET


def _build_claude_choice(choice: str | dict[str, str] | None, parallel: bool | None) -> ClaudeToolChoice:  # noqa: FBT001
    """Build Claude's `tool_choice`."""
    alone = UNSET if parallel is None else not parallel
    match choice:
        case "none":
            return ClaudeToolChoice(type="none")
        case "required":
            return ClaudeToolChoice(type="any", disable_parallel_tool_use=alone)
        case dict():
            return ClaudeToolChoice(type="tool", name=choice.get("name", ""), disable_parallel_tool_use=alone)
        case _:
            return ClaudeToolChoice(type="auto", disable_parallel_tool_use=alone)


def _build_tool(policy: BedrockPolicy, tool: ToolDefinition, *, enforced: bool) -> list[Tool]:
    strict = tool.strict if enforced or not tool.strict else None
    spec = ToolSpecification(
        name=tool.name,
        description=tool.description or UNSET,
        input_schema=ToolInputSchema(json=tool.parameters),
        strict=UNSET if strict is None else strict,
    )
    marked = tool.cache and "tools" in policy.cache
    return [Tool(tool_spec=spec), *([Tool(cache_point=CACHE_POINT)] if marked else [])]
