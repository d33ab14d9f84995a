"""One JSON array that is sent in pieces: a frame for each element, given as soon as the element closes.

Only brackets, commas and quotes are looked at; whether an element is sound JSON is for its decoder to say. Regular
expressions skip whole strings and runs of other text, and no byte is scanned twice.
"""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:' + STRING + rb'[^"{}\[\]]*+)*+', re.DOTALL)
"""Inside an element: everything up to a bracket, or up to a string that these bytes do not finish."""

TO_SEPARATOR = re.compile(rb'[^"{}\[\],]*+(?:' + STRING + rb'[^"{}\[\],]*+)*+', re.DOTALL)
TO_QUOTE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
WHITESPACE = b" \t\r\n"
QUOTE, BACKSLASH, COMMA = b'"\\,'
BEFORE, BETWEEN, AFTER = 0, 1, -1
"""Depths outside of every element: before the array, in it, behind it."""


class JsonArray(msgspec.Struct, frozen=True):
    """The bytes of the element that is open, and where in it they end.

    `depth` counts the brackets that are open, the array's own included. `quoted` and `escaped` say that a string, or
    a backslash in one, is.
    """

    limit: int
    held: tuple[bytes, ...] = ()
    depth: int = BEFORE
    quoted: bool = False
    escaped: bool = False

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """The elements that have closed."""
        frames: list[Frame] = []
        held, depth, quoted, escaped = self.held, self.depth, self.quoted, self.escaped
        start = place = 0
        end = len(data)
        while place < end:
            if quoted:
                place, quoted, escaped = _find_string_end(data, place, escaped=escaped)
                continue
            match = (TO_BRACKET if depth > BETWEEN else TO_SEPARATOR).match(data, place)
            stop = match.end() if match else place
            if depth in (BEFORE, AFTER):
                opens = depth == BEFORE and data[stop : stop + 1] in (b"[", b"")
                if data[place:stop].strip(WHITESPACE) or not (opens or stop == end):
                    return self._fail(Garbled("text outside of the array" if depth else "not a JSON array"), frames)
                start = stop
            place = stop
            if place == end:
                break
            mark = data[place]
            place += 1
            if mark == QUOTE:
                quoted, escaped = True, False
            elif mark in b"[{":
                if depth == BEFORE:
                    start = place
                elif depth == BETWEEN:
                    if b"".join((*held, data[start : place - 1])).strip(WHITESPACE):
                        return self._fail(Garbled("two elements without a comma between them"), frames)
                    held, start = (), place - 1
                depth += 1
            elif depth > BETWEEN + 1:
                depth -= 1
            else:
                # A comma, the array's own end, or the bracket that closes an element.
                inside = depth > BETWEEN
                element = b"".join((*held, data[start : place if inside else place - 1])).lstrip(WHITESPACE)
                held, start = (), place
                if len(element) > self.limit:
                    return self._fail(Overflow(self.limit), frames)
                if element:
                    frames.append(Frame(element.rstrip(WHITESPACE)))
                depth = BETWEEN if inside or mark == COMMA else AFTER
        rest = data[start:]
        if not held:
            rest = rest.lstrip(WHITESPACE)
        if rest:
            held = append_held(held, rest)
        if sum(map(len, held)) > self.limit:
            return self._fail(Overflow(self.limit), frames)
        return JsonArray(self.limit, held, depth, quoted, escaped), frames, None

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """An element that the end of the bytes cut cannot be told from a whole one, so it is left out."""
        return [], None

    def _fail(
        self, error: Overflow | Garbled, frames: list[Frame]
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        return Broken(error), frames, error


def _find_string_end(data: bytes, place: int, *, escaped: bool) -> tuple[int, bool, bool]:
    """Where a string that opened before `place` ends in these bytes, whether it is still open, and at a backslash."""
    match = TO_QUOTE.match(data, place + escaped)
    stop = match.end() if match else len(data)
    if stop >= len(data):
        return len(data), True, False
    # A backslash stops the match only as the last byte; every other one is matched with what it escapes.
    open_still = data[stop] == BACKSLASH
    return stop + 1, open_still, open_still


def build_json_array_framer(limit: int = DEFAULT_LIMIT) -> Framer:
    """A framer for a streamed JSON array (Gemini without alt=sse). `limit` bounds one element, in bytes."""
    return JsonArray(limit)
