"""Detection of calls in streamed text. Text is emitted immediately, unless it may still become a call.

A `Detector` is an immutable value; `feed` processes the next piece, `flush` the end. The result does not depend on how the
text is split, because decisions of readers are final and the text is searched from the start. Rules: a candidate that is not
a call is emitted as text in full, and nothing inside it is a call. White space between calls, or between a call and the start
or end of the text, is dropped. All other text is unchanged. A candidate that is undecided after `MAX_HELD` characters is text.

Complexity: buffered text is scanned again only after as many new characters as the scan covers, so the work is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.json import Chain, unroll
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
"""Maximum length of a call, or of white space before one, in characters."""
_CREDIT = 8
"""Characters that may be scanned again per received character."""
_START_CREDIT = 4096


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Text that looks like a call but was not parsed as one, and the reason."""

    format: str
    reason: str
    name: str | None = None
    """The tool named in the text, if any."""


DetectedPiece: TypeAlias = str | TextCall | Remark
"""A text, a call, or a remark about what looked like a call."""


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """State of the search."""

    plan: MarkerPlan
    held: Chain = None
    """Buffered text that is undecided."""
    size: int = 0
    """Length of the buffered text."""
    credit: int = _START_CREDIT
    wake: Walk | None = None
    """Nothing can be decided before this walk ends; None if any character may decide."""
    unread: Walk | None = None
    """Everything up to the end of this walk is text."""
    prose: Prose = Prose()
    has_text: bool = False
    """Whether there was text other than white space since the start or the last call."""
    after: TextFormat | None = None
    """The format of the directly preceding call, if any."""


def start_detector(tools: Tools, formats: Sequence[TextFormat]) -> Detector:
    """Return a detector for calls of the tools in the formats, which are tried in order."""
    return Detector(plan=plan_search(tools, tuple(formats)))


def feed(state: Detector, text: str) -> tuple[Detector, list[DetectedPiece]]:
    """Process the next piece of the text."""
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
        text = "".join(unroll((state.held, text)))
        return _search(replace(state, held=None, size=0, credit=credit - size, wake=None), text, last=False)
    if state.has_text and state.unread is None and state.prose.indent < 0 and state.plan.has_no_marker(text):
        return replace(state, prose=state.prose.advance(text), after=None), [text]
    return _search(state, text, last=False)


def flush(state: Detector) -> tuple[Detector, list[DetectedPiece]]:
    """Process the end of the text, or of a section of it: all buffered text is decided."""
    text = "".join(unroll(state.held))
    cleared = msgspec.structs.replace(state, held=None, size=0, wake=None)
    state, pieces = _search(cleared, text, last=True)
    return msgspec.structs.replace(state, unread=None, after=None, credit=_START_CREDIT), pieces


def find_calls(text: str, tools: Tools, formats: Sequence[TextFormat]) -> list[DetectedPiece]:
    """Return the pieces of a complete text in order: text, calls, and remarks."""
    state, first = feed(start_detector(tools, formats), text)
    return join_pieces([*first, *flush(state)[1]])


