"""Finds the calls in a text as it streams: text goes out at once, and waits only while it can still be a call.

A `Detector` is a value; `feed` takes the next piece, `flush` the end. Where a stream is cut changes nothing, because a
reader's decisions are final and the text is searched from the front. Rules: a candidate that turns out to be no call is
text, whole, and what stands inside of it is never a call. White space that is alone between calls, or between a call
and either end of the text, goes away with them. Everything else stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.text_tools.brackets import Walk, walk
from victor_fp.core.text_tools.formats.form import TextFormat
from victor_fp.core.text_tools.openings import FENCE, Context, Plan, build_plan, find_opening
from victor_fp.core.text_tools.reading import (
    Found,
    NotACall,
    TextCall,
    Unfinished,
    skip_literal,
    skip_space,
)
from victor_fp.core.text_tools.tools import Tools


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something meant as a call that stayed text, and why."""

    format: str
    reason: str
    name: str | None = None
    """The tool, where the text named one."""


Piece: TypeAlias = str | TextCall | Remark


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """Where the search stands."""

    plan: Plan
    held: str = ""
    """Text that cannot be told yet."""
    wake: Walk | None = None
    """Nothing can be told before this walk comes to its end; None where any character may tell."""
    unread: Walk | None = None
    """Everything is text up to where this walk comes to its end."""
    context: Context = Context()
    spoken: bool = False
    """There was something else than white space since the start or the last call."""
    after: TextFormat | None = None
    """The format of the call just before, if nothing came since."""


def look_for(tools: Tools, formats: Sequence[TextFormat]) -> Detector:
    """A search for calls of these tools in these formats, which are tried in order."""
    return Detector(plan=build_plan(tools, tuple(formats)))


def feed(state: Detector, text: str) -> tuple[Detector, list[Piece]]:
    """Take the next piece of the text."""
    if state.wake is not None:
        wake, end = walk(state.wake, text)
        if end is None:
            return msgspec.structs.replace(state, held=state.held + text, wake=wake), []
    if not state.held and state.spoken and state.unread is None and state.plan.passes(text):
        context = state.context.behind(text)
        return msgspec.structs.replace(state, context=context, after=None), [text] if text else []
    return _search(state, state.held + text, last=False)


def flush(state: Detector) -> tuple[Detector, list[Piece]]:
    """Take the end of the text, or of a stretch of it: nothing waits any longer."""
    state, pieces = _search(state, state.held, last=True)
    return msgspec.structs.replace(state, unread=None, after=None), pieces


def find_pieces(text: str, tools: Tools, formats: Sequence[TextFormat]) -> list[Piece]:
    """The pieces of a whole text in order: text, calls, and remarks on what stayed text."""
    state, first = feed(look_for(tools, formats), text)
    return join_texts([*first, *flush(state)[1]])


