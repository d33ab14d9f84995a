"""Gemini's and Gemma's tool code: Python calls in a fence labelled `tool_code`, or in a tag of that name."""

from __future__ import annotations

from victor_fp.core.json import JsonObject
from victor_fp.core.text_tools.brackets import Until
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.python_source import Statement, as_python, statement
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

_ENDS = {"```tool_code": "```", "<tool_code>": "</tool_code>"}


def read(text: str, tools: Tools) -> Reading:
    """One call a line, `print` around it or not. Code that is more than calls is text."""
    opening = next(mark for mark in _ENDS if text.startswith(mark))
    close = _ENDS[opening]
    calls: list[TextCall] = []
    at = skip_space(text, len(opening))
    while True:
        closed = skip_literal(text, at, (close,))
        if closed is Edge.UNTOLD:
            return Unfinished(salvage=Found(tuple(calls), at) if calls else None)
        if isinstance(closed, int):
            return Found(tuple(calls), closed) if calls else NotACall(length=len(opening))
        found = statement(text, at, tools)
        if isinstance(found, Unfinished):
            return found
        if not isinstance(found, Statement):
            return NotACall(length=len(opening), unread=Until((close,)), reason="more than calls with literals")
        calls += found.calls
        at = skip_space(text, found.end, ";")


def write(name: str, arguments: JsonObject) -> str:
    """A call as Gemini writes it."""
    return f"```tool_code\nprint(default_api.{as_python(name, arguments)})\n```"


TOOL_CODE = TextFormat(
    name="tool_code",
    title="Gemini and Gemma",
    openings=(Opening("```tool_code", "prose"), Opening("<tool_code>")),
    read=read,
    write=write,
    method="tool_code",
    confidence=0.95,
    source="Gemma's guide to function calling; the code that Gemini writes as text",
)
