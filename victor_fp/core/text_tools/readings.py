"""What a format's reader says of a text in which one of its openings stands: a call, no call, or more text needed.

The law of readers: what is decided for a text stays decided when the text grows. So it does not matter where a stream
is cut, and text is held back only while nothing is decided. Places are indexes into the text.
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
    """A call that was found in a text."""

    name: str
    """As the caller spelled it."""
    arguments: dict[str, Json] | str
    """The object, or the original text where the model gave a text that is not a JSON object."""
    repairs: tuple[Repair, ...] = ()
    format: str = ""
    """Name of the format it was written in."""


class Found(msgspec.Struct, frozen=True):
    """Calls, and the place behind them."""

    calls: tuple[TextCall, ...]
    end: int


class NotACall(msgspec.Struct, frozen=True, kw_only=True):
    """The text up to `end` is text, and so is what `unread` walks over from there.

    `end` is as far as the reader has looked, so that no text is looked at twice.
    """

    end: int
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
    """A literal that is not there, or cannot be decided yet because the text ends."""

    MISSING = "missing"
    UNDECIDED = "undecided"


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
        return Edge.UNDECIDED
    fitting = [len(option) for option in options if rest.startswith(option)]
    return at + max(fitting) if fitting else Edge.MISSING
