"""Results of a format's reader at one of its openings: a call, not a call, or more text needed.

Invariant of readers: a decision for a text is not changed by more text. Results therefore do not depend on how a stream is
split, and text is buffered only while undecided. Offsets are indexes into the text.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.json import Json
from victor_fp.core.text_tools.json_repair import Repair
from victor_fp.core.text_tools.walks import Walk


class TextCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call found in a text."""

    name: str
    """Name of the tool, as passed by the caller."""
    arguments: dict[str, Json] | str
    """The object, or the original text if it is not a JSON object."""
    repairs: tuple[Repair, ...] = ()
    format: str = ""
    """Name of its format."""


class Found(msgspec.Struct, frozen=True):
    """Calls, and the offset after them."""

    calls: tuple[TextCall, ...]
    end: int


class NotACall(msgspec.Struct, frozen=True, kw_only=True):
    """The text up to `end` is not a call, nor is the text from there to the end of the walk `unread`.

    `end` is as far as the reader has read, so that no text is read twice.
    """

    end: int
    unread: Walk | None = None
    """Text up to the end of this walk is not searched, since it is inside of something that is not a call."""
    reason: str | None = None
    """Why text that looks like a call is not one."""


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """The text may still become a call."""

    wake: Walk | None = None
    """Nothing is decided before this walk ends; None if any character may decide."""
    salvage: Found | None = None
    """The result if the text ends here."""
    name: str | None = None
    """The tool, if its name is complete."""


Reading: TypeAlias = Found | NotACall | Unfinished


class Edge(enum.Enum):
    """A literal is missing, or cannot be decided because the text ends."""

    MISSING = "missing"
    UNDECIDED = "undecided"


_SPACE = re.compile(r"\s*")


def skip_space(text: str, at: int, more: str = "") -> int:
    """Return the offset of the next character that is neither white space nor in `more`."""
    while True:
        found = _SPACE.match(text, at)
        at = found.end() if found else at
        if not more or at >= len(text) or text[at] not in more:
            return at
        at += 1


def skip_literal(text: str, at: int, options: Sequence[str]) -> int | Edge:
    """Return the offset after the longest option at `at`, or the edge if there is none or a longer one may follow."""
    rest = text[at : at + max(map(len, options))]
    if len(text) - at == len(rest) and any(len(option) > len(rest) and option.startswith(rest) for option in options):
        return Edge.UNDECIDED
    lengths = [len(option) for option in options if rest.startswith(option)]
    return at + max(lengths) if lengths else Edge.MISSING
