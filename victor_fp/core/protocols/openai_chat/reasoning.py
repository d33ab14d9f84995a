"""How hard to think, and for how many tokens, in the vendor's words."""

from __future__ import annotations

from typing import assert_never

from victor_fp_wire.openai_chat.request import ReasoningOptions, ThinkingSwitch

from victor_fp.core.protocols.openai_chat.rules import Rules, Written
from victor_fp.core.protocols.support import choose_thinking
from victor_fp.core.requests import ChatRequest


def reasoning(rules: Rules, request: ChatRequest) -> Written:
    """Effort and budget, each in its place."""
    asked = choose_thinking(rules, request.options)
    fields = {} if asked.effort is None else _effort(rules, asked.effort)
    if asked.budget is not None:
        fields |= _budget(rules, asked.budget)
    return Written(fields=fields, adjustments=asked.adjustments)


def _effort(rules: Rules, word: str) -> dict[str, object]:
    form, said = rules.effort_form, rules.effort_words.get(word, word)
    switch = ThinkingSwitch(type="disabled" if word == "none" else "enabled")
    match form:
        case "reasoning_effort":
            return {"reasoning_effort": said}
        case "reasoning":
            return {"reasoning": ReasoningOptions(effort=said)}
        case "thinking":
            return {"thinking": switch}
        case "thinking_and_effort":
            return {"thinking": switch, **({} if word == "none" else {"reasoning_effort": said})}
        case "enable_thinking":
            return {"enable_thinking": word != "none"}
        case "chat_template_kwargs" | "chat_template_args":
            return {form: {rules.dialect.template_switch: word != "none"}}
        case "thinking_flag":
            return {"thinking": word != "none", **({} if word == "none" else {"reasoning_effort": said})}
        case _:
            assert_never(form)


def _budget(rules: Rules, tokens: int) -> dict[str, object]:
    form = rules.dialect.budget_form
    match form:
        case "reasoning":
            return {"reasoning": ReasoningOptions(max_tokens=tokens)}
        case "thinking":
            return {"thinking": ThinkingSwitch(type="enabled", budget_tokens=tokens)}
        case "thinking_budget":
            return {"enable_thinking": True, "thinking_budget": tokens}
        case _:
            assert_never(form)
