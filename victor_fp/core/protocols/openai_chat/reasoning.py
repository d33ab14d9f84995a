"""Reasoning effort and budget in the vendor's fields."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat.request import ReasoningOptions, ThinkingSwitch

from victor_fp.core.protocols.openai_chat.rules import ChatRules
from victor_fp.core.protocols.openai_family.options import NO_THINKING, Thinking


class ReasoningFields(msgspec.Struct, frozen=True, kw_only=True):
    """Fields for effort and budget; each vendor has some of them."""

    reasoning_effort: str | UnsetType | None = UNSET
    reasoning: ReasoningOptions | UnsetType = UNSET
    thinking: ThinkingSwitch | bool | UnsetType = UNSET
    enable_thinking: bool | UnsetType = UNSET
    thinking_budget: int | UnsetType = UNSET
    chat_template_kwargs: dict[str, bool] | UnsetType = UNSET
    chat_template_args: dict[str, bool] | UnsetType = UNSET


NO_REASONING = ReasoningFields()


def place_thinking(rules: ChatRules, thinking: Thinking) -> ReasoningFields:
    """Build the dialect's fields for an effort or a budget."""
    if thinking is NO_THINKING:
        return NO_REASONING
    if thinking.budget is not None:
        return _place_budget(rules, thinking.budget)
    return NO_REASONING if thinking.effort is None else _place_effort(rules, thinking.effort)


def _place_effort(rules: ChatRules, effort: str) -> ReasoningFields:
    form, value, thinks = rules.effort_form, rules.effort_values.get(effort, effort), effort != "none"
    switch = ThinkingSwitch(type="enabled" if thinks else "disabled")
    match form:
        case "reasoning_effort":
            return ReasoningFields(reasoning_effort=value)
        case "reasoning":
            return ReasoningFields(reasoning=ReasoningOptions(effort=value))
        case "thinking":
            return ReasoningFields(thinking=switch)
        case "thinking_and_effort":
            return ReasoningFields(thinking=switch, reasoning_effort=value if thinks else UNSET)
        case "enable_thinking":
            return ReasoningFields(enable_thinking=thinks)
        case "chat_template_kwargs":
            return ReasoningFields(chat_template_kwargs={rules.dialect.template_switch: thinks})
        case "chat_template_args":
            return ReasoningFields(chat_template_args={rules.dialect.template_switch: thinks})
        case "thinking_flag":
            return ReasoningFields(thinking=thinks, reasoning_effort=value if thinks else UNSET)
        case _:
            assert_never(form)


def _place_budget(rules: ChatRules, tokens: int) -> ReasoningFields:
    form = rules.dialect.budget_form
    match form:
        case "reasoning":
            return ReasoningFields(reasoning=ReasoningOptions(max_tokens=tokens))
        case "thinking":
            return ReasoningFields(thinking=ThinkingSwitch(type="enabled", budget_tokens=tokens))
        case "thinking_budget":
            return ReasoningFields(enable_thinking=True, thinking_budget=tokens)
        case _:
            assert_never(form)
