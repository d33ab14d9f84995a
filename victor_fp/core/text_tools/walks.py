"""Where a bracketed value ends, or a text with an end mark: walks that go on where the last piece of text stopped.

Both quotes delimit strings: in JSON proper a single quote never stands outside of one, and the JSON that models write
with Python's quotes is walked as well. A closing bracket that does not fit ends the value, which then fails to decode.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

_OUTSIDE = re.compile(r"""["'{}\[\]]""")
_INSIDE = {'"': re.compile(r'[\\"]'), "'": re.compile(r"[\\']")}
_CLOSER = {"{": "}", "[": "]", "(": ")"}
_MAX_OPEN = 256
"""Brackets of which the kind is kept; deeper ones are only counted, since no reader takes them."""


class BracketWalk(msgspec.Struct, frozen=True, gc=False):
    """Where a walk stands: the brackets that are still to be closed, the string it is in, and a pending escape."""

    open: str = ""
    deeper: int = 0
    """Brackets beyond `_MAX_OPEN`, of any kind."""
    quote: str = ""
    escaped: bool = False


VALUE = BracketWalk()
"""Before the opening bracket of a value."""


class EndMarks(msgspec.Struct, frozen=True):
    """The marks of which one ends a text."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    longest: int


def end_marks(*marks: str) -> EndMarks:
    """End marks, compiled once."""
    return EndMarks(marks, re.compile("|".join(map(re.escape, marks))), max(map(len, marks)))


class MarkWalk(msgspec.Struct, frozen=True):
    """Up to and with one of these marks; `tail` is the last piece of the text so far."""

    marks: EndMarks
    tail: str = ""


Walk: TypeAlias = BracketWalk | MarkWalk


def walk_behind(marks: EndMarks, text: str, start: int = 0) -> MarkWalk:
    """A walk that has come from `start` to the end of `text` without a mark."""
    return MarkWalk(marks, text[max(start, len(text) - marks.longest + 1) :])


def walk(state: Walk, text: str, at: int = 0) -> tuple[Walk, int | None]:
    """Go on through `text` from `at`: the new state, and the place behind the end if that is there."""
    return _walk_to_mark(state, text, at) if isinstance(state, MarkWalk) else _walk_brackets(state, text, at)


def _walk_to_mark(state: MarkWalk, text: str, at: int) -> tuple[MarkWalk, int | None]:
    marks, tail = state.marks, state.tail
    if tail:
        seam = marks.pattern.search(tail + text[at : at + marks.longest])
        if seam is not None and seam.start() < len(tail):
            return MarkWalk(marks), at + seam.end() - len(tail)
    found = marks.pattern.search(text, at)
    if found is not None:
        return MarkWalk(marks), found.end()
    return walk_behind(marks, tail + text[max(at, len(text) - marks.longest) :]), None


def _walk_brackets(state: BracketWalk, text: str, at: int) -> tuple[BracketWalk, int | None]:
    waiting, deeper, quote, escaped = state.open, state.deeper, state.quote, state.escaped
    if escaped and at < len(text):
        at, escaped = at + 1, False
    while True:
        found = (_INSIDE[quote] if quote else _OUTSIDE).search(text, at)
        if found is None:
            return BracketWalk(waiting, deeper, quote, escaped), None
        mark, at = found.group(), found.end()
        if mark == "\\":
            if at == len(text):
                return BracketWalk(waiting, deeper, quote, escaped=True), None
            at += 1
        elif quote:
            quote = ""
        elif mark in "\"'":
            quote = mark
        elif mark in "{[":
            if len(waiting) < _MAX_OPEN:
                waiting += _CLOSER[mark]
            else:
                deeper += 1
        elif deeper:
            deeper -= 1
        else:
            fits = waiting.endswith(mark)
            waiting = waiting[:-1]
            if not waiting or not fits:
                return VALUE, at


def find_end(text: str, at: int) -> int | BracketWalk:
    """The place behind the value whose opening bracket is at `at`, or the walk that waits for it."""
    state, end = _walk_brackets(VALUE, text, at)
    return state if end is None else end


_PYTHON = re.compile(r"""\"{3}|'{3}|["'(){}\[\]]""")
_PYTHON_STRING_ENDS = {
    '"': re.compile(r'(?:[^"\\\n]|\\.)*+(?:"|(?P<broken>\n))', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+(?:'|(?P<broken>\n))", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''", re.DOTALL),
}
_PYTHON_STRING_MARKS = {
    mark: end_marks(mark, "\n") if len(mark) == 1 else end_marks(mark) for mark in _PYTHON_STRING_ENDS
}
_CLOSERS = (")", "]", "}")
_CLOSING = end_marks(*_CLOSERS)


class NotPython(msgspec.Struct, frozen=True, gc=False):
    """It cannot be Python; told from the text up to `at`."""

    at: int


def find_python_end(text: str, at: int) -> int | MarkWalk | NotPython | None:
    """The same as `find_end` for Python source, with round brackets and its string literals.

    None where any character may decide, as behind two quotes that may become three.
    """
    waiting = ""
    while found := _PYTHON.search(text, at):
        mark, at = found.group(), found.end()
        if mark in _CLOSER:
            if len(waiting) == _MAX_OPEN:
                return NotPython(at)
            waiting += _CLOSER[mark]
        elif mark in _CLOSERS:
            if not waiting.endswith(mark):
                return NotPython(at)
            waiting = waiting[:-1]
            if not waiting:
                return at
        else:
            if len(mark) == 1 and text.startswith(mark, at) and at + 1 == len(text):
                return None
            end = _PYTHON_STRING_ENDS[mark].match(text, at)
            if end is None:
                return walk_behind(_PYTHON_STRING_MARKS[mark], text, at)
            if end.lastgroup == "broken":
                return NotPython(end.end())
            at = end.end()
    return MarkWalk(_CLOSING)
