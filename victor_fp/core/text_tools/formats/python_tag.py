"""Llama's `<|python_tag|>`: JSON calls, or a Python call of a built-in tool (`brave_search.call(query="...")`)."""

from __future__ import annotations

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_body import json_body
from victor_fp.core.text_tools.python_source import Statement, statement
from victor_fp.core.text_tools.reading import Found, NotACall, Reading, Unfinished, skip_space
from victor_fp.core.text_tools.tools import Tools

OPEN = "<|python_tag|>"


def read(text: str, tools: Tools) -> Reading:
    """JSON behind the tag, or else Python; code that is no call is text."""
    at = skip_space(text, len(OPEN))
    if at == len(text):
        return Unfinished()
    inner = skip_space(text, at + 1) if text[at] == "[" else at
    if inner == len(text):
        return Unfinished()
    if text[inner] == "{":
        return json_body(text, len(OPEN), tools, several=True)
    found = statement(text, at, tools)
    if isinstance(found, Statement):
        return Found(found.calls, found.end)
    return found if isinstance(found, Unfinished) else NotACall(length=len(OPEN))


PYTHON_TAG = TextFormat(
    name="python_tag",
    title="Llama 3.1 to 3.3",
    openings=(Opening(OPEN),),
    read=read,
    gap=",;",
    trailers=("<|eom_id|>", "<|eot_id|>"),
    write=fill_template('<|python_tag|>{"name": NAME, "parameters": ARGUMENTS}'),
    method="python_tag",
    confidence=0.95,
    source="Llama 3.1 prompt format (built-in and JSON based tool calling)",
)
