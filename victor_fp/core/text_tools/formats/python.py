"""Python calls: on separate lines, after Llama's and LFM2's tokens, and in Gemini's and Gemma's `tool_code`."""

from __future__ import annotations

import re

from victor_fp.core.json import JsonObject
from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_calls import read_calls
from victor_fp.core.text_tools.python_calls import Statement, read_statement, write_python
from victor_fp.core.text_tools.readings import (
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
from victor_fp.core.text_tools.walks import EndMarks, MarkWalk, end_marks

_REST_OF_LINE = re.compile(r"[ \t;]*+\r?(\n)?")


def read_line(text: str, at: int, tools: Tools) -> Reading:
    """Read a call that ends its line; a call within a sentence is text.

    Without known tools, it must have a keyword argument and no dot in its name, to be distinguished from ordinary code.
    """
    found = read_statement(text, at, tools)
    if isinstance(found, Unfinished):
        return found
    if not isinstance(found, Statement):
        return NotACall(end=max(at + 1, found.at))
    if not tools.is_known and not all(call.arguments and "." not in call.name for call in found.calls):
        return NotACall(end=found.end)
    rest = _REST_OF_LINE.match(text, found.end)
    calls = Found(found.calls, found.end)
    if rest is not None and rest.group(1):
        return calls
    if rest is not None and rest.end() == len(text):
        return Unfinished(salvage=calls, name=found.calls[0].name)
    return NotACall(end=found.end)


def write_list(name: str, arguments: JsonObject) -> str:
    """Write a list of one call."""
    return f"[{write_python(name, arguments)}]"


PYTHON_CALLS = TextFormat(
    name="python",
    title="Llama 3.2 and 4, and models that write code",
    openings=(Opening("[", "column"), Opening("print(", "column")),
    named=True,
    read=read_line,
    markup=False,
    write=write_list,
    method="python_call_fallback",
    confidence=0.8,
    source="Llama 3.2 and Llama 4 prompt formats (zero-shot function calling)",
)

_TAGS = ("<|python_tag|>", "<|python_start|>")


def read_python_tag(text: str, at: int, tools: Tools) -> Reading:
    """Read JSON or Python after the tag; other code is text."""
    body = at + len(next(tag for tag in _TAGS if text.startswith(tag, at)))
    place = skip_space(text, body)
    if place == len(text):
        return Unfinished()
    inner = skip_space(text, place + 1) if text[place] == "[" else place
    if inner == len(text):
        return Unfinished()
    if text[inner] == "{":
        return read_calls(text, body, tools, several=True)
    found = read_statement(text, place, tools)
    if isinstance(found, Statement):
        return Found(found.calls, found.end)
    return found if isinstance(found, Unfinished) else NotACall(end=max(body, found.at))


PYTHON_TAG = TextFormat(
    name="python_tag",
    title="Llama 3.1 to 3.3, and Llama 4",
    openings=tuple(Opening(tag) for tag in _TAGS),
    read=read_python_tag,
    gap=",;",
    trailers=("<|eom_id|>", "<|eot_id|>", "<|python_end|>", "<|eom|>", "<|eot|>"),
    write=fill_template('<|python_tag|>{"name": NAME, "parameters": ARGUMENTS}'),
    method="python_tag",
    confidence=0.95,
    source="Llama 3.1 and Llama 4 prompt formats (built-in, JSON based and pythonic tool calling)",
)

_BLOCKS = {
    "```tool_code": end_marks("```"),
    "<tool_code>": end_marks("</tool_code>"),
    "<|tool_call_start|>": end_marks("<|tool_call_end|>"),
}


def read_block(text: str, at: int, tools: Tools) -> Reading:
    """Read calls between the marks, optionally in `print`. Code with more than calls is text."""
    opening = next(mark for mark in _BLOCKS if text.startswith(mark, at))
    body, close = at + len(opening), _BLOCKS[opening]
    place = skip_space(text, body)
    if text.startswith("{", place) or _is_json_list(text, place):
        return read_calls(text, body, tools, close)
    return _read_statements(text, body, place, tools, close)


def _is_json_list(text: str, at: int) -> bool:
    return text.startswith("[", at) and text.startswith("{", skip_space(text, at + 1))


def _read_statements(text: str, body: int, at: int, tools: Tools, close: EndMarks) -> Reading:
    calls: list[TextCall] = []
    while True:
        closed = skip_literal(text, at, close.marks)
        if closed is Edge.UNDECIDED:
            return Unfinished(salvage=Found(tuple(calls), at) if calls else None)
        if isinstance(closed, int):
            return Found(tuple(calls), closed) if calls else NotACall(end=body)
        found = read_statement(text, at, tools)
        if isinstance(found, Unfinished):
            return found
        if not isinstance(found, Statement):
            return NotACall(
                end=max(body, found.at), unread=MarkWalk(close), reason="code other than calls with literals"
            )
        calls += found.calls
        at = skip_space(text, found.end, ";")


def write_block(name: str, arguments: JsonObject) -> str:
    """Write a call in Gemini's form."""
    return f"```tool_code\nprint(default_api.{write_python(name, arguments)})\n```"


def write_lfm(name: str, arguments: JsonObject) -> str:
    """Write a call in LFM2's form."""
    return f"<|tool_call_start|>[{write_python(name, arguments)}]<|tool_call_end|>"


TOOL_CODE = TextFormat(
    name="tool_code",
    title="Gemini and Gemma",
    openings=(Opening("```tool_code", "line"), Opening("<tool_code>")),
    read=read_block,
    write=write_block,
    method="tool_code",
    confidence=0.95,
    source="Gemma's guide to function calling; the code that Gemini writes as text",
)

LFM2 = TextFormat(
    name="lfm2",
    title="LFM2",
    openings=(Opening("<|tool_call_start|>"),),
    read=read_block,
    write=write_lfm,
    method="xml_fallback",
    confidence=0.98,
    source="Liquid AI's guide to tool use with LFM2; its chat template",
)
