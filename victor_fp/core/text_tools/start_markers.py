"""Search for the start markers of all formats in text."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from victor_fp.core.text_tools.formats.form import MarkPosition, Opening, TextFormat
from victor_fp.core.text_tools.prose import Prose
from victor_fp.core.text_tools.tools import NAMESPACES, Tools

_INDENT = re.compile(r"[ \t]*")


class FormatMarkers(msgspec.Struct, frozen=True):
    """The markers of one format."""

    form: TextFormat
    pattern: re.Pattern[str]
    positions: Mapping[str, MarkPosition]
    """Position of each marker, by its text."""
    beginnings: Mapping[str, tuple[MarkPosition, ...]]
    """Positions of markers, by a proper prefix of their text."""

    def match(self, here: Prose, text: str, at: int, rest: str) -> bool | None:
        """Return True for a complete marker at `at`, False if the remaining text `rest` begins one, else None."""
        found = self.pattern.match(text, at)
        if found is not None and here.can_start(self.positions[found.group()]):
            return True
        return False if any(map(here.can_start, self.beginnings.get(rest, ()))) else None


class MarkerPlan(msgspec.Struct, frozen=True):
    """Compiled markers of a search."""

    tools: Tools
    formats: tuple[FormatMarkers, ...]
    marks: re.Pattern[str] | None
    """Markers that may follow a word."""
    lines: re.Pattern[str]
    """Any marker at the start of a line."""
    heads: re.Pattern[str] | None
    """First characters of markers that may follow a word."""
    beginnings: frozenset[str]
    """All proper prefixes of markers."""
    longest: int

    def has_no_marker(self, text: str) -> bool:
        """Return whether no marker begins in this text, which is not at the start of its line."""
        return "\n" not in text and (self.heads is None or self.heads.search(text) is None)


class Candidate(msgspec.Struct, frozen=True):
    """An offset where calls of these formats may begin; the flag is whether the marker is complete."""

    at: int
    prose: Prose
    formats: tuple[tuple[TextFormat, bool], ...]


def plan_search(tools: Tools, formats: tuple[TextFormat, ...]) -> MarkerPlan:
    """Compile the search for calls of `tools` in `formats`."""
    planned = tuple(
        _plan_format(form, (*form.openings, *(_name_markers(tools) if form.named else ()))) for form in formats
    )
    texts = frozenset(text for one in planned for text in one.positions)
    marks = {text for one in planned for text, position in one.positions.items() if position == "mark"}
    return MarkerPlan(
        tools=tools,
        formats=planned,
        marks=re.compile(_build_alternatives(marks)) if marks else None,
        lines=re.compile(rf"^[ \t]*+(?:{_build_alternatives(texts)})", re.MULTILINE),
        heads=re.compile("|".join(sorted({re.escape(text[0]) for text in marks}))) if marks else None,
        beginnings=frozenset(begun for one in planned for begun in one.beginnings),
        longest=max(map(len, texts)),
    )


def _plan_format(form: TextFormat, openings: tuple[Opening, ...]) -> FormatMarkers:
    positions: dict[str, MarkPosition] = {opening.text: opening.position for opening in openings}
    beginnings: dict[str, tuple[MarkPosition, ...]] = {}
    for text, position in positions.items():
        for length in range(1, len(text)):
            known = beginnings.get(text[:length], ())
            if position not in known:
                beginnings[text[:length]] = (*known, position)
    return FormatMarkers(form, re.compile(_build_alternatives(frozenset(positions))), positions, beginnings)


def _build_alternatives(texts: set[str] | frozenset[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))


def _name_markers(tools: Tools) -> tuple[Opening, ...]:
    """Return markers of known tools: name and parenthesis at the start of a line."""
    names = (f"{space}{name}(" for name in tools.schemas or () for space in ("", *NAMESPACES))
    return tuple(Opening(name, "column") for name in names)


class MarkerSearch:
    """The search in one text, for one pass over it. Matches found ahead are cached."""

    def __init__(self, plan: MarkerPlan, text: str, *, last: bool) -> None:
        self._plan, self._text, self._last = plan, text, last
        self._line: int | None = -1
        self._mark: int | None = -1
        self._begun: int | None = None if last else -1

    def find(self, prose: Prose, start: int) -> Candidate | None:
        """Return the first candidate from `start` on; `prose` is the context at `start`.

        If more text may follow, the prefix of a marker at the end of the text is a candidate too.
        """
        here, at = prose, start
        while at < len(self._text):
            offsets = [offset for offset in self._look_ahead(here, at) if offset is not None]
            if not offsets:
                return None
            offset = min(offsets)
            here = here.advance(self._text, at, offset)
            formats = self._match(here, offset)
            if formats:
                return Candidate(offset, here, formats)
            here, at = here.advance(self._text, offset, offset + 1), offset + 1
        return None

    def _look_ahead(self, here: Prose, at: int) -> tuple[int | None, int | None, int | None]:
        plan, text = self._plan, self._text
        if self._line is not None and self._line < at:
            self._line = self._find_line(at)
        if self._mark is not None and self._mark < at:
            found = None if plan.marks is None else plan.marks.search(text, at)
            self._mark = None if found is None else found.start()
        if self._begun is not None and self._begun < at:
            first = max(at, len(text) - plan.longest + 1)
            self._begun = next((offset for offset in range(first, len(text)) if text[offset:] in plan.beginnings), None)
        return (
            self._find_head(here, at),
            self._line,
            self._mark if self._begun is None else min(self._begun, len(text) if self._mark is None else self._mark),
        )

    def _find_head(self, here: Prose, at: int) -> int | None:
        """Return the offset of a marker at the start of the current line."""
        if here.indent < 0 or here.run:
            return None
        lead = _INDENT.match(self._text, at)
        offset = lead.end() if lead else at
        return offset if self._plan.lines.match(self._text[offset : offset + self._plan.longest]) else None

    def _find_line(self, at: int) -> int | None:
        """Return the offset of the first marker at the start of a later line, after indentation."""
        found = self._plan.lines.search(self._text, at + 1)
        if found is None:
            return None
        lead = _INDENT.match(self._text, found.start())
        return lead.end() if lead else found.start()

    def _match(self, here: Prose, at: int) -> tuple[tuple[TextFormat, bool], ...]:
        """Return the formats with a marker, or the prefix of one, at this offset."""
        cut = "" if self._last else self._text[at : at + self._plan.longest]
        rest = cut if len(cut) == len(self._text) - at else ""
        found = ((one.form, one.match(here, self._text, at, rest)) for one in self._plan.formats)
        return tuple((form, full) for form, full in found if full is not None)
