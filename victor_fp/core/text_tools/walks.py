"""Incremental search for the end of a bracketed value, or of text with an end mark.

Strings may have single or double quotes: valid JSON has no single quote outside of strings, and models write JSON with Python's
quotes. A mismatched closing bracket ends the value, which then fails to decode.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

_OUTSIDE = re.compile(r"""["'{}\[\]]""")
_INSIDE = {'"': re.compile(r'[\\"]'), "'": re.compile(r"[\\']")}
_CLOSER = {"{": "}", "[": "]", "(": ")"}
_MAX_OPEN = 256
"""Maximum number of open brackets whose kind is tracked; deeper ones are only counted, since no reader accepts them."""


class BracketWalk(msgspec.Struct, frozen=True, gc=False):
    """State of a walk: open brackets, the current string, and a pending escape."""

    open: str = ""
    deeper: int = 0
    """Brackets beyond `_MAX_OPEN`, of any kind."""
    quote: str = ""
    escaped: bool = False


VALUE = BracketWalk()
"""The state before the opening bracket of a value."""


class EndMarks(msgspec.Struct, frozen=True):
    """End marks of a text."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    longest: int


def end_marks(*marks: str) -> EndMarks:
    """Compile end marks."""
    return EndMarks(marks, re.compile("|".join(map(re.escape, marks))), max(map(len, marks)))


class MarkWalk(msgspec.Struct, frozen=True):
    """Walk up to the end of one of the marks; `tail` is the end of the text so far."""

    marks: EndMarks
    tail: str = ""


Walk: TypeAlias = BracketWalk | MarkWalk


def walk_behind(marks: EndMarks, text: str, start: int = 0) -> MarkWalk:
    """Return a walk that has processed `text` from `start` without finding a mark."""
    return MarkWalk(marks, text[max(start, len(text) - marks.longest + 1) :])


def walk(state: Walk, text: str, at: int = 0) -> tuple[Walk, int | None]:
    """Continue through `text` from `at`: return the new state, and the offset after the end, if found."""
    return _walk_to_mark(state, text, at) if isinstance(state, MarkWalk) else _walk_brackets(state, text, at)


def _walk_to_mark(state: MarkWalk, text: str, at: int) -> tuple[MarkWalk, int | None]:
    marks, tail = state.marks, state.tail
    if tail:
        overlap = marks.pattern.search(tail + text[at : at + marks.longest])
        if overlap is not None and overlap.start() < len(tail):
            return MarkWalk(marks), at + overlap.end() - len(tail)
    found = marks.pattern.search(text, at)
    if found is not None:
        return MarkWalk(marks), found.end()
    return walk_behind(marks, tail + text[max(at, len(text) - marks.longest) :]), None


def _walk_brackets(state: BracketWalk, text: str, at: int) -> tuple[BracketWalk, int | None]:
    open_brackets, deeper, quote, escaped = state.open, state.deeper, state.quote, state.escaped
    if escaped and at < len(text):
        at, escaped = at + 1, False
    while True:
        found = (_INSIDE[quote] if quote else _OUTSIDE).search(text, at)
        if found is None:
            return BracketWalk(open_brackets, deeper, quote, escaped), None
        mark, at = found.group(), found.end()
        if mark == "\\":
            if at == len(text):
                return BracketWalk(open_brackets, deeper, quote, escaped=True), None
            at += 1
        elif quote:
            quote = ""
        elif mark in "\"'":
            quote = mark
        elif mark in "{[":
            if len(open_brackets) < _MAX_OPEN:
                open_brackets += _CLOSER[mark]
            else:
                deeper += 1
        elif deeper:
            deeper -= 1
        else:
            fits = open_brackets.endswith(mark)
            open_brackets = open_brackets[:-1]
            if not open_brackets or not fits:
                return VALUE, at


def find_end(text: str, at: int) -> int | BracketWalk:
    """Return the offset after the value whose opening bracket is at `at`, or the walk if it is incomplete."""
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
    """The text up to `at` cannot be Python."""

    at: int


def find_python_end(text: str, at: int) -> int | MarkWalk | NotPython | None:
    """Find the end like `find_end`, for Python source, including parentheses and its string literals.

    None if any character may decide, as after two quotes that may become three.
    """
    open_brackets = ""
    while found := _PYTHON.search(text, at):
        mark, at = found.group(), found.end()
        if mark in _CLOSER:
            if len(open_brackets) == _MAX_OPEN:
                return NotPython(at)
            open_brackets += _CLOSER[mark]
        elif mark in _CLOSERS:
            if not open_brackets.endswith(mark):
                return NotPython(at)
            open_brackets = open_brackets[:-1]
            if not open_brackets:
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
