"""Splits reasoning in `<think>...</think>` at the start of the content from the text, incrementally.

The start tag is recognised only at the start of the content, after optional white space; the first end tag closes it. A
partial tag at the end of a delta is held back until it is complete or cannot become a tag. White space around the tags
is dropped. Without an end tag, everything is reasoning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.deltas import BlockEnded, Delta, MetadataReported, ReasoningDelta, TextDelta, UsageReported
from victor_fp.core.json import Chain, unroll

OPEN, CLOSE = "<think>", "</think>"

TagPosition: TypeAlias = Literal["head", "opened", "inside", "closed", "outside"]
"""`opened` and `closed`: directly after a tag, where white space is dropped."""


class ThinkTags(msgspec.Struct, frozen=True, gc=False):
    """The position in the content, and the text that is held back."""

    position: TagPosition = "head"
    space: Chain = None
    """White space that is dropped if a tag follows."""
    held: str = ""
    """A possible partial tag after the white space."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[ThinkTags, list[Delta]]:
        """Split text deltas into text and reasoning; held-back text is emitted before a delta that ends the text."""
        out: list[Delta] = []
        state = self
        for delta in deltas:
            if type(delta) is TextDelta:
                if state.position == "outside":
                    out.append(delta)
                else:
                    state, split = _split(state, delta.text)
                    out += split
            else:
                if not isinstance(delta, MetadataReported | UsageReported):
                    out += state.finish()
                    state = ThinkTags(state.position)
                out.append(delta)
        return state, out

    def finish(self) -> list[Delta]:
        """Return the text that is still held back at the end of the stream."""
        text = "".join(unroll(self.space)) + self.held
        if not text:
            return []
        return [ReasoningDelta(text) if self.position == "inside" else TextDelta(text)]


def _split(state: ThinkTags, text: str) -> tuple[ThinkTags, list[Delta]]:
    if state.position == "head":
        return _split_head(state, state.held + text)
    if state.position == "opened":
        text = text.lstrip()
        return _split_inside(ThinkTags(), text) if text else (state, [])
    if state.position == "inside":
        return _split_inside(state, state.held + text)
    return _split_closed(text)


def _split_head(state: ThinkTags, text: str) -> tuple[ThinkTags, list[Delta]]:
    lead = text.lstrip()
    if lead.startswith(OPEN):
        return _split(ThinkTags("opened"), lead[len(OPEN) :])
    space = (state.space, text[: len(text) - len(lead)]) if len(lead) < len(text) else state.space
    if OPEN.startswith(lead):
        return ThinkTags("head", space, lead), []
    return ThinkTags("outside"), [TextDelta("".join(unroll(space)) + lead)]


def _split_inside(state: ThinkTags, text: str) -> tuple[ThinkTags, list[Delta]]:
    thought, tag, rest = text.partition(CLOSE)
    if not tag:
        return _hold_inside(state, text)
    out: list[Delta] = []
    if thought := thought.rstrip():
        out.append(ReasoningDelta("".join(unroll(state.space)) + thought))
    state, more = _split_closed(rest)
    return state, [*out, BlockEnded(), *more]


def _hold_inside(state: ThinkTags, text: str) -> tuple[ThinkTags, list[Delta]]:
    """Emit reasoning without an end tag; trailing white space and a possible partial tag are held back."""
    longest = min(len(CLOSE) - 1, len(text))
    cut = next((len(text) - n for n in range(longest, 0, -1) if CLOSE.startswith(text[-n:])), len(text))
    thought, held = text[:cut], text[cut:]
    stripped = thought.rstrip()
    space = thought[len(stripped) :]
    if not stripped:
        return ThinkTags("inside", (state.space, space) if space else state.space, held), []
    delta = ReasoningDelta("".join(unroll(state.space)) + stripped)
    return ThinkTags("inside", (None, space) if space else None, held), [delta]


START = ThinkTags()


def _split_closed(text: str) -> tuple[ThinkTags, list[Delta]]:
    text = text.lstrip()
    return (ThinkTags("outside"), [TextDelta(text)]) if text else (ThinkTags("closed"), [])
