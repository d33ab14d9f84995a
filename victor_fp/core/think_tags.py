"""Thinking that a model wraps in `<think>...</think>` at the head of its content, split from the text as it streams.

Rules: only at the head of the content, white space aside, does the tag open; it closes at its first end tag. A tag that
is cut by the stream is held back until it is whole or cannot become one. White space around the tags is dropped. An
unclosed tag leaves all of it reasoning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.chains import Chain, join_chain
from victor_fp.core.deltas import BlockEnded, Delta, MetadataReported, ReasoningDelta, TextDelta, UsageReported

OPEN, CLOSE = "<think>", "</think>"

TagPosition: TypeAlias = Literal["head", "opened", "inside", "closed", "outside"]
"""`opened` and `closed` are just behind a tag, where white space is still dropped."""


class ThinkTags(msgspec.Struct, frozen=True, gc=False):
    """Where the split stands, and the text that is not decided yet."""

    position: TagPosition = "head"
    space: Chain = None
    """White space that goes away if a tag follows."""
    held: str = ""
    """Behind the white space: what may be the beginning of a tag."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[ThinkTags, list[Delta]]:
        """Text deltas become text and reasoning deltas; what is held back goes out before anything that ends the text."""
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
        """What was held back when the stream is over."""
        text = join_chain(self.space) + self.held
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
    return ThinkTags("outside"), [TextDelta(join_chain(space) + lead)]


def _split_inside(state: ThinkTags, text: str) -> tuple[ThinkTags, list[Delta]]:
    thought, tag, rest = text.partition(CLOSE)
    if not tag:
        return _hold_inside(state, text)
    out: list[Delta] = []
    if thought := thought.rstrip():
        out.append(ReasoningDelta(join_chain(state.space) + thought))
    state, more = _split_closed(rest)
    return state, [*out, BlockEnded(), *more]


def _hold_inside(state: ThinkTags, text: str) -> tuple[ThinkTags, list[Delta]]:
    """With no end tag yet: white space at the end, and what may be an end tag's head, wait."""
    longest = min(len(CLOSE) - 1, len(text))
    cut = next((len(text) - n for n in range(longest, 0, -1) if CLOSE.startswith(text[-n:])), len(text))
    thought, held = text[:cut], text[cut:]
    said = thought.rstrip()
    space = thought[len(said) :]
    if not said:
        return ThinkTags("inside", (state.space, space) if space else state.space, held), []
    delta = ReasoningDelta(join_chain(state.space) + said)
    return ThinkTags("inside", (None, space) if space else None, held), [delta]


START = ThinkTags()


def _split_closed(text: str) -> tuple[ThinkTags, list[Delta]]:
    text = text.lstrip()
    return (ThinkTags("outside"), [TextDelta(text)]) if text else (ThinkTags("closed"), [])
