"""Tools, and how the model may choose among them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.bedrock_converse.request import (
    SpecificToolChoice,
    Tool,
    ToolChoice,
    ToolConfiguration,
    ToolInputSchema,
    ToolSpecification,
)

from victor_fp.core.json import Json
from victor_fp.core.models.bedrock import BedrockPolicy
from victor_fp.core.models.claude import ClaudePolicy
from victor_fp.core.protocols.bedrock_converse.turns import CACHE_POINT
from victor_fp.core.request_building.conversation import index_tool_names
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import ToolDefinition


class ConverseTooling(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about tools."""

    config: ToolConfiguration | UnsetType = UNSET
    fields: dict[str, Json] = {}
    """Among the model's own."""
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()


def build_tools(
    policy: BedrockPolicy, claude: ClaudePolicy | None, request: ChatRequest, *, budgeted: bool, calls: bool
) -> ConverseTooling:
    """Definitions, choice and parallel use.

    `budgeted`: the request has a thinking budget, which allows no force. `calls`: the conversation has calls, which the
    vendor takes only where tools are declared.
    """
    choice, refused = _resolve_choice(claude, request, budgeted=budgeted)
    parallel = request.options.parallel_tool_calls
    if not request.tools or (choice == "none" and not calls):
        return _build_undefined_tools(request, refused, calls=calls and not request.tools)
    tools = [written for tool in request.tools for written in _build_tool(policy, claude, tool, refused)]
    own = policy.own_tool_choice and (choice == "none" or parallel is not None)
    if own:
        # Beside one among the model's own fields toolConfig's is refused.
        return ConverseTooling(
            config=ToolConfiguration(tools=tools),
            fields=_build_claude_choice(choice, parallel),
            unsupported=tuple(refused),
        )
    if choice == "none":
        refused.append(Adjustment(parameter="tool_choice", reason="this model cannot be kept from calling"))
    if parallel is False:
        reason = "this model decides how many tools it calls at once"
        refused.append(Adjustment(parameter="parallel_tool_calls", reason=reason))
    return ConverseTooling(
        config=ToolConfiguration(tools=tools, tool_choice=_build_choice(choice)), unsupported=tuple(refused)
    )


def _resolve_choice(
    claude: ClaudePolicy | None, request: ChatRequest, *, budgeted: bool
) -> tuple[str | dict[str, str] | None, list[Adjustment]]:
    choice = request.options.tool_choice
    if choice != "required" and not isinstance(choice, dict):
        return choice, []
    if not request.tools:
        return None, [Adjustment(parameter="tool_choice", reason="there are no tools to choose from")]
    if claude is not None and (budgeted or not claude.forced_tools):
        reason = "a thinking budget allows no forced call" if budgeted else "this model cannot be forced to call"
        return "auto", [Adjustment(parameter="tool_choice", reason=reason, action="changed")]
    return choice, []


def _build_undefined_tools(request: ChatRequest, refused: Sequence[Adjustment], *, calls: bool) -> ConverseTooling:
    """No tools that the model could call; those that were called are declared by their names all the same."""
    if not calls:
        return ConverseTooling(unsupported=tuple(refused))
    anything: dict[str, Json] = {"type": "object"}
    names = dict.fromkeys(index_tool_names(request.messages).values())
    tools = [
        Tool(tool_spec=ToolSpecification(name=name, input_schema=ToolInputSchema(json=anything))) for name in names
    ]
    reason = "the tools of earlier calls are declared by name, since the vendor takes no calls without"
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


def _build_claude_choice(choice: str | dict[str, str] | None, parallel: bool | None) -> dict[str, Json]:  # noqa: FBT001
    """Claude's tool_choice."""
    said: dict[str, Json] = {"type": "auto"}
    match choice:
        case "none":
            return {"tool_choice": {"type": "none"}}
        case "required":
            said = {"type": "any"}
        case dict():
            said = {"type": "tool", "name": choice.get("name", "")}
    if parallel is not None:
        said["disable_parallel_tool_use"] = not parallel
    return {"tool_choice": said}


def _build_tool(
    policy: BedrockPolicy, claude: ClaudePolicy | None, tool: ToolDefinition, refused: list[Adjustment]
) -> list[Tool]:
    strict = tool.strict
    if strict and not (policy.structured and (claude is None or claude.structured)):
        refused.append(Adjustment(parameter="tools.strict", reason="this model does not hold tools to their schema"))
        strict = None
    spec = ToolSpecification(
        name=tool.name,
        description=tool.description or UNSET,
        input_schema=ToolInputSchema(json=tool.parameters),
        strict=UNSET if strict is None else strict,
    )
    marked = tool.cache and "tools" in policy.cache
    return [Tool(tool_spec=spec), *([Tool(cache_point=CACHE_POINT)] if marked else [])]
