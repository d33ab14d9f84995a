"""`<tool_call>` with JSON (Hermes, Qwen), XML (Qwen3-Coder), name and argument tags, or GLM's form; and similar tags."""

from __future__ import annotations

import re

from victor_fp.core.json import Json
from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.formats.function_tags import read_function_tag
from victor_fp.core.text_tools.json_calls import read_arguments, read_calls
from victor_fp.core.text_tools.json_repair import Repair
from victor_fp.core.text_tools.parameters import read_parameter, strip_line_breaks
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

OPEN = "<tool_call>"
CLOSE = end_marks("</tool_call>")
_FUNCTION, _NAME_TAG = "<function=", "<name>"
_UNKNOWN = "no call of a known tool"


def read_tool_call(text: str, at: int, tools: Tools) -> Reading:
    """Read a tag in the form of its content."""
    body = at + len(OPEN)
    place = skip_space(text, body)
    if place == len(text):
        return Unfinished()
    if text[place] in "{[":
        return read_calls(text, body, tools, CLOSE)
    if text[place] != "<":
        return _read_glm(text, body, place, tools)
    inner = skip_literal(text, place, (_FUNCTION, _NAME_TAG))
    if inner is Edge.UNDECIDED:
        return Unfinished()
    if inner is Edge.MISSING:
        return NotACall(end=body)
    if text.startswith(_NAME_TAG, place):
        return _read_named(text, body, place, tools, CLOSE)
    return read_function_tag(text, place, tools, CLOSE)


_GLM_NAME = re.compile(r"[^\s<]{1,256}")
_KEY, _VALUE = "<arg_key>", "<arg_value>"
_KEY_END, _VALUE_END = end_marks("</arg_key>"), end_marks("</arg_value>")


def _read_glm(text: str, body: int, at: int, tools: Tools) -> Reading:
    """Read `<tool_call>name`, followed by alternating `<arg_key>` and `<arg_value>`."""
    found = _GLM_NAME.match(text, at)
    end = found.end() if found else at
    name = tools.resolve_name(text[at:end])
    if not tools.may_become(text[at:end]) or (name is None and end < len(text)):
        return NotACall(end=body)
    place = skip_space(text, end)
    begun = skip_literal(text, place, (_KEY, *CLOSE.marks))
    if begun is Edge.UNDECIDED:
        return Unfinished(name=name)
    if name is None or begun is Edge.MISSING:
        return NotACall(end=body)
    arguments: dict[str, Json] = {}
    repairs: list[Repair] = []
    while True:
        after = skip_literal(text, place, (_KEY, *CLOSE.marks))
        if after is Edge.UNDECIDED:
            return Unfinished(name=name)
        if after is Edge.MISSING:
            return NotACall(end=place, unread=MarkWalk(CLOSE), reason="neither an argument nor the end")
        if not text.startswith(_KEY, place):
            call = TextCall(name=name, arguments=arguments, repairs=tuple(repairs))
            return Found((call,), place + CLOSE.longest)
        key_end = text.find(_KEY_END.marks[0], place)
        if key_end < 0:
            return Unfinished(name=name, wake=walk_behind(_KEY_END, text, place))
        value_at = skip_space(text, key_end + _KEY_END.longest)
        opened = skip_literal(text, value_at, (_VALUE,))
        if opened is Edge.MISSING:
            return NotACall(end=value_at, unread=MarkWalk(CLOSE), reason="an argument without a value")
        value_end = -1 if opened is Edge.UNDECIDED else text.find(_VALUE_END.marks[0], value_at)
        if value_end < 0:
            return Unfinished(
                name=name, wake=None if opened is Edge.UNDECIDED else walk_behind(_VALUE_END, text, value_at)
            )
        key = text[place + len(_KEY) : key_end].strip()
        value = strip_line_breaks(text[value_at + len(_VALUE) : value_end])
        arguments[key], made = read_parameter(value, tools.list_properties(name).get(key))
        repairs += made
        place = skip_space(text, value_end + _VALUE_END.longest)


