"""Plain JSON, bare in the text or alone in a code fence: `{"name": ..., "arguments": {...}}`, one, several or a list."""

from __future__ import annotations

import re

from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_calls import read_calls
from victor_fp.core.text_tools.readings import Found, NotACall, Reading, Unfinished, skip_space
from victor_fp.core.text_tools.tools import Tools
from victor_fp.core.text_tools.walks import VALUE, end_marks

FENCE = "```"
_FENCE_END = end_marks(FENCE)
_LABELS = ("", "json", "tool_call", "tool_calls", "tool", "function_call", "function")
_LABEL = re.compile(r"[^\s{\[]{0,32}")
_BEGUN_VALUE = re.compile(r'\{\s*"|\[\s*["{\[]')
_BEHIND = re.compile(r"[ \t,;]*+\r?")


def read(text: str, at: int, tools: Tools) -> Reading:
    """Read a fence that contains only calls, or a value that is a call."""
    return _read_fenced(text, at, tools) if text.startswith(FENCE, at) else _read_bare(text, at, tools)


def _read_fenced(text: str, at: int, tools: Tools) -> Reading:
    start = at + len(FENCE)
    found = _LABEL.match(text, start)
    end = found.end() if found else start
    label = text[start:end]
    if end == len(text):
        begun = any(known.startswith(label) for known in _LABELS)
        return Unfinished() if begun else NotACall(end=start)
    if label not in _LABELS:
        return NotACall(end=start)
    reading = read_calls(text, end, tools, _FENCE_END, strict=True)
    return NotACall(end=reading.end) if isinstance(reading, NotACall) else reading


def _read_bare(text: str, at: int, tools: Tools) -> Reading:
    """Read a value alone on its lines. JSON that is not a call is text up to its end, including calls quoted in it."""
    place = skip_space(text, at + 1)
    if place == len(text):
        return Unfinished()
    if text[at] == "[" and text[place] != "{":
        return _pass_over(text, at, at + 1)
    reading = read_calls(text, at, tools, strict=True)
    if isinstance(reading, NotACall):
        return _pass_over(text, at, max(at + 1, reading.end))
    return _check_line(text, reading) if isinstance(reading, Found) else reading


def _check_line(text: str, found: Found) -> Reading:
    """Reject a value that is followed by text in its line, as in a sentence; another value may follow."""
    behind = _BEHIND.match(text, found.end)
    end = behind.end() if behind else found.end
    if end == len(text):
        return Unfinished(salvage=found, name=found.calls[0].name)
    return found if text[end] in "\n{[" else NotACall(end=end)


def _pass_over(text: str, at: int, end: int) -> NotACall:
    foreign = _BEGUN_VALUE.match(text, at) is not None
    return NotACall(end=at, unread=VALUE) if foreign else NotACall(end=end)


PLAIN_JSON = TextFormat(
    name="json",
    title="models without a specific format, prompted to answer with JSON",
    openings=(Opening(FENCE, "line"), Opening("{", "line"), Opening("[", "line")),
    read=read,
    markup=False,
    gap=",;",
    write=fill_template('{"name": NAME, "arguments": ARGUMENTS}'),
    method="json_fallback",
    confidence=0.9,
    source="Llama 3.1 prompt format (JSON based tool calling); OpenAI's own spelling of calls",
)
