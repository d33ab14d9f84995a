"""Plain JSON, bare in the text or alone in a code fence: `{"name": ..., "arguments": {...}}`, one, several or a list."""

from __future__ import annotations

import re

from victor_fp.core.text_tools.brackets import NOT_YET
from victor_fp.core.text_tools.formats.form import Opening, TextFormat, fill_template
from victor_fp.core.text_tools.json_body import json_body
from victor_fp.core.text_tools.reading import Found, NotACall, Reading, Unfinished, skip_space
from victor_fp.core.text_tools.tools import Tools

FENCE = "```"
_LABELS = ("", "json", "tool_call", "tool_calls", "tool", "function_call", "function")
_LABEL = re.compile(r"[^\s{\[]{0,32}")
_BEGUN_VALUE = re.compile(r'\{\s*"|\[\s*["{\[]')


def read(text: str, tools: Tools) -> Reading:
    """A fence with nothing but calls in it, or a value that is one."""
    return _read_fenced(text, tools) if text.startswith(FENCE) else _read_bare(text, tools)


def _read_fenced(text: str, tools: Tools) -> Reading:
    found = _LABEL.match(text, len(FENCE))
    end = found.end() if found else len(FENCE)
    label = text[len(FENCE) : end]
    if end == len(text):
        begun = any(known.startswith(label) for known in _LABELS)
        return Unfinished() if begun else NotACall(length=len(FENCE))
    reading = json_body(text, end, tools, (FENCE,), strict=True) if label in _LABELS else None
    return reading if isinstance(reading, Found | Unfinished) else NotACall(length=len(FENCE))


def _read_bare(text: str, tools: Tools) -> Reading:
    """A value that is no call goes out unread to its end, if it is JSON: what it quotes is no call either."""
    at = skip_space(text, 1)
    if at == len(text):
        return Unfinished()
    if text[0] == "[" and text[at] != "{":
        foreign = _BEGUN_VALUE.match(text) is not None
        return NotACall(length=0, unread=NOT_YET) if foreign else NotACall(length=1)
    reading = json_body(text, 0, tools, strict=True)
    if not isinstance(reading, NotACall):
        return reading
    foreign = _BEGUN_VALUE.match(text) is not None
    return NotACall(length=0, unread=NOT_YET) if foreign else NotACall(length=1)


PLAIN_JSON = TextFormat(
    name="json",
    title="models without a format of their own, told to answer with JSON",
    openings=(Opening(FENCE, "prose"), Opening("{", "prose"), Opening("[", "prose")),
    read=read,
    markup=False,
    gap=",;",
    write=fill_template('{"name": NAME, "arguments": ARGUMENTS}'),
    method="json_fallback",
    confidence=0.9,
    source="Llama 3.1 prompt format (JSON based tool calling); OpenAI's own spelling of calls",
)
