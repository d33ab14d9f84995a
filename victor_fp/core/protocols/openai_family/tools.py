"""Which tools are sent and what is asked about them, before a protocol writes them into its own fields."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from victor_fp.core.protocols.openai_family.rules import Rules
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.types import ToolDefinition

ToolChoiceWord: TypeAlias = Literal["auto", "none", "required"]


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """What of the tools and of the choice among them goes into a request."""

    tools: tuple[ToolDefinition, ...] = ()
    choice: ToolChoiceWord | UnsetType = UNSET
    named: str | UnsetType = UNSET
    """The one tool that is to be called, instead of a choice."""
    parallel: bool | UnsetType = UNSET
    adjustments: tuple[Adjustment, ...] = ()


NO_TOOLS = ToolUse()


def accept_tools(rules: Rules, request: ChatRequest, *, has_own_tools: bool = False) -> ToolUse:
    """The tools and the choice among them; `has_own_tools` says that the caller's own fields bring tools of the vendor."""
    choice, parallel = request.options.tool_choice, request.options.parallel_tool_calls
    if not request.tools and not has_own_tools:
        if choice in (None, "auto", "none"):
            return NO_TOOLS
        return ToolUse(adjustments=(Adjustment(parameter="tool_choice", reason="there are no tools to choose from"),))
    if rules.is_refused("tools"):
        return ToolUse(adjustments=(rules.build_refusal("tools"),))
    if choice == "none" and rules.is_refused("tool_choice:none"):
        # Without tools none can be called.
        return NO_TOOLS
    adjustments: list[Adjustment] = []
    if choice is not None and rules.is_refused(f"tool_choice:{choice if isinstance(choice, str) else 'named'}"):
        adjustments.append(rules.build_refusal("tool_choice"))
        choice = None
    if parallel is not None and rules.is_refused("parallel_tool_calls"):
        # Parallel calls are what every vendor allows by default; only their refusal needs a field.
        adjustments += [] if parallel else [rules.build_refusal("parallel_tool_calls")]
        parallel = None
    return ToolUse(
        tools=request.tools,
        choice=choice if isinstance(choice, str) else UNSET,
        named=choice["name"] if isinstance(choice, dict) else UNSET,
        parallel=UNSET if parallel is None else parallel,
        adjustments=tuple(adjustments),
    )


def fit_call_id(rules: Rules, given: str) -> str:
    """A call's id within the vendor's limit: one that is too long, or empty, becomes one that fits, always the same."""
    limit = rules.call_id_limit
    return given if given and (limit is None or len(given) <= limit) else make_id(given, 0)
