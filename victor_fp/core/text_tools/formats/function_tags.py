"""`<function=name><parameter=key>value</parameter></function>` (Qwen3-Coder), or JSON in it (Llama 3.1)."""

from __future__ import annotations

import re

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.json_calls import read_arguments
from victor_fp.core.text_tools.json_repair import Repair
from victor_fp.core.text_tools.parameters import read_parameter, strip_line_breaks, write_parameter
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
from victor_fp.core.text_tools.walks import BracketWalk, EndMarks, MarkWalk, end_marks, find_end, walk_behind

OPEN, CLOSE = "<function=", "</function>"
_PARAMETER = "<parameter="
_WRAPPER_END = "</tool_call>"
_ENDS = end_marks(CLOSE, _WRAPPER_END)
_NAME = re.compile(r"[^>\n]{0,256}")
_HEAD_LIMIT = 256
_HEAD_END = end_marks(">")
_VALUE_ENDS = end_marks("</parameter>", _PARAMETER, CLOSE)
_VALUE_END = re.compile(r"</parameter>|\n[ \t]*+(?=<parameter=|</function>)")
"""Models may omit the end tag of a parameter; the next tag at the start of a line ends it too."""


def read(text: str, at: int, tools: Tools) -> Reading:
    """Read a function tag without a wrapper."""
    return read_function_tag(text, at, tools, None)


def read_function_tag(text: str, at: int, tools: Tools, close: EndMarks | None) -> Reading:
    """Read the function tag at `at`, and the wrapper's closing tag, which Qwen3 may write in place of its own."""
    lead = at + len(OPEN)
    head = _NAME.match(text, lead)
    end = head.end() if head else lead
    written = text[lead:end].strip().strip("\"'")
    name = tools.resolve_name(written)
    if not tools.may_become(written) or (name is None and text.startswith(">", end)):
        return _refuse(lead, "no call of a known tool")
    if end == len(text):
        return Unfinished()
    if name is None or text[end] != ">":
        return NotACall(end=lead)
    arguments = _read_body(text, end + 1, lead, tools, name)
    if not isinstance(arguments, tuple):
        return arguments
    call, end = arguments
    if close is None or text.startswith(_WRAPPER_END, end - len(_WRAPPER_END)):
        return Found((call,), end)
    behind = skip_literal(text, skip_space(text, end), close.marks)
    if behind is Edge.UNDECIDED:
        return Unfinished(name=name, salvage=Found((call,), end))
    return Found((call,), end if isinstance(behind, Edge) else behind)


def _refuse(end: int, reason: str) -> NotACall:
    return NotACall(end=end, unread=MarkWalk(_ENDS), reason=reason)


def _read_body(text: str, at: int, lead: int, tools: Tools, name: str) -> tuple[TextCall, int] | Unfinished | NotACall:
    """Read the call; return it with the offset after its end tag."""
    properties = tools.list_properties(name)
    arguments: dict[str, Json] = {}
    repairs: list[Repair] = []
    at = skip_space(text, at)
    if text.startswith("{", at):
        return _read_json(text, at, name)
    while True:
        if at == len(text):
            return Unfinished(name=name)
        after = skip_literal(text, at, (_PARAMETER, CLOSE, _WRAPPER_END))
        if after is Edge.UNDECIDED:
            return Unfinished(name=name)
        if isinstance(after, Edge):
            return _refuse(at if arguments else lead, "neither a parameter nor the end")
        if not text.startswith(_PARAMETER, at):
            return TextCall(name=name, arguments=arguments, repairs=tuple(repairs)), after
        head = text.find(">", after, after + _HEAD_LIMIT)
        if head < 0 and len(text) - after >= _HEAD_LIMIT:
            return _refuse(after, "a parameter without a name")
        found = _VALUE_END.search(text, head + 1) if head >= 0 else None
        if found is None:
            wake = walk_behind(_VALUE_ENDS, text, head + 1) if head >= 0 else MarkWalk(_HEAD_END)
            return Unfinished(name=name, wake=wake)
        key = text[after:head].strip().strip("\"'")
        value = strip_line_breaks(text[head + 1 : found.start()])
        arguments[key], made = read_parameter(value, properties.get(key))
        repairs += made
        at = skip_space(text, found.end())


def _read_json(text: str, at: int, name: str) -> tuple[TextCall, int] | Unfinished | NotACall:
    end = find_end(text, at)
    if isinstance(end, BracketWalk):
        return Unfinished(name=name, wake=end)
    after = skip_literal(text, skip_space(text, end), (CLOSE, _WRAPPER_END))
    arguments = read_arguments(text[at:end])
    if arguments is None or isinstance(arguments[0], str):
        return _refuse(end, "the arguments are not an object")
    call = TextCall(name=name, arguments=arguments[0], repairs=arguments[1])
    if after is Edge.UNDECIDED:
        return Unfinished(name=name, salvage=Found((call,), end))
    return _refuse(end, "no end tag") if isinstance(after, Edge) else (call, after)


def write(name: str, arguments: JsonObject) -> str:
    """Write a call in Qwen3-Coder's form."""
    inner = "".join(f"<parameter={key}>\n{write_parameter(value)}\n</parameter>\n" for key, value in arguments.items())
    return f"<function={name}>\n{inner}</function>"


FUNCTION_TAGS = TextFormat(
    name="function_tags",
    title="Qwen3-Coder, Nemotron 3 and others that write XML; Llama 3.1 with JSON inside",
    openings=(Opening(OPEN),),
    read=read,
    trailers=(_WRAPPER_END,),
    write=write,
    method="xml_fallback",
    confidence=0.9,
    source="chat template of Qwen3-Coder; Llama 3.1 prompt format (custom tools)",
)
