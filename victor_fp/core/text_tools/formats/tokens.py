"""Calls between special tokens, `BEGIN name SEPARATOR {json} END`: DeepSeek V3 and R1, V3.1, Kimi K2, and gpt-oss."""

from __future__ import annotations

import re
from functools import partial
from itertools import product

import msgspec

from victor_fp.core.json import JsonObject
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.json_calls import read_arguments
from victor_fp.core.text_tools.parameters import write_parameter
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
from victor_fp.core.text_tools.walks import BracketWalk, EndMarks, MarkWalk, end_marks, find_end


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one model family, each in all spellings."""

    section: tuple[str, ...]
    section_end: tuple[str, ...]
    begin: tuple[str, ...]
    separator: tuple[str, ...]
    end: EndMarks


_KIND = "function"
"""DeepSeek V3 and R1 write the kind of the call before the separator, the name after it, and the JSON in a fence."""
_WORD = re.compile(r"[^\s<{`]{0,256}")
_NUMBERED = re.compile(r":\d+\Z")
"""Kimi K2 numbers its calls: `functions.name:0`."""
_UNKNOWN = "no call of a known tool"


def read(text: str, at: int, tools: Tools, marks: Marks) -> Reading:
    """Read one call, with the section token before it, if any."""
    section = skip_literal(text, at, marks.section)
    body = section if isinstance(section, int) else at
    begin = skip_literal(text, body if body == at else skip_space(text, body), marks.begin)
    if Edge.UNDECIDED in (section, begin):
        return Unfinished()
    if isinstance(begin, Edge):
        return NotACall(end=max(at + 1, body))
    return _read_call(text, begin, tools, marks)


def _read_call(text: str, at: int, tools: Tools, marks: Marks) -> Reading:
    no_call = NotACall(end=at, unread=MarkWalk(marks.end), reason=_UNKNOWN)
    lead, end = _find_word(text, at)
    first = text[lead:end]
    if not (_KIND.startswith(first) or _may_become(first, tools)):
        return no_call
    if end == len(text):
        return Unfinished()
    if first != _KIND and _spell(first, tools) is None:
        return no_call
    behind = skip_literal(text, skip_space(text, end), marks.separator)
    if behind is Edge.UNDECIDED:
        return Unfinished()
    if isinstance(behind, Edge):
        return no_call
    place = skip_space(text, behind)
    if place == len(text):
        return Unfinished()
    written = first
    if text[place] != "{":
        if first != _KIND:
            return no_call
        place, end = _find_word(text, place)
        written = text[place:end]
        if not _may_become(written, tools):
            return no_call
        if end == len(text):
            return Unfinished()
        place = skip_space(text, end)
    name = _spell(written, tools)
    return no_call if name is None else _read_arguments(text, place, name, no_call, marks)


def _spell(written: str, tools: Tools) -> str | None:
    return tools.resolve_name(_NUMBERED.sub("", written))


def _read_arguments(text: str, place: int, name: str, no_call: NotACall, marks: Marks) -> Reading:
    """Read the arguments, optionally in a fence, and the end token."""
    fence = skip_literal(text, place, ("```json",)) if not text.startswith("{", place) else place
    if fence is Edge.UNDECIDED:
        return Unfinished(name=name)
    if isinstance(fence, Edge):
        return no_call
    start = skip_space(text, fence)
    if start == len(text):
        return Unfinished(name=name)
    if text[start] != "{":
        return no_call
    closed = find_end(text, start)
    if isinstance(closed, BracketWalk):
        return Unfinished(name=name, wake=closed)
    arguments = read_arguments(text[start:closed])
    if arguments is None or isinstance(arguments[0], str):
        return msgspec.structs.replace(no_call, end=closed, reason="the arguments are not an object")
    found = Found((TextCall(name=name, arguments=arguments[0], repairs=arguments[1]),), closed)
    after: int | Edge = skip_space(text, closed)
    if isinstance(after, int) and fence != place:
        after = skip_literal(text, after, ("```",))
    if isinstance(after, int):
        after = skip_literal(text, skip_space(text, after), marks.end.marks)
    if after is Edge.UNDECIDED:
        return Unfinished(name=name, salvage=found)
    return msgspec.structs.replace(no_call, end=closed) if isinstance(after, Edge) else Found(found.calls, after)


def _find_word(text: str, at: int) -> tuple[int, int]:
    """Return start and end of the next word."""
    at = skip_space(text, at)
    found = _WORD.match(text, at)
    return at, found.end() if found else at


def _may_become(begun: str, tools: Tools) -> bool:
    stem, colon, number = begun.partition(":")
    numbered = colon != "" and (number == "" or number.isdecimal()) and tools.resolve_name(stem) is not None
    return numbered or tools.may_become(begun)


def write(name: str, arguments: JsonObject, marks: Marks, name_form: str) -> str:
    """Write a call in these tokens, in a section."""
    inner = (
        f"{marks.begin[0]}{name_form.format(name)}{marks.separator[0]}{write_parameter(arguments)}{marks.end.marks[0]}"
    )
    return f"{marks.section[0]}{inner}{marks.section_end[0]}"


def _build_deepseek_tokens(words: str) -> tuple[str, ...]:
    """Return a token in all spellings of bars and blanks."""
    return tuple(
        f"<{bar}{words.replace(' ', blank)}{bar}>" for bar, blank in product(("\uff5c", "|"), ("\u2581", "_", " "))
    )


_DEEPSEEK = Marks(
    section=_build_deepseek_tokens("tool calls begin"),
    section_end=_build_deepseek_tokens("tool calls end"),
    begin=_build_deepseek_tokens("tool call begin"),
    separator=_build_deepseek_tokens("tool sep"),
    end=end_marks(*_build_deepseek_tokens("tool call end")),
)
_KIMI = Marks(
    section=("<|tool_calls_section_begin|>",),
    section_end=("<|tool_calls_section_end|>",),
    begin=("<|tool_call_begin|>",),
    separator=("<|tool_call_argument_begin|>",),
    end=end_marks("<|tool_call_end|>"),
)

DEEPSEEK = TextFormat(
    name="deepseek",
    title="DeepSeek V3, R1 and V3.1",
    openings=tuple(Opening(mark) for mark in (*_DEEPSEEK.section, *_DEEPSEEK.begin)),
    read=partial(read, marks=_DEEPSEEK),
    trailers=(*_DEEPSEEK.section_end, "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    write=partial(write, marks=_DEEPSEEK, name_form="{}"),
    method="deepseek",
    confidence=0.98,
    source="chat templates of DeepSeek V3, R1 and V3.1",
)

KIMI = TextFormat(
    name="kimi",
    title="Kimi K2",
    openings=tuple(Opening(mark) for mark in (*_KIMI.section, *_KIMI.begin)),
    read=partial(read, marks=_KIMI),
    trailers=_KIMI.section_end,
    write=partial(write, marks=_KIMI, name_form="functions.{}:0"),
    method="kimi",
    confidence=0.98,
    source="Kimi K2's tool calling guide",
)

_START, _CHANNEL, _MESSAGE = "<|start|>assistant", "<|channel|>", "<|message|>"
_HARMONY_END = end_marks("<|call|>")
_HEAD = re.compile(
    r"(?:<\|start\|>assistant)?(?P<early>[ ]+to=(?P<first>[^\s<]{0,256}))?<\|channel\|>(?:commentary|analysis)"
    r"(?P<late>[ ]+to=(?P<second>[^\s<]{0,256}))?(?:[ ]*<\|constrain\|>[ ]*\w{1,32}|[ ]+(?:json|code))?[ ]*<\|message\|>"
)
_HEAD_LIMIT = 512


def read_harmony(text: str, at: int, tools: Tools) -> Reading:
    """Read a call message: `<|channel|>commentary to=functions.name ...<|message|>{json}<|call|>`."""
    message = text.find(_MESSAGE, at, at + _HEAD_LIMIT)
    opening = at + len(_START if text.startswith(_START, at) else _CHANNEL)
    if message < 0:
        return Unfinished() if len(text) - at < _HEAD_LIMIT else NotACall(end=opening)
    head = _HEAD.match(text, at, message + len(_MESSAGE))
    written = None if head is None else head["second"] or head["first"]
    if head is None or head.end() != message + len(_MESSAGE) or not written:
        return NotACall(end=opening)
    name = tools.resolve_name(written)
    if name is None:
        return NotACall(end=head.end(), unread=MarkWalk(_HARMONY_END), reason=_UNKNOWN)
    start = skip_space(text, head.end())
    if start == len(text):
        return Unfinished(name=name)
    if text[start] != "{":
        return NotACall(end=start, unread=MarkWalk(_HARMONY_END), reason="no arguments")
    closed = find_end(text, start)
    if isinstance(closed, BracketWalk):
        return Unfinished(name=name, wake=closed)
    arguments = read_arguments(text[start:closed])
    if arguments is None or isinstance(arguments[0], str):
        return NotACall(end=closed, unread=MarkWalk(_HARMONY_END), reason="the arguments are not an object")
    return Found((TextCall(name=name, arguments=arguments[0], repairs=arguments[1]),), closed)


def write_harmony(name: str, arguments: JsonObject) -> str:
    """Write a call in gpt-oss's form."""
    return (
        f"<|start|>assistant<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
        f"{write_parameter(arguments)}<|call|>"
    )


HARMONY = TextFormat(
    name="harmony",
    title="gpt-oss",
    openings=(Opening(_START), Opening(_CHANNEL)),
    read=read_harmony,
    trailers=("<|call|>", "<|end|>", "<|return|>"),
    write=write_harmony,
    method="harmony",
    confidence=0.98,
    source="OpenAI's harmony response format (function calling)",
)
