"""The form of a textual format's record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.json import JsonObject, encode_json
from victor_fp.core.text_tools.readings import Reading
from victor_fp.core.text_tools.tools import Tools

MarkPosition: TypeAlias = Literal["mark", "line", "column"]
"""Where in prose a call may begin, outside of code. `line`: behind nothing but white space in its line. `mark`: that, or
directly behind a word or its punctuation, as models write special tokens. `column`: at the very beginning of a line, in a
paragraph that is not code."""


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What a call of this format begins with."""

    text: str
    position: MarkPosition = "mark"


class TextFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which models write calls into their text."""

    name: str
    title: str
    """Which models write it."""
    openings: tuple[Opening, ...]
    named: bool = False
    """Calls also begin with a known tool's name and a round bracket, at the beginning of a line."""
    read: Callable[[str, int, Tools], Reading]
    """Reads a text from the place on at which an opening stands."""
    markup: bool = True
    """It has marks of its own, so that what begins like a call is meant as one."""
    gap: str = ""
    """What may stand between calls, white space aside, and goes away with them."""
    trailers: tuple[str, ...] = ()
    """Marks that may follow a call and go away with it."""
    write: Callable[[str, JsonObject], str]
    """Writes a call of a tool with arguments as models of this kind do; for prompts and for turns already made."""
    method: str
    """The word for it in `ToolCallParseResult.parse_method`."""
    confidence: float
    """How unlikely it is that a text of this form means something else, from 0 to 1."""
    source: str
    """Where the form is from."""


def fill_template(template: str) -> Callable[[str, JsonObject], str]:
    """A writer that puts JSON for NAME and ARGUMENTS into a template."""
    return partial(_fill, template)


def _fill(template: str, name: str, arguments: JsonObject) -> str:
    head, _, tail = template.partition("ARGUMENTS")
    return head.replace("NAME", encode_json(name).decode()) + encode_json(arguments).decode() + tail