class _Search:
    """One pass over the available text; used only within `_search`."""

    def __init__(self, state: Detector, text: str, *, last: bool) -> None:
        self.plan, self.text, self.last = state.plan, text, last
        self.prose, self.has_text, self.after = state.prose, state.has_text, state.after
        self.unread: Walk | None = state.unread
        self.pieces: list[DetectedPiece] = []
        self.at = 0
        self.wake: Walk | None = None
        self.markers = MarkerSearch(state.plan, text, last=last)

    def emit_text(self, end: int, *, opaque: bool = False) -> None:
        """Emit text up to `end`."""
        if end > self.at:
            text = self.text[self.at : end]
            self.pieces.append(text)
            prose = self.prose
            self.prose = prose.advance_opaque(text, 0, len(text)) if opaque else prose.advance(text)
            self.has_text = self.has_text or not text.isspace()
            self.after = None
            self.at = end

    def emit_unread(self, state: Walk) -> None:
        """Emit text that is not searched."""
        remaining, end = walk(state, self.text, self.at)
        self.unread = remaining if end is None else None
        self.emit_text(len(self.text) if end is None else end, opaque=True)

    def skip_gap(self) -> int | None:
        """Return the offset after droppable white space and trailing marks of a call; None if more text is needed."""
        while True:
            offset = skip_space(self.text, self.at, self.after.gap if self.after else "")
            if self.after is None or not self.after.trailers:
                return offset
            after = skip_literal(self.text, offset, self.after.trailers)
            if not isinstance(after, int):
                waits = after.value == "undecided" and not self.last
                return None if waits else offset
            self.at = after

    def run(self) -> None:
        """Process the text until everything is decided, or the remainder must be buffered."""
        while self.at < len(self.text):
            if self.unread is not None:
                self.emit_unread(self.unread)
            elif not self.step():
                return

    def step(self) -> bool:
        """Decide the next section; False if the remainder must be buffered, or is dropped at the end."""
        start = self.at if self.has_text else self.skip_gap()
        if start is None:
            return False
        if start - self.at > MAX_HELD:
            self.emit_text(start)
            self.has_text = True
            return True
        if start >= len(self.text):
            if self.last and not (self.after and self.text[self.at :].isspace()):
                self.emit_text(len(self.text))
            elif self.last:
                self.at = len(self.text)
            return False
        prose = self.prose if self.after else self.prose.advance(self.text, self.at, start)
        candidate = self.markers.find(prose, start)
        if candidate is None:
            self.emit_text(len(self.text))
            return True
        if candidate.at > start:
            self.emit_text(candidate.at)
            self.prose = candidate.prose
        return self.decide(candidate)

    def decide(self, candidate: Candidate) -> bool:
        """Try the formats in order at a candidate's offset."""
        offset = candidate.at
        refusals: list[tuple[TextFormat, NotACall]] = []
        cut_off: Remark | None = None
        for form, is_full in candidate.formats:
            reading = form.read(self.text, offset, self.plan.tools) if is_full else Unfinished()
            if len(self.text) - offset > MAX_HELD and (
                isinstance(reading, Unfinished) or reading.end - offset > MAX_HELD
            ):
                reading = self.reject_overlong(form, offset) if is_full else NotACall(end=offset + 1)
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
                self.has_text, self.after = False, form
                self.prose = self.prose.advance_call()
                return True
            refusals.append((form, reading))
        self.emit_rejected(offset, refusals, cut_off)
        return True

    def reject_overlong(self, form: TextFormat, offset: int) -> NotACall:
        """Return the rejection of a candidate that is undecided within the bound, independent of the available text."""
        limit = offset + MAX_HELD
        reading = form.read(self.text[offset:limit], 0, self.plan.tools)
        wake = reading.wake if isinstance(reading, Unfinished) else None
        return NotACall(end=limit, unread=wake, reason=f"longer than {MAX_HELD} characters")

    def emit_rejected(self, offset: int, refusals: list[tuple[TextFormat, NotACall]], cut_off: Remark | None) -> None:
        """Emit a candidate that no format accepts as text, as far as any format has read."""
        end = max((refusal.end for _, refusal in refusals), default=0)
        unread = next((refusal for _, refusal in refusals if refusal.unread is not None), None)
        reasons = [(form, refusal.reason) for form, refusal in refusals if refusal.reason is not None]
        if unread is not None:
            end, self.unread = unread.end, unread.unread
        end = min(max(end, offset if unread is not None else offset + 1), len(self.text))
        self.emit_text(end, opaque=not self.text.startswith(("`", "~"), offset))
        if cut_off is not None:
            self.pieces.append(cut_off)
        elif reasons and reasons[0][0].markup:
            self.pieces.append(Remark(format=reasons[0][0].name, reason=reasons[0][1]))


def _search(state: Detector, text: str, *, last: bool) -> tuple[Detector, list[DetectedPiece]]:
    search = _Search(state, text, last=last)
    search.run()
    remainder = text[search.at :]
    state = msgspec.structs.replace(
        state,
        held=(None, remainder) if remainder else None,
        size=len(remainder),
        wake=search.wake if remainder else None,
        unread=search.unread,
        prose=search.prose,
        has_text=search.has_text,
        after=search.after,
    )
    return state, join_pieces(search.pieces)


def join_pieces(pieces: list[DetectedPiece]) -> list[DetectedPiece]:
    """Join adjacent texts."""
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
