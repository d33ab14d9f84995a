"""The body that most formats share: one or several JSON values, then a closing mark."""

from __future__ import annotations

from collections.abc import Sequence

from victor_fp.core.tool_calling.brackets import NOT_YET, closed_at
from victor_fp.core.tool_calling.json_calls import calls_of
from victor_fp.core.tool_calling.json_outlook import outlook
from victor_fp.core.tool_calling.reading import (
    Edge,
    Found,
    NotACall,
    Reading,
    TextCall,
    Unfinished,
    Unread,
    Until,
    past_literal,
    past_space,
)
from victor_fp.core.tool_calling.tools import Tools


def json_body(text: str, at: int, tools: Tools, closers: Sequence[str] = (), *, strict: bool = False) -> Reading:
    """Read the values from `at` on; `at` is also how much is text where they are no calls.

    Without `closers` the first value is all. Values follow each other with white space, commas or semicolons between.
    """
    unread: Unread = Until(tuple(closers)) if closers else NOT_YET
    calls: list[TextCall] = []
    place = past_space(text, at)
    while True:
        if place == len(text):
            return Unfinished(salvage=_salvage(calls, place))
        if text[place] not in "{[":
            return NotACall(length=at, unread=unread if calls else None, reason="no JSON" if calls else None)
        view = outlook(text, place, tools, strict=strict)
        if view == "hopeless":
            return NotACall(length=at, unread=unread, reason="no call of a known tool")
        end = closed_at(text, place)
        if end is None:
            return Unfinished(wake="}]" if view.name else None, name=view.name)
        found = calls_of(text[place:end], tools, strict=strict)
        if isinstance(found, str):
            return NotACall(length=at, unread=unread, reason=found)
        calls += found
        if not closers:
            return Found(tuple(calls), end)
        place = past_space(text, end, ",;")
        closed = past_literal(text, place, closers)
        if isinstance(closed, int):
            return Found(tuple(calls), closed)
        if closed is Edge.UNTOLD:
            return Unfinished(salvage=_salvage(calls, end), name=calls[0].name)


def _salvage(calls: list[TextCall], length: int) -> Found | None:
    """Whole values whose closing mark never comes, as where a server strips it, are calls."""
    return Found(tuple(calls), length) if calls else None
