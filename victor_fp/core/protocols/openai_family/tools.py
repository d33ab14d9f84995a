"""Tools and tool choice as far as a vendor accepts them, before a protocol writes them to its fields."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.streaming.tool_call_drafts import make_id
from victor_fp.core.types import ToolDefinition

ToolChoiceMode: TypeAlias = Literal["auto", "none", "required"]


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """Tools and tool choice of a request."""

    tools: tuple[ToolDefinition, ...] = ()
    choice: ToolChoiceMode | UnsetType = UNSET
    named: str | UnsetType = UNSET
    """The tool that must be called, in place of a mode."""
    parallel: bool | UnsetType = UNSET
    adjustments: tuple[Adjustment, ...] = ()


NO_TOOLS = ToolUse()


def accept_tools(rules: Rules, request: ChatRequest) -> ToolUse:
    """Return tools and tool choice."""
    choice, parallel = request.options.tool_choice, request.options.parallel_tool_calls
    if not request.has_tools:
        if choice in (None, "auto", "none"):
            return NO_TOOLS
        return ToolUse(adjustments=(Adjustment(parameter="tool_choice", reason="there are no tools to choose from"),))
    if rules.is_refused("tools"):
        return ToolUse(adjustments=(rules.build_refusal("tools"),))
    if choice == "none" and rules.is_refused("tool_choice:none") and not request.options.extra_body.get("tools"):
        # Without tools, no call is possible.
        return NO_TOOLS
    adjustments: list[Adjustment] = []
    if choice is not None and rules.is_refused(f"tool_choice:{choice if isinstance(choice, str) else 'named'}"):
        adjustments.append(rules.build_refusal("tool_choice"))
        choice = None
    if parallel is not None and rules.is_refused("parallel_tool_calls"):
        # Parallel calls are allowed by default; only disabling them requires a field.
        adjustments += [] if parallel else [rules.build_refusal("parallel_tool_calls")]
        parallel = None
    return ToolUse(
        tools=request.tools,
        choice=choice if isinstance(choice, str) else UNSET,
        named=choice["name"] if isinstance(choice, dict) else UNSET,
        parallel=UNSET if parallel is None else parallel,
        adjustments=tuple(adjustments),
    )


def shorten_call_id(rules: Rules, id_: str) -> str:
    """Return the call id, or an id derived from it, always the same, if it is empty or exceeds the vendor's limit."""
    limit = rules.call_id_limit
    return id_ if id_ and (limit is None or len(id_) <= limit) else make_id(id_, 0)
