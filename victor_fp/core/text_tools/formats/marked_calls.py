"""Calls between special tokens, `BEGIN name SEPARATOR {json} END`: DeepSeek V3 and R1, V3.1, and Kimi K2."""

from __future__ import annotations

import re
from functools import partial
from itertools import product

import msgspec

from victor_fp.core.json import JsonObject
from victor_fp.core.text_tools.brackets import Brackets, Until, end_of
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.json_calls import arguments_of
from victor_fp.core.text_tools.parameters import as_text
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


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one family, each in all its spellings."""

    section: tuple[str, ...]
    section_end: tuple[str, ...]
    begin: tuple[str, ...]
    separator: tuple[str, ...]
    end: tuple[str, ...]


_KIND = "function"
"""DeepSeek V3 and R1 write the kind of the call before the separator, the name behind it, and the JSON in a fence."""
_WORD = re.compile(r"[^\s<{`]*")
_NUMBERED = re.compile(r":\d+\Z")
"""Kimi K2 numbers its calls: `functions.name:0`."""


def read(text: str, tools: Tools, marks: Marks) -> Reading:
    """One call, with the token that opens the section if that stands before it."""
    at = skip_literal(text, 0, (*marks.section, *marks.begin))
    if isinstance(at, int) and any(text.startswith(mark) for mark in marks.section):
        at = skip_literal(text, skip_space(text, at), marks.begin)
    if isinstance(at, Edge):
        lead = skip_literal(text, 0, marks.section)
        return Unfinished() if at is Edge.UNTOLD else NotACall(length=lead if isinstance(lead, int) else 1)
    return _call(text, at, tools, marks)


def _call(text: str, at: int, tools: Tools, marks: Marks) -> Reading:
    no_call = NotACall(length=at, unread=Until(marks.end), reason="no call of a known tool")
    lead, end = _word(text, at)
    first = text[lead:end]
    if not (_KIND.startswith(first) or _may(first, tools)):
        return no_call
    if end == len(text):
        return Unfinished()
    if first != _KIND and _find_name(first, tools) is None:
        return no_call
    behind = skip_literal(text, skip_space(text, end), marks.separator)
    if behind is Edge.UNTOLD:
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
        place, end = _word(text, place)
        written = text[place:end]
        if not _may(written, tools):
            return no_call
        if end == len(text):
            return Unfinished()
        place = skip_space(text, end)
    name = _find_name(written, tools)
    return no_call if name is None else _read_end(text, place, name, no_call, marks)


def _find_name(written: str, tools: Tools) -> str | None:
    return tools.spelled(_NUMBERED.sub("", written))


def _read_end(text: str, place: int, name: str, no_call: NotACall, marks: Marks) -> Reading:
    """The arguments, in a fence or not, and the token that ends the call."""
    fence = skip_literal(text, place, ("```json",)) if not text.startswith("{", place) else place
    if fence is Edge.UNTOLD:
        return Unfinished(name=name)
    if isinstance(fence, Edge):
        return no_call
    start = skip_space(text, fence)
    if start == len(text):
        return Unfinished(name=name)
    if text[start] != "{":
        return no_call
    closed = end_of(text, start)
    if isinstance(closed, Brackets):
        return Unfinished(name=name, wake=closed)
    arguments = arguments_of(text[start:closed])
    if arguments is None or isinstance(arguments[0], str):
        return msgspec.structs.replace(no_call, reason="the arguments are no object")
    found = Found((TextCall(name=name, arguments=arguments[0], repairs=arguments[1]),), closed)
    after: int | Edge = skip_space(text, closed)
    if isinstance(after, int) and fence != place:
        after = skip_literal(text, after, ("```",))
    if isinstance(after, int):
        after = skip_literal(text, skip_space(text, after), marks.end)
    if after is Edge.UNTOLD:
        return Unfinished(name=name, salvage=found)
    return no_call if isinstance(after, Edge) else Found(found.calls, after)


def _word(text: str, at: int) -> tuple[int, int]:
    """Where the next word begins and ends."""
    at = skip_space(text, at)
    found = _WORD.match(text, at)
    return at, found.end() if found else at


def _may(begun: str, tools: Tools) -> bool:
    stem, colon, number = begun.partition(":")
    numbered = colon != "" and (number == "" or number.isdecimal()) and tools.spelled(stem) is not None
    return numbered or tools.may_become(begun)


def write(name: str, arguments: JsonObject, marks: Marks, name_form: str) -> str:
    """A call in these tokens, in a section of its own."""
    inner = f"{marks.begin[0]}{name_form.format(name)}{marks.separator[0]}{as_text(arguments)}{marks.end[0]}"
    return f"{marks.section[0]}{inner}{marks.section_end[0]}"


def _deepseek(words: str) -> tuple[str, ...]:
    """A token with either bar and any of the blanks that servers write."""
    return tuple(
        f"<{bar}{words.replace(' ', blank)}{bar}>" for bar, blank in product(("\uff5c", "|"), ("\u2581", "_", " "))
    )


_DEEPSEEK = Marks(
    section=_deepseek("tool calls begin"),
    section_end=_deepseek("tool calls end"),
    begin=_deepseek("tool call begin"),
    separator=_deepseek("tool sep"),
    end=_deepseek("tool call end"),
)
_KIMI = Marks(
    section=("<|tool_calls_section_begin|>",),
    section_end=("<|tool_calls_section_end|>",),
    begin=("<|tool_call_begin|>",),
    separator=("<|tool_call_argument_begin|>",),
    end=("<|tool_call_end|>",),
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
