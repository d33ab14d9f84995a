"""Finds the calls in a text as it streams: text goes out at once, and waits only while it can still be a call.

A `Detector` is a value; `feed` takes the next piece, `flush` the end. Where a stream is cut changes nothing, because a
reader's decisions are final and the text is searched from the front. Rules: a candidate that turns out to be no call is
text, whole, and what stands inside of it is never a call. White space that is alone between calls, or between a call
and either end of the text, goes away with them. Everything else stays as it is. A candidate that is not decided within
`MAX_HELD` characters is text.

Cost: text that waits is read again only when as many characters have come as reading it takes, so the work is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.chains import Chain, join_chain
from victor_fp.core.text_tools.formats.form import TextFormat
from victor_fp.core.text_tools.prose import Prose
from victor_fp.core.text_tools.readings import (
    Found,
    NotACall,
    TextCall,
    Unfinished,
    skip_literal,
    skip_space,
)
from victor_fp.core.text_tools.start_markers import Candidate, MarkerPlan, MarkerSearch, plan_search
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.text_tools.walks import Walk, walk

MAX_HELD = 80_000
"""Characters of a call, or of white space before one."""
_CREDIT = 8
"""Characters that may be read again for each one that comes."""
_START_CREDIT = 4096


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something meant as a call that stayed text, and why."""

    format: str
    reason: str
    name: str | None = None
    """The tool, where the text named one."""


DetectedPiece: TypeAlias = str | TextCall | Remark


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """Where the search stands."""

    plan: MarkerPlan
    held: Chain = None
    """Text that is not decided yet."""
    size: int = 0
    """Characters of it."""
    credit: int = _START_CREDIT
    wake: Walk | None = None
    """Nothing can be decided before this walk comes to its end; None where any character may decide."""
    unread: Walk | None = None
    """Everything is text up to where this walk comes to its end."""
    prose: Prose = Prose()
    spoken: bool = False
    """There was something else than white space since the start or the last call."""
    after: TextFormat | None = None
    """The format of the call just before, if nothing came since."""


def start_detector(tools: Tools, formats: Sequence[TextFormat]) -> Detector:
    """A search for calls of these tools in these formats, which are tried in order."""
    return Detector(plan=plan_search(tools, tuple(formats)))


def feed(state: Detector, text: str) -> tuple[Detector, list[DetectedPiece]]:
    """Take the next piece of the text."""
    replace = msgspec.structs.replace
    if not text:
        return state, []
    if state.size:
        size, credit = state.size + len(text), state.credit + _CREDIT * len(text)
        wake = state.wake
        if wake is not None:
            wake, end = walk(wake, text)
            wake = wake if end is None else None
        is_due = wake is None or size > MAX_HELD
        if not is_due or credit < size:
            return replace(state, held=(state.held, text), size=size, credit=credit, wake=wake), []
        text = join_chain((state.held, text))
        return _search(replace(state, held=None, size=0, credit=credit - size, wake=None), text, last=False)
    if state.spoken and state.unread is None and state.prose.indent < 0 and state.plan.has_no_marker(text):
        return replace(state, prose=state.prose.advance(text), after=None), [text]
    return _search(state, text, last=False)


def flush(state: Detector) -> tuple[Detector, list[DetectedPiece]]:
    """Take the end of the text, or of a stretch of it: nothing waits any longer."""
    text = join_chain(state.held)
    cleared = msgspec.structs.replace(state, held=None, size=0, wake=None)
    state, pieces = _search(cleared, text, last=True)
    return msgspec.structs.replace(state, unread=None, after=None, credit=_START_CREDIT), pieces


def find_calls(text: str, tools: Tools, formats: Sequence[TextFormat]) -> list[DetectedPiece]:
    """The pieces of a whole text in order: text, calls, and remarks on what stayed text."""
    state, first = feed(start_detector(tools, formats), text)
    return join_pieces([*first, *flush(state)[1]])


