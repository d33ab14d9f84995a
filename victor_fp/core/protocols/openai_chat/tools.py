"""Tools, the choice among them, and the ids of calls."""

from __future__ import annotations

from msgspec import UNSET
from victor_fp_wire.openai_chat.request import (
    CacheControl,
    FunctionDefinition,
    FunctionName,
    NamedToolChoice,
    Tool,
)

from victor_fp.core.protocols.openai_chat.formats import strict_schema
from victor_fp.core.protocols.openai_chat.rules import Rules, Written
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import ToolDefinition

EPHEMERAL = CacheControl(type="ephemeral")


def tools_written(rules: Rules, request: ChatRequest) -> Written:
    """`tools`, `tool_choice` and `parallel_tool_calls`."""
    choice, parallel = request.options.tool_choice, request.options.parallel_tool_calls
    if not request.tools:
        return Written(adjustments=untaken_choice(choice))
    if rules.refused("tools"):
        return Written(adjustments=(rules.against("tools"),))
    if choice == "none" and rules.refused("tool_choice:none"):
        return Written()
    fields: dict[str, object] = {"tools": [_tool(rules, tool) for tool in request.tools]}
    adjustments: list[Adjustment] = []
    if choice is not None:
        if rules.refused(f"tool_choice:{choice if isinstance(choice, str) else 'named'}"):
            adjustments.append(rules.against("tool_choice"))
        else:
            fields["tool_choice"] = _choice(choice)
    if parallel is not None:
        if not rules.refused("parallel_tool_calls"):
            fields["parallel_tool_calls"] = parallel
        elif not parallel:
            # Parallel calls are what every vendor allows by itself; only their refusal needs a word for it.
            adjustments.append(rules.against("parallel_tool_calls"))
    return Written(fields=fields, adjustments=tuple(adjustments))


def untaken_choice(choice: str | dict[str, str] | None) -> tuple[Adjustment, ...]:
    """What of a choice cannot be taken where there are no tools."""
    if choice in (None, "auto", "none"):
        return ()
    return (Adjustment(parameter="tool_choice", reason="no tools are given to choose from"),)


def _choice(choice: str | dict[str, str]) -> str | NamedToolChoice:
    if isinstance(choice, dict):
        return NamedToolChoice(type="function", function=FunctionName(name=choice["name"]))
    return choice


def _tool(rules: Rules, tool: ToolDefinition) -> Tool:
    closed = strict_schema(tool.parameters) if tool.strict and rules.dialect.strict_schemas else None
    return Tool(
        type="function",
        function=FunctionDefinition(
            name=tool.name,
            description=tool.description or UNSET,
            parameters=tool.parameters if closed is None else closed,
            strict=UNSET if tool.strict is None else tool.strict,
        ),
        cache_control=EPHEMERAL if tool.cache and rules.cache_marks == "cache_control" else UNSET,
    )


def call_id(rules: Rules, given: str) -> str:
    """A call's id as the vendor takes it: another vendor's id that does not fit becomes one that does, always the same."""
    limit = rules.dialect.call_id_limit
    return given if limit is None or len(given) <= limit else make_id(given, 0)
