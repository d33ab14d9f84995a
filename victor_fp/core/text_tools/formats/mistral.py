"""Mistral's `[TOOL_CALLS]`: a list of calls, or `name{json}`, with `[CALL_ID]` and `[ARGS]` between in newer models."""

from __future__ import annotations

import re

from victor_fp.core.text_tools.brackets import NOT_YET, Brackets, end_of
from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_body import json_body
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

OPEN = "[TOOL_CALLS]"
_ARGUMENTS, _ID = "[ARGS]", "[CALL_ID]"
_NAME = re.compile(r"[^\s{\[]*")


def read(text: str, tools: Tools) -> Reading:
    """The list, or the one call, behind the mark. A call's id is read over: ids are made for every call alike."""
    at = skip_space(text, len(OPEN))
    if at == len(text):
        return Unfinished()
    if text[at] in "{[":
        return json_body(text, len(OPEN), tools)
    found = _NAME.match(text, at)
    end = found.end() if found else at
    name = tools.spelled(text[at:end])
    if not tools.may_become(text[at:end]) or (name is None and end < len(text)):
        return NotACall(length=len(OPEN), reason="no call of a known tool")
    place = skip_space(text, end)
    if place == len(text) or name is None:
        return Unfinished(name=name)
    if text[place] == "[":
        marked = skip_literal(text, place, (_ARGUMENTS, _ID))
        if not isinstance(marked, Edge) and text.startswith(_ID, place):
            mark = text.find("[", marked)
            marked = Edge.UNTOLD if mark < 0 else skip_literal(text, mark, (_ARGUMENTS,))
        if isinstance(marked, Edge):
            undecided = marked is Edge.UNTOLD
            return Unfinished(name=name) if undecided else NotACall(length=len(OPEN), reason="no arguments")
        place = skip_space(text, marked)
        if place == len(text):
            return Unfinished(name=name)
    if text[place] != "{":
        return NotACall(length=len(OPEN), reason="no arguments")
    closed = end_of(text, place)
    if isinstance(closed, Brackets):
        return Unfinished(name=name, wake=closed)
    arguments = arguments_of(text[place:closed])
    if arguments is None or isinstance(arguments[0], str):
        return NotACall(length=place, unread=NOT_YET, reason="the arguments are no object")
    return Found((TextCall(name=name, arguments=arguments[0], repairs=arguments[1]),), closed)


MISTRAL = TextFormat(
    name="mistral",
    title="Mistral, Ministral, Devstral and Magistral",
    openings=(Opening(OPEN),),
    read=read,
    gap=",;",
    trailers=("</s>",),
    write=fill_template('[TOOL_CALLS][{"name": NAME, "arguments": ARGUMENTS}]'),
    method="mistral",
    confidence=0.98,
    source="mistral-common's tokenizers v3 to v13",
)
