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


class Brackets(msgspec.Struct, frozen=True, gc=False):
    """Where a walk stands: the brackets that are still to be closed, the string it is in, and a pending escape."""

    open: str = ""
    quote: str = ""
    escaped: bool = False


NOT_YET = Brackets()


class Until(msgspec.Struct, frozen=True, gc=False):
    """Up to and with one of these endings; `tail` is the last piece of the text so far."""

    endings: tuple[str, ...]
    tail: str = ""


Walk: TypeAlias = Brackets | Until


def until(endings: tuple[str, ...], text: str = "") -> Until:
    """A walk that has come to the end of `text`."""
    longest = max(map(len, endings)) - 1
    return Until(endings, text[max(0, len(text) - longest) :])


def walk(state: Walk, text: str, at: int = 0) -> tuple[Walk, int | None]:
    """Go on through `text` from `at`: the new state, and the place behind the end if that is there."""
    return _walk_until(state, text, at) if isinstance(state, Until) else _walk_brackets(state, text, at)


def _walk_until(state: Until, text: str, at: int) -> tuple[Until, int | None]:
    window = state.tail + text[at:]
    ends = [place + len(ending) for ending in state.endings if (place := window.find(ending)) >= 0]
    if ends:
        return Until(state.endings), at + min(ends) - len(state.tail)
    return until(state.endings, window), None


def _walk_brackets(state: Brackets, text: str, at: int) -> tuple[Brackets, int | None]:
    waiting, quote, escaped = state.open, state.quote, state.escaped
    if escaped and at < len(text):
        at, escaped = at + 1, False
    while True:
        found = (_INSIDE[quote] if quote else _OUTSIDE).search(text, at)
        if found is None:
            return Brackets(waiting, quote, escaped), None
        mark, at = found.group(), found.end()
        if mark == "\\":
            if at == len(text):
                return Brackets(waiting, quote, escaped=True), None
            at += 1
        elif quote:
            quote = ""
        elif mark in "\"'":
            quote = mark
        elif mark in "{[":
            waiting += _CLOSER[mark]
        else:
            fits = waiting.endswith(mark)
            waiting = waiting[:-1]
            if not waiting or not fits:
                return NOT_YET, at


def end_of(text: str, at: int) -> int | Brackets:
    """The place behind the value whose opening bracket is at `at`, or the walk that waits for it."""
    state, end = _walk_brackets(NOT_YET, text, at)
    return state if end is None else end


_PYTHON = re.compile(r"""\"{3}|'{3}|["'(){}\[\]]""")
_PYTHON_STRING_ENDS = {
    '"': re.compile(r'(?:[^"\\\n]|\\.)*+(?:"|(?P<broken>\n))', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+(?:'|(?P<broken>\n))", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''", re.DOTALL),
}


_NO_PYTHON = -1
_CLOSERS = (")", "]", "}")


def python_end_of(text: str, at: int) -> int | Until | None:
    """The same for Python source, with round brackets and its string literals.

    -1 where it cannot be Python; None where any character may decide, as behind two quotes that may become three.
    """
    waiting = ""
    while found := _PYTHON.search(text, at):
        mark, at = found.group(), found.end()
        if mark in _CLOSER:
            waiting += _CLOSER[mark]
        elif mark in _CLOSERS:
            if not waiting.endswith(mark):
                return _NO_PYTHON
            waiting = waiting[:-1]
            if not waiting:
                return at
        else:
            if len(mark) == 1 and text.startswith(mark, at) and at + 1 == len(text):
                return None
            end = _PYTHON_STRING_ENDS[mark].match(text, at)
            if end is None:
                return until((mark, "\n") if len(mark) == 1 else (mark,), text)
            if end.lastgroup == "broken":
                return _NO_PYTHON
            at = end.end()
    return until(_CLOSERS)
