"""Whether JSON that is still being written can become a call: the keys and the name are looked at as they come."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.text_tools.brackets import Brackets, Walk, end_of, until
from victor_fp.core.text_tools.json_calls import ARGUMENT_KEYS, KEYS, NAME_KEYS, WRAPPER_KEYS
from victor_fp.core.text_tools.reading import skip_space
from victor_fp.core.text_tools.tools import Tools


class Hopeful(msgspec.Struct, frozen=True, gc=False):
    """It can; `name` is the tool where that is settled."""

    name: str | None = None
    wake: Walk | None = None
    """Inside a value that ends where this walk does; None where any character may end the hope."""


Outlook: TypeAlias = Hopeful | Literal["hopeless"]

_STRING_END = {
    '"': re.compile(r'((?:[^"\\]|\\.)*+)(")?', re.DOTALL),
    "'": re.compile(r"((?:[^'\\]|\\.)*+)(')?", re.DOTALL),
}
_BARE = re.compile(r"[^\s,:}\]]{0,128}")


_DEPTH = 4
"""Wrappers within wrappers."""


def outlook(text: str, at: int, tools: Tools, *, strict: bool, depth: int = _DEPTH) -> Outlook:
    """What can be said of the value whose bracket is at `at`, whether its end has come or not.

    Read from the front, so that what is hopeless stays so when the text grows.
    """
    if depth == 0:
        return "hopeless"
    if text[at] == "[":
        return _classify_list(text, at, tools, strict=strict, depth=depth)
    name: str | None = None
    at += 1
    while True:
        at = skip_space(text, at)
        if at == len(text) or text[at] == "}":
            return Hopeful(name)
        key, end = _word(text, at)
        if end is None:
            begun = not strict or any(known.startswith(key) for known in KEYS)
            return Hopeful(name) if begun else "hopeless"
        if strict and key not in KEYS:
            return "hopeless"
        at = skip_space(text, end)
        if at == len(text):
            return Hopeful(name)
        if text[at] != ":":
            return "hopeless"
        at = skip_space(text, at + 1)
        if at == len(text):
            return Hopeful(name)
        if text[at] in "{[":
            if key in WRAPPER_KEYS:
                inner = outlook(text, at, tools, strict=strict, depth=depth - 1)
                if inner == "hopeless":
                    return inner
                name = inner.name or name
                if isinstance(end_of(text, at), Brackets):
                    return Hopeful(name, inner.wake)
            elif key in NAME_KEYS or (text[at] == "[" and key in ARGUMENT_KEYS):
                return "hopeless"
            closed = end_of(text, at)
            if isinstance(closed, Brackets):
                return Hopeful(name, closed)
            end = closed
        else:
            value, end = _word(text, at)
            if key in NAME_KEYS:
                if not (tools.may_become(value) if end is None else tools.spelled(value)):
                    return "hopeless"
                name = name or (None if end is None else tools.spelled(value))
            elif end is None and text[at] in "\"'":
                return Hopeful(name, until((text[at],)))
        if end is None:
            return Hopeful(name)
        at = skip_space(text, end)
        if at == len(text):
            return Hopeful(name)
        if text[at] == ",":
            at += 1
        elif text[at] != "}":
            return "hopeless"


def is_foreign_object(text: str, at: int) -> bool:
    """Whether the first key of the object, or of the list's first object, is none of a call: told without reading on."""
    at = skip_space(text, at + 1)
    if text.startswith("{", at):
        at = skip_space(text, at + 1)
    if at == len(text) or text[at] in "}]":
        return False
    key, end = _word(text, at)
    return key not in KEYS if end is not None else not any(known.startswith(key) for known in KEYS)


def _classify_list(text: str, at: int, tools: Tools, *, strict: bool, depth: int) -> Outlook:
    """A list of calls: every element must be an object that is one or can become one."""
    name: str | None = None
    at += 1
    while True:
        at = skip_space(text, at, ",")
        if at == len(text) or text[at] == "]":
            return Hopeful(name)
        if text[at] != "{":
            return "hopeless"
        inner = outlook(text, at, tools, strict=strict, depth=depth - 1)
        if inner == "hopeless":
            return inner
        name = inner.name or name
        end = end_of(text, at)
        if isinstance(end, Brackets):
            return Hopeful(name, inner.wake)
        at = end


def _word(text: str, at: int) -> tuple[str, int | None]:
    """A string or bare word and the place behind it; None where it has not ended."""
    quote = text[at]
    if quote in _STRING_END:
        found = _STRING_END[quote].match(text, at + 1)
        if found is None:
            return "", None
        return found.group(1), found.end() if found.group(2) else None
    bare = _BARE.match(text, at)
    end = bare.end() if bare else at
    return text[at:end], None if end == len(text) else end
