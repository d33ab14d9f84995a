"""What a format's reader says of a text that begins with one of its openings: a call, no call, or more text needed.

The law of readers: what is decided for a text stays decided when the text grows. So it does not matter where a stream
is cut, and text is held back only while nothing is decided.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from victor_fp.core.json import Json
from victor_fp.core.text_tools.brackets import Walk
from victor_fp.core.text_tools.repair import Repair


class TextCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was found in a text."""

    name: str
    """As the caller spelled it."""
    arguments: dict[str, Json] | str
    """The object, or the original text where the model gave a text that is no JSON object."""
    repairs: tuple[Repair, ...] = ()
    format: str = ""
    """Name of the format it was written in."""


class Found(msgspec.Struct, frozen=True):
    """Calls, and how much of the text they take."""

    calls: tuple[TextCall, ...]
    length: int


class NotACall(msgspec.Struct, frozen=True, kw_only=True):
    """The first `length` characters are text, and so is what `unread` walks over after them."""

    length: int
    unread: Walk | None = None
    """What follows up to there is text, even if it looks like a call: it stands inside of something that is none."""
    reason: str | None = None
    """Why something that was meant as a call is none."""


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """It can still be a call."""

    wake: Walk | None = None
    """Nothing is decided before this walk comes to its end; None where any character may decide."""
    salvage: Found | None = None
    """What it is if nothing more comes."""
    name: str | None = None
    """The tool, where the text has got so far."""


Reading: TypeAlias = Found | NotACall | Unfinished


class Edge(enum.Enum):
    """A literal that is not there, or cannot be told yet because the text ends."""

    MISSING = "missing"
    UNTOLD = "untold"


_SPACE = re.compile(r"\s*")


def skip_space(text: str, at: int, more: str = "") -> int:
    """The next place that holds neither white space nor one of `more`."""
    while True:
        found = _SPACE.match(text, at)
        at = found.end() if found else at
        if not more or at >= len(text) or text[at] not in more:
            return at
        at += 1


def skip_literal(text: str, at: int, options: Sequence[str]) -> int | Edge:
    """The place behind the longest option that stands at `at`, unless a longer one may still come."""
    rest = text[at : at + max(map(len, options))]
    if len(text) - at == len(rest) and any(len(option) > len(rest) and option.startswith(rest) for option in options):
        return Edge.UNTOLD
    fitting = [len(option) for option in options if rest.startswith(option)]
    return at + max(fitting) if fitting else Edge.MISSING
