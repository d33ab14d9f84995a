"""Python calls on lines of their own: `[get_weather(city="Paris")]` (Llama 3.2 and 4) or `get_weather(city="Paris")`."""

from __future__ import annotations

import re

from victor_fp.core.json import JsonObject
from victor_fp.core.text_tools.formats.form import Opening, TextFormat
from victor_fp.core.text_tools.python_source import Statement, as_python, statement
from victor_fp.core.text_tools.reading import Found, NotACall, Reading, Unfinished
from victor_fp.core.text_tools.tools import Tools

_REST_OF_LINE = re.compile(r"[ \t;]*\r?(\n)?")


def read(text: str, tools: Tools) -> Reading:
    """A call that is all there is on its last line; one in the middle of a sentence is talk of a call."""
    found = statement(text, 0, tools)
    if isinstance(found, Unfinished):
        return found
    if not isinstance(found, Statement):
        return NotACall(length=1)
    rest = _REST_OF_LINE.match(text, found.end)
    calls = Found(found.calls, found.end)
    if rest is not None and rest.group(1):
        return calls
    if rest is not None and rest.end() == len(text):
        return Unfinished(salvage=calls, name=found.calls[0].name)
    return NotACall(length=found.end)


def write(name: str, arguments: JsonObject) -> str:
    """A list of one call."""
    return f"[{as_python(name, arguments)}]"


PYTHON_CALLS = TextFormat(
    name="python",
    title="Llama 3.2 and 4, and models that write code",
    openings=(Opening("[", "line"), Opening("print(", "line")),
    named=True,
    read=read,
    markup=False,
    write=write,
    method="python_call_fallback",
    confidence=0.8,
    source="Llama 3.2 and Llama 4 prompt formats (zero-shot function calling)",
)
