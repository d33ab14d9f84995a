"""FunctionGemma's calls: `<start_function_call>call:name{key:<escape>text<escape>,other:3}<end_function_call>`."""

from __future__ import annotations

import re

from victor_fp.core.json import Json, JsonObject, NotJson, decode_json, encode_json
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
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
from victor_fp.core.text_tools.walks import MarkWalk, end_marks, walk_behind

OPEN, CLOSE = "<start_function_call>", end_marks("<end_function_call>")
_CALL, _ESCAPE = "call:", end_marks("<escape>")
_NAME = re.compile(r"[^\s<{]{0,256}")
_KEY = re.compile(r"[^\s<>{}\[\],:]{1,256}")
_BARE = re.compile(r"[^<>{}\[\],]{1,256}")
_MAX_DEPTH = 64


def read(text: str, at: int, tools: Tools) -> Reading:
    """Read one call; strings are between `<escape>` marks, other values are bare."""
    body = at + len(OPEN)
    begun = skip_literal(text, skip_space(text, body), (_CALL,))
    if begun is Edge.UNDECIDED:
        return Unfinished()
    if isinstance(begun, Edge):
        return NotACall(end=body)
    found = _NAME.match(text, begun)
    end = found.end() if found else begun
    name = tools.resolve_name(text[begun:end])
    if not tools.may_become(text[begun:end]) or (name is None and end < len(text)):
        return NotACall(end=begun, unread=MarkWalk(CLOSE), reason="no call of a known tool")
    if end == len(text) or name is None:
        return Unfinished(name=name)
    if text[end] != "{":
        return NotACall(end=end, unread=MarkWalk(CLOSE), reason="no arguments")
    finish = text.find(CLOSE.marks[0], end)
    if finish < 0:
        return Unfinished(name=name, wake=walk_behind(CLOSE, text, end))
    value = _Values(text[end:finish]).read()
    if not isinstance(value, dict):
        return NotACall(end=finish + CLOSE.longest, reason="the arguments are not an object")
    return Found((TextCall(name=name, arguments=value),), finish + CLOSE.longest)


_INVALID = NotJson("not in the format")


class _Values:
    """Parser of the values of one call."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> Json | NotJson:
        """Read the text as one value."""
        value = self._read_value(0)
        return value if skip_space(self._text, self._at) == len(self._text) else _INVALID

    def _read_value(self, depth: int) -> Json | NotJson:
        text = self._text
        self._at = skip_space(text, self._at)
        if depth > _MAX_DEPTH:
            return _INVALID
        if text.startswith(_ESCAPE.marks[0], self._at):
            start = self._at + _ESCAPE.longest
            end = text.find(_ESCAPE.marks[0], start)
            self._at = end + _ESCAPE.longest
            return text[start:end] if end >= 0 else _INVALID
        if text.startswith("{", self._at):
            return self._read_object(depth)
        if text.startswith("[", self._at):
            return self._read_list(depth)
        found = _BARE.match(text, self._at)
        if found is None:
            return _INVALID
        self._at = found.end()
        word = found.group().strip()
        read = decode_json(word)
        return word if isinstance(read, NotJson) else read

    def _read_object(self, depth: int) -> dict[str, Json] | NotJson:
        fields: dict[str, Json] = {}
        self._at += 1
        while not self._step_over("}"):
            self._at = skip_space(self._text, self._at)
            key = _KEY.match(self._text, self._at)
            self._at = self._at if key is None else skip_space(self._text, key.end())
            if key is None or not self._text.startswith(":", self._at):
                return _INVALID
            self._at += 1
            value = self._read_value(depth + 1)
            if isinstance(value, NotJson):
                return value
            fields[key.group()] = value
        return fields

    def _read_list(self, depth: int) -> list[Json] | NotJson:
        items: list[Json] = []
        self._at += 1
        while not self._step_over("]"):
            item = self._read_value(depth + 1)
            if isinstance(item, NotJson):
                return item
            items.append(item)
        return items

    def _step_over(self, closer: str) -> bool:
        """Step over commas, and over the closing bracket if it follows."""
        self._at = skip_space(self._text, self._at, ",")
        found = self._text.startswith(closer, self._at)
        self._at += found
        return found


def write(name: str, arguments: JsonObject) -> str:
    """Write a call in FunctionGemma's form."""
    inner = ",".join(f"{key}:{_write_value(value)}" for key, value in arguments.items())
    return f"{OPEN}{_CALL}{name}{{{inner}}}{CLOSE.marks[0]}"


def _write_value(value: Json) -> str:
    match value:
        case str():
            return f"{_ESCAPE.marks[0]}{value}{_ESCAPE.marks[0]}"
        case dict():
            return "{" + ",".join(f"{key}:{_write_value(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_write_value, value)) + "]"
        case _:
            return encode_json(value).decode()


FUNCTION_GEMMA = TextFormat(
    name="function_gemma",
    title="FunctionGemma",
    openings=(Opening(OPEN),),
    read=read,
    trailers=("<start_function_response>",),
    write=write,
    method="xml_fallback",
    confidence=0.98,
    source="Google's guide to FunctionGemma's formatting",
)
