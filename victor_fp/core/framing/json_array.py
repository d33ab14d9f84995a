"""Streamed JSON array: one frame per element, returned as soon as the element is complete.

Only brackets, commas and quotes are examined; elements are validated by their decoder. Regular expressions skip strings and
runs of other text, and no byte is scanned twice.
"""

from __future__ import annotations

import re

import msgspec

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:' + STRING + rb'[^"{}\[\]]*+)*+', re.DOTALL)
"""Inside an element: everything up to a bracket, or up to an incomplete string."""

TO_SEPARATOR = re.compile(rb'[^"{}\[\],]*+(?:' + STRING + rb'[^"{}\[\],]*+)*+', re.DOTALL)
TO_QUOTE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
WHITESPACE = b" \t\r\n"
QUOTE, BACKSLASH, COMMA = b'"\\,'
BEFORE, BETWEEN, AFTER = 0, 1, -1
"""Depths outside of elements: before the array, in it, after it."""


class JsonArray(msgspec.Struct, frozen=True):
    """The bytes of the current element, and the position in it.

    `depth` is the number of open brackets, including that of the array. `quoted` and `escaped` are whether the bytes end in a
    string, or after a backslash in one.
    """

    limit: int
    held: tuple[bytes, ...] = ()
    depth: int = BEFORE
    quoted: bool = False
    escaped: bool = False

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Return the complete elements."""
        frames: list[Frame] = []
        held, depth, quoted, escaped = self.held, self.depth, self.quoted, self.escaped
        start = offset = 0
        end = len(data)
        while offset < end:
            if quoted:
                offset, quoted, escaped = _find_string_end(data, offset, escaped=escaped)
                continue
            match = (TO_BRACKET if depth > BETWEEN else TO_SEPARATOR).match(data, offset)
            stop = match.end() if match else offset
            if depth in (BEFORE, AFTER):
                opens = depth == BEFORE and data[stop : stop + 1] in (b"[", b"")
                if data[offset:stop].strip(WHITESPACE) or not (opens or stop == end):
                    return self._fail(Garbled("text outside of the array" if depth else "not a JSON array"), frames)
                start = stop
            offset = stop
            if offset == end:
                break
            mark = data[offset]
            offset += 1
            if mark == QUOTE:
                quoted, escaped = True, False
            elif mark in b"[{":
                if depth == BEFORE:
                    start = offset
                elif depth == BETWEEN:
                    if b"".join((*held, data[start : offset - 1])).strip(WHITESPACE):
                        return self._fail(Garbled("two elements without a comma between them"), frames)
                    held, start = (), offset - 1
                depth += 1
            elif depth > BETWEEN + 1:
                depth -= 1
            else:
                # A comma, the end of the array, or the bracket that closes an element.
                inside = depth > BETWEEN
                element = b"".join((*held, data[start : offset if inside else offset - 1])).lstrip(WHITESPACE)
                held, start = (), offset
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
        """Drop the last element, which may be truncated."""
        return [], None

    def _fail(
        self, error: Overflow | Garbled, frames: list[Frame]
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        return Broken(error), frames, error


def _find_string_end(data: bytes, offset: int, *, escaped: bool) -> tuple[int, bool, bool]:
    """Return the end of a string that is open at `offset`, whether it is still open, and whether after a backslash."""
    match = TO_QUOTE.match(data, offset + escaped)
    stop = match.end() if match else len(data)
    if stop >= len(data):
        return len(data), True, False
    # A backslash stops the match only as the last byte; others are matched with the escaped character.
    open_still = data[stop] == BACKSLASH
    return stop + 1, open_still, open_still


def build_json_array_framer(limit: int = DEFAULT_LIMIT) -> Framer:
    """Build a framer for a streamed JSON array (Gemini without alt=sse). `limit` is the maximum size of an element in bytes."""
    return JsonArray(limit)
