"""Tools, the choice among them, and the ids of calls."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET
from victor_fp_wire.openai_responses.request import FunctionTool, NamedToolChoice

from victor_fp.core.protocols.openai_chat.formats import strict_schema
from victor_fp.core.protocols.openai_chat.rules import Written
from victor_fp.core.protocols.openai_responses.rules import Rules
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import ToolDefinition


def tools_written(rules: Rules, request: ChatRequest, extras: Mapping[str, object]) -> Written:
    """`tools`, `tool_choice` and `parallel_tool_calls`; the vendor's own tools are the caller's extra fields."""
    choice, parallel = request.options.tool_choice, request.options.parallel_tool_calls
    if not request.tools and "tools" not in extras:
        return _without_tools(choice)
    if rules.refused("tools"):
        return Written(adjustments=(rules.against("tools"),))
    fields: dict[str, object] = {"tools": [_tool(rules, tool) for tool in request.tools]} if request.tools else {}
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


def _without_tools(choice: str | dict[str, str] | None) -> Written:
    if choice in (None, "auto", "none"):
        return Written()
    return Written(adjustments=(Adjustment(parameter="tool_choice", reason="no tools are given to choose from"),))


def _choice(choice: str | dict[str, str]) -> str | NamedToolChoice:
    return choice if isinstance(choice, str) else NamedToolChoice(type="function", name=choice["name"])


def _tool(rules: Rules, tool: ToolDefinition) -> FunctionTool:
    """A function. Strictness is always said, since the vendor makes schemas strict where it is not."""
    closed = strict_schema(tool.parameters) if tool.strict and rules.dialect.strict_schemas else None
    return FunctionTool(
        name=tool.name,
        description=tool.description or UNSET,
        parameters=tool.parameters if closed is None else closed,
        strict=bool(tool.strict),
    )


def call_id(rules: Rules, given: str) -> str:
    """A call's id as the vendor takes it: another vendor's that is too long becomes one that fits, always the same."""
    limit = rules.dialect.call_id_limit
    return given if given and (limit is None or len(given) <= limit) else make_id(given, 0)