_WORD = re.compile(r"[^\s<]{0,256}")
_NAME_END = "</name>"
_ARGUMENTS, _ARGUMENTS_END = ("<arguments>", "<parameters>"), ("</arguments>", "</parameters>")


def _read_named(text: str, body: int, at: int, tools: Tools, close: EndMarks) -> Reading:
    """Read `<name>tool</name><arguments>{...}</arguments>` and the closing tag."""
    closer = close.marks[0]
    unread = MarkWalk(close)
    lead = skip_space(text, at + len(_NAME_TAG))
    written = _WORD.match(text, lead)
    name_end = written.end() if written else lead
    name = tools.resolve_name(text[lead:name_end])
    if not tools.may_become(text[lead:name_end]) or (name is None and name_end < len(text)):
        return NotACall(end=body, unread=unread, reason=_UNKNOWN)
    place = skip_literal(text, skip_space(text, name_end), (_NAME_END,))
    if not isinstance(place, Edge):
        place = skip_literal(text, skip_space(text, place), (*_ARGUMENTS, closer))
    if place is Edge.UNDECIDED:
        return Unfinished(name=name)
    if isinstance(place, Edge) or name is None:
        return NotACall(end=body, unread=unread, reason="no arguments")
    if text.startswith(closer, place - len(closer)):
        return Found((TextCall(name=name, arguments={}),), place)
    place = skip_space(text, place)
    if place == len(text):
        return Unfinished(name=name)
    if text[place] == "{":
        closed = find_end(text, place)
        if isinstance(closed, BracketWalk):
            return Unfinished(name=name, wake=closed)
        end = closed
        arguments = read_arguments(text[place:end])
        if arguments is None or isinstance(arguments[0], str):
            return NotACall(end=end, unread=unread, reason="the arguments are not an object")
        call = TextCall(name=name, arguments=arguments[0], repairs=arguments[1])
    else:
        end, call = place, TextCall(name=name, arguments={})
    for options in (_ARGUMENTS_END, (closer,)):
        behind = skip_literal(text, skip_space(text, end), options)
        if behind is Edge.UNDECIDED:
            return Unfinished(name=name, salvage=Found((call,), end))
        if isinstance(behind, Edge):
            return NotACall(end=end, unread=unread, reason="no end tag")
        end = behind
    return Found((call,), end)


TOOL_CALL_TAGS = TextFormat(
    name="hermes",
    title="Hermes, Qwen, GLM, Granite 4 and most models that are trained on their format",
    openings=(Opening(OPEN),),
    read=read_tool_call,
    write=fill_template('<tool_call>\n{"name": NAME, "arguments": ARGUMENTS}\n</tool_call>'),
    method="xml_fallback",
    confidence=0.95,
    source="NousResearch Hermes function calling; chat templates of Qwen 2.5 and 3, Qwen3-Coder, GLM 4.5 and Granite 4",
)

_CALL_TAGS = {
    "<function_call>": end_marks("</function_call>"),
    "<functioncall>": end_marks("</functioncall>"),
}


def read_function_call(text: str, at: int, tools: Tools) -> Reading:
    """Read JSON, or a name tag, in the tag."""
    opening = next(tag for tag in _CALL_TAGS if text.startswith(tag, at))
    close, body = _CALL_TAGS[opening], at + len(opening)
    place = skip_space(text, body)
    if place == len(text):
        return Unfinished()
    if text[place] in "{[":
        return read_calls(text, body, tools, close)
    inner = skip_literal(text, place, (_NAME_TAG,))
    if inner is Edge.UNDECIDED:
        return Unfinished()
    return NotACall(end=body) if isinstance(inner, Edge) else _read_named(text, body, place, tools, close)


FUNCTION_CALL_TAGS = TextFormat(
    name="function_call",
    title="Glaive, Granite 20B and models prompted to answer with tags",
    openings=tuple(Opening(tag) for tag in _CALL_TAGS),
    read=read_function_call,
    write=fill_template('<function_call>{"name": NAME, "arguments": ARGUMENTS}</function_call>'),
    method="xml_fallback",
    confidence=0.9,
    source="chat template of Granite 20B function calling; the Glaive function calling data",
)
