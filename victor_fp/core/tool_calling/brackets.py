"""Where a bracketed value ends: walks over strings and nesting without understanding the rest.

Both quotes delimit strings: in JSON proper a single quote never stands outside of one, and the JSON that models write
with Python's quotes is walked as well. A closing bracket that does not fit ends the value, which then fails to decode.
"""

from __future__ import annotations

import re

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


def walk(state: Brackets, text: str, at: int = 0) -> tuple[Brackets, int | None]:
    """Go on through `text`: the new state, and the place behind the outermost closing bracket if it is there."""
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


def closed_at(text: str, at: int) -> int | None:
    """The place behind the value whose opening bracket is at `at`; None where its end has not come."""
    return walk(NOT_YET, text, at)[1]


_PYTHON = re.compile(r"""\"{3}|'{3}|["'(){}\[\]]""")
_PYTHON_STRING_ENDS = {
    '"': re.compile(r'(?:[^"\\\n]|\\.)*+(?:"|(?P<broken>\n))', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+(?:'|(?P<broken>\n))", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''", re.DOTALL),
}


def python_closed_at(text: str, at: int) -> int | None:
    """The same for Python source, with round brackets and its string literals; -1 where it cannot be Python.

    A quote that may yet become a triple one counts as undecided.
    """
    waiting = ""
    while found := _PYTHON.search(text, at):
        mark, at = found.group(), found.end()
        if mark in _CLOSER:
            waiting += _CLOSER[mark]
        elif mark in ")]}":
            if not waiting.endswith(mark):
                return -1
            waiting = waiting[:-1]
            if not waiting:
                return at
        else:
            if len(mark) == 1 and text.startswith(mark, at) and at + 1 == len(text):
                return None
            end = _PYTHON_STRING_ENDS[mark].match(text, at)
            if end is None:
                return None
            if end.lastgroup == "broken":
                return -1
            at = end.end()
    return None
