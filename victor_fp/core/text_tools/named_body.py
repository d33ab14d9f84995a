"""The body `<name>tool</name><arguments>{...}</arguments>` and its closing tag."""

from __future__ import annotations

import re

from victor_fp.core.text_tools.brackets import Brackets, Until, end_of
from victor_fp.core.text_tools.json_calls import arguments_of
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

_WORD = re.compile(r"[^\s<]*")
_NAME, _NAME_END = "<name>", "</name>"
_ARGUMENTS, _ARGUMENTS_END = ("<arguments>", "<parameters>"), ("</arguments>", "</parameters>")


def read_named_body(text: str, at: int, tools: Tools, closer: str) -> Reading:
    """Read from `<name>` at `at` on; `at` is also how much is text where it is no call."""
    unread = Until((closer,))
    lead = skip_space(text, at + len(_NAME))
    written = _WORD.match(text, lead)
    name_end = written.end() if written else lead
    name = tools.spelled(text[lead:name_end])
    if not tools.may_become(text[lead:name_end]) or (name is None and name_end < len(text)):
        return NotACall(length=at, unread=unread, reason="no call of a known tool")
    place = skip_literal(text, skip_space(text, name_end), (_NAME_END,))
    if not isinstance(place, Edge):
        place = skip_literal(text, skip_space(text, place), (*_ARGUMENTS, closer))
    if place is Edge.UNTOLD:
        return Unfinished(name=name)
    if isinstance(place, Edge) or name is None:
        return NotACall(length=at, unread=unread, reason="no arguments")
    if text.startswith(closer, place - len(closer)):
        return Found((TextCall(name=name, arguments={}),), place)
    place = skip_space(text, place)
    if place == len(text):
        return Unfinished(name=name)
    if text[place] == "{":
        closed = end_of(text, place)
        if isinstance(closed, Brackets):
            return Unfinished(name=name, wake=closed)
        end = closed
        arguments = arguments_of(text[place:end])
        if arguments is None or isinstance(arguments[0], str):
            return NotACall(length=at, unread=unread, reason="the arguments are no object")
        call = TextCall(name=name, arguments=arguments[0], repairs=arguments[1])
    else:
        end, call = place, TextCall(name=name, arguments={})
    for options in (_ARGUMENTS_END, (closer,)):
        behind = skip_literal(text, skip_space(text, end), options)
        if behind is Edge.UNTOLD:
            return Unfinished(name=name, salvage=Found((call,), end))
        if isinstance(behind, Edge):
            return NotACall(length=at, unread=unread, reason="no end tag")
        end = behind
    return Found((call,), end)
