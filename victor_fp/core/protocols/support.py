"""What a place takes of what is asked for, as far as protocols share it: refusals by name, efforts of reasoning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from victor_fp.core.catalogue.spec import Supports
from victor_fp.core.dialects.chat import EFFORTS
from victor_fp.core.options import Options
from victor_fp.core.requests import Adjustment


class SupportRules(msgspec.Struct, frozen=True, kw_only=True):
    """What one model at one place takes, in which words."""

    provider: str
    taker: str
    """Who refuses, for people: the vendor, or the vendor and the model."""
    refuses: frozenset[str]
    efforts: tuple[str, ...]
    effort_words: Mapping[str, str | None]
    cache_marks: Literal["none", "cache_control", "breakpoint"]

    def refused(self, *names: str) -> str | None:
        """The first of these names, of options and parts, that is refused."""
        return next((name for name in names if name in self.refuses), None)

    def against(self, parameter: str) -> Adjustment:
        """That a parameter is refused."""
        return Adjustment(parameter=parameter, reason=f"{self.taker} does not take it")


class ThinkingChoice(msgspec.Struct, frozen=True, kw_only=True):
    """How hard to think, by a word the place knows or by tokens, and what of the wishes could not be met."""

    effort: str | None = None
    budget: int | None = None
    adjustments: tuple[Adjustment, ...] = ()


def list_unsupported(supports: Supports) -> frozenset[str]:
    """The names, as in `SupportRules.refuses`, of what a catalogue entry says its place cannot do."""
    given = {
        "tools": supports.tools,
        "image": supports.images,
        "audio": supports.audio,
        "file": supports.files,
        "response_format:schema": supports.json_schema,
    }
    return frozenset(name for name, can in given.items() if can is False)


def choose_thinking(rules: SupportRules, options: Options) -> ThinkingChoice:
    """Effort and budget. Where both are asked for, the budget, being exact, wins visibly."""
    word, budget = options.reasoning_effort, options.reasoning_budget
    effort: str | None = word
    adjustments: list[Adjustment] = []
    if budget is not None and rules.refused("reasoning_budget"):
        adjustments.append(rules.against("reasoning_budget"))
        budget = None
    if effort is not None and (rules.refused("reasoning_effort") or not rules.efforts):
        adjustments.append(rules.against("reasoning_effort"))
        effort = None
    if effort is not None and budget is not None:
        reason = "a budget says the same more exactly, and only one of the two may be sent"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason))
        effort = None
    if effort is not None and effort not in rules.efforts:
        near = find_nearest_effort(effort, rules.efforts)
        reason = f"{rules.taker} knows {', '.join(rules.efforts)}; sent as {near}"
        adjustments.append(Adjustment(parameter="reasoning_effort", reason=reason, action="changed"))
        effort = near
    return ThinkingChoice(effort=effort, budget=budget, adjustments=tuple(adjustments))


def find_nearest_effort(effort: str, known: tuple[str, ...]) -> str:
    """The known effort nearest to this one; of two, the lesser. Thinking is not switched off for being too little.

    >>> nearest("minimal", ("none", "low", "high"))
    'low'
    """
    place = EFFORTS.index(effort)
    levels = tuple(word for word in known if word != "none") if effort != "none" else ()
    return min(levels or known, key=lambda word: (abs(EFFORTS.index(word) - place), EFFORTS.index(word)))
