"""The body that most formats share: one or several JSON values, then a closing mark."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from victor_fp.core.text_tools.brackets import NOT_YET, Brackets, Until, Walk, end_of
from victor_fp.core.text_tools.json_calls import calls_of
from victor_fp.core.text_tools.json_outlook import is_foreign_object, outlook
from victor_fp.core.text_tools.reading import (
    Edge,
    Found,
    NotACall,
    Reading,
    TextCall,
    Unfinished,
    skip_literal,
    skip_space,
)
from victor_fp.core.text_tools.tools import Tools


def json_body(
    text: str, at: int, tools: Tools, closers: Sequence[str] = (), *, strict: bool = False, several: bool = False
) -> Reading:
    """Read the values from `at` on; `at` is also how much is text where they are no calls.

    Values follow each other with white space, commas or semicolons between. Without `closers` the first is all, or,
    where there may be `several`, those up to the first that is no call. Whole values whose closing mark never comes,
    as where a server strips it, are calls.
    """
    unread: Walk = Until(tuple(closers)) if closers else NOT_YET
    so_far: Found | None = None
    place = skip_space(text, at)
    while True:
        value = _value(text, place, tools, strict=strict)
        if isinstance(value, Unfinished):
            return msgspec.structs.replace(value, salvage=so_far)
        if isinstance(value, str):
            if so_far is not None and not closers:
                return so_far
            meant = so_far is not None or text[place] in "{["
            return NotACall(length=at, unread=unread if meant else None, reason=value if meant else None)
        calls, end = value
        so_far = Found((*(so_far.calls if so_far else ()), *calls), end)
        if not closers and not several:
            return so_far
        place = skip_space(text, end, ",;")
        closed = skip_literal(text, place, closers) if closers else Edge.MISSING
        if isinstance(closed, int):
            return Found(so_far.calls, closed)
        if closed is Edge.UNTOLD:
            return Unfinished(salvage=so_far, name=calls[0].name)


def _value(text: str, at: int, tools: Tools, *, strict: bool) -> tuple[tuple[TextCall, ...], int] | Unfinished | str:
    """The calls of the value at `at` and the place behind it; a str says why it holds none."""
    if at == len(text):
        return Unfinished()
    if text[at] not in "{[":
        return "no JSON"
    if strict and is_foreign_object(text, at):
        return "no call of a known tool"
    end = end_of(text, at)
    view = outlook(text if isinstance(end, Brackets) else text[:end], at, tools, strict=strict)
    if view == "hopeless":
        return "no call of a known tool"
    if isinstance(end, Brackets):
        return Unfinished(wake=view.wake if view.name else None, name=view.name)
    calls = calls_of(text[at:end], tools, strict=strict)
    return calls if isinstance(calls, str) else (calls, end)
