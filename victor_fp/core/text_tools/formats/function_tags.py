"""`<function=name><parameter=key>value</parameter></function>` (Qwen3-Coder), or JSON in it (Llama 3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from victor_fp.core.json import Json, JsonObject
from victor_fp.core.text_tools.brackets import Brackets, Until, end_of, until
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.json_calls import arguments_of
from victor_fp.core.text_tools.parameters import as_text, convert_parameter, strip_line_breaks
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
from victor_fp.core.text_tools.repair import Repair
from victor_fp.core.text_tools.tools import Tools

OPEN, CLOSE = "<function=", "</function>"
_PARAMETER = "<parameter="
_WRAPPER_END = "</tool_call>"
_NAME = re.compile(r"[^>\n]*")
_VALUE_ENDS = ("</parameter>", _PARAMETER, CLOSE)
_VALUE_END = re.compile(r"</parameter>|\n[ \t]*(?=<parameter=|</function>)")
"""Models forget the end tag of a parameter; the next tag at the head of a line stands in for it."""


def read(text: str, tools: Tools) -> Reading:
    """A function tag on its own."""
    return function_body(text, 0, tools, ())


def function_body(text: str, at: int, tools: Tools, closers: Sequence[str]) -> Reading:
    """The function tag at `at`, and one of `closers` behind it; Qwen3 also ends with the wrapper's tag instead."""
    lead = at + len(OPEN)
    head = _NAME.match(text, lead)
    end = head.end() if head else lead
    written = text[lead:end].strip().strip("\"'")
    name = tools.spelled(written)
    if not tools.may_become(written) or (name is None and text.startswith(">", end)):
        return _broken(lead, "no call of a known tool")
    if end == len(text):
        return Unfinished()
    if name is None or text[end] != ">":
        return NotACall(length=lead)
    read_arguments = _arguments(text, end + 1, tools, name)
    if not isinstance(read_arguments, tuple):
        return read_arguments if isinstance(read_arguments, Unfinished) else _broken(lead, read_arguments)
    call, end = read_arguments
    if not closers:
        return Found((call,), end)
    if text.startswith(_WRAPPER_END, end - len(_WRAPPER_END)):
        return Found((call,), end)
    behind = skip_literal(text, skip_space(text, end), closers)
    if behind is Edge.UNTOLD:
        return Unfinished(name=name, salvage=Found((call,), end))
    return Found((call,), end if isinstance(behind, Edge) else behind)


def _broken(length: int, reason: str) -> NotACall:
    return NotACall(length=length, unread=Until((CLOSE, _WRAPPER_END)), reason=reason)


def _arguments(text: str, at: int, tools: Tools, name: str) -> tuple[TextCall, int] | Unfinished | str:
    """The call and the place behind its end tag; a str says what is wrong."""
    properties = tools.properties(name)
    arguments: dict[str, Json] = {}
    repairs: list[Repair] = []
    at = skip_space(text, at)
    if text.startswith("{", at):
        return _json(text, at, name)
    while True:
        if at == len(text):
            return Unfinished(name=name)
        after = skip_literal(text, at, (_PARAMETER, CLOSE, _WRAPPER_END))
        if after is Edge.UNTOLD:
            return Unfinished(name=name)
        if isinstance(after, Edge):
            return "neither a parameter nor the end"
        if not text.startswith(_PARAMETER, at):
            return TextCall(name=name, arguments=arguments, repairs=tuple(repairs)), after
        head = text.find(">", after)
        found = _VALUE_END.search(text, head + 1) if head >= 0 else None
        if found is None:
            return Unfinished(name=name, wake=until((">",) if head < 0 else _VALUE_ENDS, text))
        key = text[after:head].strip().strip("\"'")
        value = strip_line_breaks(text[head + 1 : found.start()])
        arguments[key], made = convert_parameter(value, properties.get(key))
        repairs += made
        at = skip_space(text, found.end())


def _json(text: str, at: int, name: str) -> tuple[TextCall, int] | Unfinished | str:
    end = end_of(text, at)
    if isinstance(end, Brackets):
        return Unfinished(name=name, wake=end)
    after = skip_literal(text, skip_space(text, end), (CLOSE, _WRAPPER_END))
    arguments = arguments_of(text[at:end])
    if arguments is None or isinstance(arguments[0], str):
        return "the arguments are no object"
    call = TextCall(name=name, arguments=arguments[0], repairs=arguments[1])
    if after is Edge.UNTOLD:
        return Unfinished(name=name, salvage=Found((call,), end))
    return "no end tag" if isinstance(after, Edge) else (call, after)


def write(name: str, arguments: JsonObject) -> str:
    """A call as Qwen3-Coder writes it."""
    inner = "".join(f"<parameter={key}>\n{as_text(value)}\n</parameter>\n" for key, value in arguments.items())
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
