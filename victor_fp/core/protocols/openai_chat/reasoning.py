"""How hard to think, and for how many tokens, in the vendor's words."""

from __future__ import annotations

from typing import assert_never

from victor_fp_wire.openai_chat.request import ReasoningOptions, ThinkingSwitch

from victor_fp.core.dialects.chat import EFFORTS
from victor_fp.core.protocols.openai_chat.rules import Rules, Written
from victor_fp.core.requests import Adjustment, ChatRequest


def reasoning(rules: Rules, request: ChatRequest) -> Written:
    """Effort and budget. Where both are asked for and share a place, the budget, being exact, wins visibly."""
    effort, budget = request.options.reasoning_effort, request.options.reasoning_budget
    adjustments: list[Adjustment] = []
    if budget is not None and rules.refused("reasoning_budget"):
        adjustments.append(rules.against("reasoning_budget"))
        budget = None
    word: str | None = effort
    if word is not None and (rules.refused("reasoning_effort") or not rules.efforts):
        adjustments.append(rules.against("reasoning_effort"))
        word = None
    if word is not None and budget is not None:
        reason = "a budget says the same more exactly, and only one of the two may be sent"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason))
        word = None
    if word is not None and word not in rules.efforts:
        near = nearest(word, rules.efforts)
        reason = f"{rules.taker} knows {', '.join(rules.efforts)}; sent as {near}"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason, action="changed"))
        word = near
    fields = _effort(rules, word) if word is not None else {}
    if budget is not None:
        fields |= _budget(rules, budget)
    return Written(fields=fields, adjustments=tuple(adjustments))


def nearest(effort: str, known: tuple[str, ...]) -> str:
    """The known effort nearest to this one; of two, the lesser. Thinking is not switched off for being too little.

    >>> nearest("minimal", ("none", "low", "high"))
    'low'
    """
    place = EFFORTS.index(effort)
    thinking = tuple(word for word in known if word != "none") if effort != "none" else ()
    return min(thinking or known, key=lambda word: (abs(EFFORTS.index(word) - place), EFFORTS.index(word)))


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
