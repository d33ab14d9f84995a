"""Thinking that a model wraps in `<think>...</think>` at the head of its content, split from the text as it streams.

Rules: only at the head of the content, white space aside, does the tag open; it closes at its first end tag. A tag that
is cut by the stream is held back until it is whole or cannot become one. White space around the tags is dropped. An
unclosed tag leaves all of it reasoning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.deltas import BlockEnded, Delta, MetadataReported, ReasoningDelta, TextDelta, UsageReported

OPEN, CLOSE = "<think>", "</think>"

Where: TypeAlias = Literal["head", "opened", "inside", "closed", "outside"]
"""`opened` and `closed` are just behind a tag, where white space is still dropped."""


class Thinking(msgspec.Struct, frozen=True, gc=False):
    """Where the split stands, and the text that cannot be told yet."""

    where: Where = "head"
    held: str = ""


START = Thinking()


def split(state: Thinking, deltas: Iterable[Delta]) -> tuple[Thinking, list[Delta]]:
    """Text deltas become text and reasoning deltas; what is held back goes out before anything that ends the text."""
    out: list[Delta] = []
    for delta in deltas:
        if type(delta) is TextDelta:
            if state.where == "outside":
                out.append(delta)
            else:
                state = _emit(state, delta.text, out)
        else:
            if not isinstance(delta, MetadataReported | UsageReported):
                state = _flush(state, out)
            out.append(delta)
    return state, out


def flush(state: Thinking) -> list[Delta]:
    """What was held back when the stream is over."""
    out: list[Delta] = []
    _flush(state, out)
    return out


def _flush(state: Thinking, out: list[Delta]) -> Thinking:
    if state.held:
        out.append(ReasoningDelta(state.held) if state.where == "inside" else TextDelta(state.held))
    return Thinking(state.where)


def _emit(state: Thinking, text: str, out: list[Delta]) -> Thinking:
    where, held = state.where, state.held + text
    if where == "head":
        lead = held.lstrip()
        if lead.startswith(OPEN):
            where, held = "opened", lead[len(OPEN) :]
        elif OPEN.startswith(lead):
            return Thinking("head", held)
        else:
            out.append(TextDelta(held))
            return Thinking("outside")
    if where == "opened":
        held = held.lstrip()
        if not held:
            return Thinking("opened")
        where = "inside"
    if where == "inside":
        thought, tag, rest = held.partition(CLOSE)
        if not tag:
            return _feed_inside(held, out)
        if thought := thought.rstrip():
            out.append(ReasoningDelta(thought))
        out.append(BlockEnded())
        where, held = "closed", rest
    held = held.lstrip()
    if not held:
        return Thinking("closed")
    out.append(TextDelta(held))
    return Thinking("outside")


def _feed_inside(text: str, out: list[Delta]) -> Thinking:
    """Inside, with no end tag yet: white space at the end, and what may be an end tag's head, wait."""
    cut = next(
        (len(text) - n for n in range(min(len(CLOSE) - 1, len(text)), 0, -1) if CLOSE.startswith(text[-n:])), len(text)
    )
    cut = len(text[:cut].rstrip())
    if cut:
        out.append(ReasoningDelta(text[:cut]))
    return Thinking("inside", text[cut:])
