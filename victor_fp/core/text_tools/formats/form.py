"""The record type of textual formats."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.json import JsonObject, encode_json
from victor_fp.core.text_tools.readings import Reading
from victor_fp.core.text_tools.tools import Tools

MarkPosition: TypeAlias = Literal["mark", "line", "column"]
"""Where a call may begin, outside of code. `line`: after only white space in its line. `mark`: also directly after a word or
punctuation, as models write special tokens. `column`: at the start of a line without indentation, in a paragraph that is not
code."""


class Opening(msgspec.Struct, frozen=True, gc=False):
    """A start marker of calls of a format."""

    text: str
    position: MarkPosition = "mark"


class TextFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A textual format of tool calls."""

    name: str
    title: str
    """Models that use it."""
    openings: tuple[Opening, ...]
    named: bool = False
    """Whether calls also begin with a known tool's name and a parenthesis at the start of a line."""
    read: Callable[[str, int, Tools], Reading]
    """Reads a text from the offset of an opening."""
    markup: bool = True
    """Whether it has unambiguous marks, so that text that begins like a call is intended as one."""
    gap: str = ""
    """Characters, besides white space, that may be between calls and are dropped."""
    trailers: tuple[str, ...] = ()
    """Marks that may follow a call and are dropped."""
    write: Callable[[str, JsonObject], str]
    """Writes a call of a tool with arguments in this format, for prompts and earlier turns."""
    method: str
    """Its name in `ToolCallParseResult.parse_method`."""
    confidence: float
    """Confidence that text in this format is a call, from 0 to 1."""
    source: str
    """Source of the format's specification."""


def fill_template(template: str) -> Callable[[str, JsonObject], str]:
    """Return a writer that replaces NAME and ARGUMENTS in a template by JSON."""
    return partial(_fill, template)


def _fill(template: str, name: str, arguments: JsonObject) -> str:
    head, _, tail = template.partition("ARGUMENTS")
    return head.replace("NAME", encode_json(name).decode()) + encode_json(arguments).decode() + tail