class _Search:
    """One pass over the text at hand; lives no longer than `_search`."""

    def __init__(self, state: Detector, text: str, *, last: bool) -> None:
        self.plan, self.text, self.last = state.plan, text, last
        self.prose, self.spoken, self.after = state.prose, state.spoken, state.after
        self.unread: Walk | None = state.unread
        self.pieces: list[DetectedPiece] = []
        self.at = 0
        self.wake: Walk | None = None
        self.markers = MarkerSearch(state.plan, text, last=last)

    def say(self, end: int, *, opaque: bool = False) -> None:
        """Let the text go out up to `end`."""
        if end > self.at:
            text = self.text[self.at : end]
            self.pieces.append(text)
            prose = self.prose
            self.prose = prose.advance_opaque(text, 0, len(text)) if opaque else prose.advance(text)
            self.spoken = self.spoken or not text.isspace()
            self.after = None
            self.at = end

    def skim(self, state: Walk) -> None:
        """Let text go out that is not to be read."""
        going, end = walk(state, self.text, self.at)
        self.unread = going if end is None else None
        self.say(len(self.text) if end is None else end, opaque=True)

    def skip_gap(self) -> int | None:
        """Behind the white space that may go away with a call, and the marks that end one; None: more text needed."""
        while True:
            place = skip_space(self.text, self.at, self.after.gap if self.after else "")
            if self.after is None or not self.after.trailers:
                return place
            behind = skip_literal(self.text, place, self.after.trailers)
            if not isinstance(behind, int):
                waits = behind.value == "undecided" and not self.last
                return None if waits else place
            self.at = behind

    def run(self) -> None:
        """Go on until everything is decided, or what is left has to wait."""
        while self.at < len(self.text):
            if self.unread is not None:
                self.skim(self.unread)
            elif not self.step():
                return

    def step(self) -> bool:
        """Decide the next stretch; False where the rest has to wait, or is dropped at the end."""
        start = self.at if self.spoken else self.skip_gap()
        if start is None:
            return False
        if start - self.at > MAX_HELD:
            self.say(start)
            self.spoken = True
            return True
        if start >= len(self.text):
            if self.last and not (self.after and self.text[self.at :].isspace()):
                self.say(len(self.text))
            elif self.last:
                self.at = len(self.text)
            return False
        prose = self.prose if self.after else self.prose.advance(self.text, self.at, start)
        candidate = self.markers.find(prose, start)
        if candidate is None:
            self.say(len(self.text))
            return True
        if candidate.at > start:
            self.say(candidate.at)
            self.prose = candidate.prose
        return self.decide(candidate)

    def decide(self, candidate: Candidate) -> bool:
        """Ask the formats in order what begins at a place."""
        place = candidate.at
        refusals: list[tuple[TextFormat, NotACall]] = []
        cut_off: Remark | None = None
        for form, is_full in candidate.formats:
            reading = form.read(self.text, place, self.plan.tools) if is_full else Unfinished()
            if len(self.text) - place > MAX_HELD and (
                isinstance(reading, Unfinished) or reading.end - place > MAX_HELD
            ):
                reading = self.give_up(form, place) if is_full else NotACall(end=place + 1)
            if isinstance(reading, Unfinished):
                if not self.last:
                    self.wake = reading.wake
                    return False
                if reading.salvage is None:
                    if reading.name is not None and cut_off is None:
                        cut_off = Remark(format=form.name, name=reading.name, reason="truncated")
                    refusals.append((form, NotACall(end=len(self.text))))
                    continue
                reading = reading.salvage
            if isinstance(reading, Found):
                self.pieces += [msgspec.structs.replace(call, format=form.name) for call in reading.calls]
                self.at = reading.end
                self.spoken, self.after = False, form
                self.prose = self.prose.advance_call()
                return True
            refusals.append((form, reading))
        self.refuse(place, refusals, cut_off)
        return True

    def give_up(self, form: TextFormat, place: int) -> NotACall:
        """The refusal of a candidate that is not decided within the bound, however much of it is at hand."""
        limit = place + MAX_HELD
        reading = form.read(self.text[place:limit], 0, self.plan.tools)
        wake = reading.wake if isinstance(reading, Unfinished) else None
        return NotACall(end=limit, unread=wake, reason=f"longer than {MAX_HELD} characters")

    def refuse(self, place: int, refusals: list[tuple[TextFormat, NotACall]], cut_off: Remark | None) -> None:
        """No format reads what begins at `place`: it is text, as far as any format has looked."""
        end = max((refusal.end for _, refusal in refusals), default=0)
        unread = next((refusal for _, refusal in refusals if refusal.unread is not None), None)
        reasons = [(form, refusal.reason) for form, refusal in refusals if refusal.reason is not None]
        if unread is not None:
            end, self.unread = unread.end, unread.unread
        end = min(max(end, place if unread is not None else place + 1), len(self.text))
        self.say(end, opaque=not self.text.startswith(("`", "~"), place))
        if cut_off is not None:
            self.pieces.append(cut_off)
        elif reasons and reasons[0][0].markup:
            self.pieces.append(Remark(format=reasons[0][0].name, reason=reasons[0][1]))


def _search(state: Detector, text: str, *, last: bool) -> tuple[Detector, list[DetectedPiece]]:
    search = _Search(state, text, last=last)
    search.run()
    rest = text[search.at :]
    state = msgspec.structs.replace(
        state,
        held=(None, rest) if rest else None,
        size=len(rest),
        wake=search.wake if rest else None,
        unread=search.unread,
        prose=search.prose,
        spoken=search.spoken,
        after=search.after,
    )
    return state, join_pieces(search.pieces)


def join_pieces(pieces: list[DetectedPiece]) -> list[DetectedPiece]:
    """Texts that follow each other as one."""
    out: list[DetectedPiece] = []
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
