"""`<tool_call>`: with JSON in it (Hermes, Qwen), with XML (Qwen3-Coder), with name and arguments as tags, or GLM's way."""

from __future__ import annotations

import re

from victor_fp.core.json import Json
from victor_fp.core.text_tools.brackets import Until, until
from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.formats.function_tags import function_body
from victor_fp.core.text_tools.json_body import json_body
from victor_fp.core.text_tools.named_body import read_named_body
from victor_fp.core.text_tools.parameters import convert_parameter, strip_line_breaks
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

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_FUNCTION, _NAME_TAG = "<function=", "<name>"
_NAME = re.compile(r"[^\s<]+")
_PAIR = ("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")


def read(text: str, tools: Tools) -> Reading:
    """What stands in the tag decides how it is read."""
    at = skip_space(text, len(OPEN))
    if at == len(text):
        return Unfinished()
    if text[at] in "{[":
        return json_body(text, len(OPEN), tools, (CLOSE,))
    if text[at] != "<":
        return _glm(text, at, tools)
    inner = skip_literal(text, at, (_FUNCTION, _NAME_TAG))
    if inner is Edge.UNTOLD:
        return Unfinished()
    if inner is Edge.MISSING:
        return NotACall(length=len(OPEN))
    if text.startswith(_NAME_TAG, at):
        return read_named_body(text, at, tools, CLOSE)
    return function_body(text, at, tools, (CLOSE,))


def _glm(text: str, at: int, tools: Tools) -> Reading:
    """`<tool_call>name`, then `<arg_key>` and `<arg_value>` in turn."""
    found = _NAME.match(text, at)
    end = found.end() if found else at
    name = tools.spelled(text[at:end])
    if not tools.may_become(text[at:end]) or (name is None and end < len(text)):
        return NotACall(length=len(OPEN))
    place = skip_space(text, end)
    begun = skip_literal(text, place, (_PAIR[0], CLOSE))
    if begun is Edge.UNTOLD:
        return Unfinished(name=name)
    if name is None or begun is Edge.MISSING:
        return NotACall(length=len(OPEN))
    arguments: dict[str, Json] = {}
    repairs: list[Repair] = []
    while True:
        after = skip_literal(text, place, (_PAIR[0], CLOSE))
        if after is Edge.UNTOLD:
            return Unfinished(name=name)
        if after is Edge.MISSING:
            return NotACall(length=len(OPEN), unread=Until((CLOSE,)), reason="neither an argument nor the end")
        if text.startswith(CLOSE, place):
            call = TextCall(name=name, arguments=arguments, repairs=tuple(repairs))
            return Found((call,), place + len(CLOSE))
        key_end = text.find(_PAIR[1], place)
        if key_end < 0:
            return Unfinished(name=name, wake=until((_PAIR[1],), text))
        value_at = skip_space(text, key_end + len(_PAIR[1]))
        opened = skip_literal(text, value_at, (_PAIR[2],))
        if opened is Edge.MISSING:
            return NotACall(length=len(OPEN), unread=Until((CLOSE,)), reason="an argument without a value")
        value_end = -1 if opened is Edge.UNTOLD else text.find(_PAIR[3], value_at)
        if value_end < 0:
            return Unfinished(name=name, wake=None if opened is Edge.UNTOLD else until((_PAIR[3],), text))
        key = text[place + len(_PAIR[0]) : key_end].strip()
        value = strip_line_breaks(text[value_at + len(_PAIR[2]) : value_end])
        arguments[key], made = convert_parameter(value, tools.properties(name).get(key))
        repairs += made
        place = skip_space(text, value_end + len(_PAIR[3]))


TOOL_CALL_TAGS = TextFormat(
    name="hermes",
    title="Hermes, Qwen, GLM and most models that are trained on their format",
    openings=(Opening(OPEN),),
    read=read,
    write=fill_template('<tool_call>\n{"name": NAME, "arguments": ARGUMENTS}\n</tool_call>'),
    method="xml_fallback",
    confidence=0.95,
    source="NousResearch Hermes function calling; chat templates of Qwen 2.5 and 3, Qwen3-Coder and GLM 4.5",
)
