"""Where in a text a call may begin: the openings of all formats in one search, and what surrounds a place."""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, Where
from victor_fp.core.text_tools.tools import NAMESPACES, Tools

FENCE = "```"


class Context(msgspec.Struct, frozen=True, gc=False):
    """What stands before a place."""

    last: str = ""
    """The character before it."""
    blank: bool = True
    """Nothing but white space since the line began."""
    fenced: bool = False
    """Inside a code fence."""

    def behind(self, text: str) -> Context:
        """The context behind this text."""
        if not text:
            return self
        line = text.rpartition("\n")[2]
        blank = (not line or line.isspace()) and (self.blank or len(line) < len(text))
        return Context(text[-1], blank, self.fenced)

    def toggled(self) -> Context:
        """Behind the mark of a code fence."""
        return Context(self.last, self.blank, not self.fenced)

    def admits(self, where: Where) -> bool:
        """Whether a call that begins `where` may begin here."""
        prose = not self.fenced and self.last != "`"
        return where == "anywhere" or (prose and (where == "prose" or self.blank))


class Plan(msgspec.Struct, frozen=True):
    """What is searched for."""

    tools: Tools
    openings: tuple[tuple[TextFormat, tuple[Opening, ...]], ...]
    pattern: re.Pattern[str]
    heads: re.Pattern[str]
    """A first character of an opening."""
    longest: int
    fences: bool
    """Some calls begin in prose only, so code fences matter."""

    def passes(self, text: str) -> bool:
        """No opening begins in this text."""
        return self.heads.search(text) is None


class OpeningFound(msgspec.Struct, frozen=True):
    """A place where calls of these formats may begin; the bool: the opening is there in full, not only its beginning."""

    at: int
    formats: tuple[tuple[TextFormat, bool], ...]
    told: bool = True
    """False for what may become the mark of a code fence."""


def build_plan(tools: Tools, formats: tuple[TextFormat, ...]) -> Plan:
    """The search for calls of `tools` in `formats`."""
    openings = tuple((form, (*form.openings, *(_build_name_openings(tools) if form.named else ()))) for form in formats)
    fences = any(opening.where != "anywhere" for _, some in openings for opening in some)
    texts = {opening.text for _, some in openings for opening in some} | ({FENCE} if fences else set())
    ordered = sorted(texts, key=len, reverse=True)
    return Plan(
        tools=tools,
        openings=openings,
        pattern=re.compile("|".join(map(re.escape, ordered))),
        heads=re.compile("|".join(sorted({re.escape(text[0]) for text in texts}))),
        longest=len(ordered[0]),
        fences=fences,
    )


def _build_name_openings(tools: Tools) -> tuple[Opening, ...]:
    """A known tool's name and a bracket, at the head of a line."""
    return tuple(Opening(f"{space}{name}(", "line") for name in tools.schemas or () for space in ("", *NAMESPACES))


def find_opening(plan: Plan, context: Context, text: str, start: int, *, last: bool) -> OpeningFound | None:
    """The first place from `start` on where a call may begin, or a code fence does; `context` is that of `start`.

    Where more text may come, the beginning of an opening at the end of the text counts too.
    """
    tail = max(start, len(text) - plan.longest + 1)
    at = start
    while True:
        found = plan.pattern.search(text, at)
        place = found.start() if found else len(text)
        if not last and place > tail:
            place = min(place, _find_partial_opening(plan, text, max(at, tail)))
        if place == len(text):
            return None
        here = context.behind(text[start:place])
        formats = tuple(
            (form, full)
            for form, some in plan.openings
            if (full := _opens(some, here, text, place, last=last)) is not None
        )
        if formats or (plan.fences and text.startswith(FENCE, place)):
            return OpeningFound(place, formats)
        if plan.fences and not last and FENCE.startswith(text[place:]):
            return OpeningFound(place, (), told=False)
        at = place + 1


def _find_partial_opening(plan: Plan, text: str, start: int) -> int:
    """The first place from which the rest of the text is the beginning of an opening."""
    for place in range(start, len(text)):
        if plan.heads.match(text, place):
            rest = text[place:]
            if (plan.fences and FENCE.startswith(rest)) or any(
                o.text.startswith(rest) for _, some in plan.openings for o in some
            ):
                return place
    return len(text)


def _opens(openings: tuple[Opening, ...], here: Context, text: str, at: int, *, last: bool) -> bool | None:
    """Whether one of the openings stands here in full; False where only begun; None where none is."""
    begun = False
    for opening in openings:
        if not here.admits(opening.where):
            continue
        if text.startswith(opening.text, at):
            return True
        begun = begun or (not last and opening.text.startswith(text[at:]))
    return False if begun else None