class _Search:
    """One pass over the text at hand; lives no longer than `_searched`."""

    def __init__(self, state: Detector, text: str, *, last: bool) -> None:
        self.plan, self.text, self.last = state.plan, text, last
        self.context, self.spoken, self.after = state.context, state.spoken, state.after
        self.unread: Walk | None = state.unread
        self.pieces: list[Piece] = []
        self.at = 0
        self.wake: Walk | None = None

    def say(self, end: int) -> None:
        """Let the text go out up to `end`."""
        if end > self.at:
            told = self.text[self.at : end]
            self.pieces.append(told)
            self.context = self.context.behind(told)
            self.spoken = self.spoken or not told.isspace()
            self.after = None
            self.at = end

    def skim(self, state: Walk) -> None:
        """Let text go out that is not to be read."""
        going, end = walk(state, self.text, self.at)
        self.unread = going if end is None else None
        self.say(len(self.text) if end is None else end)

    def find_gap_end(self) -> int | None:
        """Behind the white space that may go away with a call, and the marks that end one; None: more text needed."""
        while True:
            place = skip_space(self.text, self.at, self.after.gap if self.after else "")
            if self.after is None or not self.after.trailers:
                return place
            behind = skip_literal(self.text, place, self.after.trailers)
            if not isinstance(behind, int):
                waits = behind.value == "untold" and not self.last
                return None if waits else place
            self.at = behind

    def run(self) -> None:
        """Go on until everything is told, or what is left has to wait."""
        while self.at < len(self.text):
            if self.unread is not None:
                self.skim(self.unread)
            elif not self.step():
                return

    def step(self) -> bool:
        """Tell the next stretch; False where the rest has to wait, or is dropped at the end."""
        start = self.at if self.spoken else self.find_gap_end()
        if start is None:
            return False
        if start >= len(self.text):
            if self.last and not (self.after and self.text[self.at :].isspace()):
                self.say(len(self.text))
            elif self.last:
                self.at = len(self.text)
            return False
        opening = find_opening(
            self.plan, self.context.behind(self.text[self.at : start]), self.text, start, last=self.last
        )
        if opening is None:
            self.say(len(self.text))
            return True
        if opening.at > start:
            self.say(opening.at)
        return opening.told and self.tell(opening.at, opening.formats)

    def tell(self, place: int, formats: Sequence[tuple[TextFormat, bool]]) -> bool:
        """Ask the formats in order what begins at `place`; the bool says whether the opening is there in full."""
        rest = self.text[place:]
        refusals: list[tuple[TextFormat, NotACall]] = []
        cut_off: Remark | None = None
        for form, full in formats:
            reading = form.read(rest, self.plan.tools) if full else Unfinished()
            if isinstance(reading, Unfinished):
                if not self.last:
                    self.wake = reading.wake
                    return False
                if reading.salvage is None:
                    if reading.name is not None and cut_off is None:
                        cut_off = Remark(format=form.name, name=reading.name, reason="truncated")
                    refusals.append((form, NotACall(length=len(rest))))
                    continue
                reading = reading.salvage
            if isinstance(reading, Found):
                self.pieces += [msgspec.structs.replace(call, format=form.name) for call in reading.calls]
                self.at = place + reading.length
                self.spoken, self.after = False, form
                self.context = Context(blank=False, fenced=self.context.fenced)
                return True
            refusals.append((form, reading))
        self.refuse(place, refusals, cut_off)
        return True

    def refuse(self, place: int, refusals: list[tuple[TextFormat, NotACall]], cut_off: Remark | None) -> None:
        """Nobody takes what begins at `place`: it is text, as far as any format has looked."""
        fence = self.text.startswith(FENCE, place)
        length = max((refusal.length for _, refusal in refusals), default=0) or (len(FENCE) if fence else 1)
        unread = next((refusal for _, refusal in refusals if refusal.unread is not None), None)
        reasons = [(form, refusal.reason) for form, refusal in refusals if refusal.reason is not None]
        if unread is not None:
            length, self.unread = unread.length, unread.unread
        self.say(min(place + length, len(self.text)))
        if fence and length == len(FENCE):
            self.context = self.context.toggled()
        if cut_off is not None:
            self.pieces.append(cut_off)
        elif reasons and reasons[0][0].markup:
            self.pieces.append(Remark(format=reasons[0][0].name, reason=reasons[0][1]))


def _search(state: Detector, text: str, *, last: bool) -> tuple[Detector, list[Piece]]:
    search = _Search(state, text, last=last)
    search.run()
    state = msgspec.structs.replace(
        state,
        held=text[search.at :],
        wake=search.wake if search.at < len(text) else None,
        unread=search.unread,
        context=search.context,
        spoken=search.spoken,
        after=search.after,
    )
    return state, join_texts(search.pieces)


def join_texts(pieces: list[Piece]) -> list[Piece]:
    """Texts that follow each other as one."""
    out: list[Piece] = []
    run: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            run.append(piece)
            continue
        if run:
            out.append("".join(run))
            run = []
        out.append(piece)
    return [*out, "".join(run)] if run else out
