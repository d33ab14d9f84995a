"""Deltas: the events that every wire format is decoded into.

A body yields all its deltas at once, a stream yields the same deltas incrementally; `transcript` folds both. The order
of deltas is the order of the response's blocks: text, reasoning, calls. Consecutive deltas of one kind continue one
block until `BlockEnded`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, final

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, JsonScalar


@final
class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """Text for the user."""

    text: str


@final
class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """Reasoning, in full or as a summary."""

    text: str


@final
class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """The text of a refusal, if the vendor separates it from other text."""

    text: str


@final
class BlockEnded(msgspec.Struct, frozen=True, gc=False):
    """The next delta starts a new block, even if it is of the same kind."""


@final
class ToolCallStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Starts a call, or continues an open call with this index and id (some vendors repeat the start)."""

    index: int | None = None
    """The vendor's index; None if it sends none."""
    id: str | None = None
    """The vendor's id, or one made by `tool_call_ids.make_id`; None only for a repeated start."""
    name: str = ""
    arguments: dict[str, Json] | None = None
    """The complete arguments, if they are sent as an object."""
    state: dict[str, Json] | None = None
    """Opaque state, sent back with this call."""


@final
class ToolCallArguments(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a call's arguments as JSON text, for the newest open call with this index and id."""

    index: int | None = None
    id: str | None = None
    text: str


@final
class ToolCallArgumentSet(msgspec.Struct, frozen=True, kw_only=True):
    """One value at a path inside a call's arguments; strings at the same path are concatenated."""

    index: int | None = None
    id: str | None = None
    path: tuple[str | int, ...]
    value: JsonScalar


@final
class StateReported(msgspec.Struct, frozen=True, gc=False):
    """Opaque state to send back unmodified, attached to the current block or, if `alone`, as a block.

    States of one block are merged: lists are extended, other values replaced.
    """

    state: dict[str, Json]
    alone: bool = False


@final
class UsageReported(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Token counts so far, as in `types.Usage`; a later report replaces the fields that it contains."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    reasoning_tokens: int | None = None


@final
class Stopped(msgspec.Struct, frozen=True, gc=False):
    """The stop reason: a standard value or the vendor's, and the raw value. The last one counts."""

    reason: str
    raw: str | None = None
    is_failure: bool = False
    """Whether generation failed: the reason is then kept even if there are tool calls."""


@final
class MetadataReported(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Metadata of the response: lists are extended, objects merged, other values replaced."""

    model: str | None = None
    metadata: dict[str, Json] = {}


@final
class ErrorReported(msgspec.Struct, frozen=True):
    """An error instead of a response; later deltas are ignored."""

    fault: Fault


@final
class StreamEnded(msgspec.Struct, frozen=True, gc=False):
    """The protocol's final event; later deltas are ignored."""


Delta: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | RefusalDelta
    | BlockEnded
    | ToolCallStarted
    | ToolCallArguments
    | ToolCallArgumentSet
    | StateReported
    | UsageReported
    | Stopped
    | MetadataReported
    | ErrorReported
    | StreamEnded
)


class DeltaFilter(Protocol):
    """The state of a filter within one response; an immutable value."""

    def feed(self, deltas: Sequence[Delta]) -> tuple[DeltaFilter, list[Delta]]:
        """Return the next state and the filtered deltas. Text that is held back precedes a delta that ends the text."""
        ...

    def finish(self) -> list[Delta]:
        """Return what is still held back at the end of the response."""
        ...


def run_filters(
    filters: tuple[DeltaFilter, ...], deltas: Sequence[Delta], *, last: bool
) -> tuple[tuple[DeltaFilter, ...], list[Delta]]:
    """Run deltas through all filters; return the next states and the deltas after the last filter."""
    after: list[DeltaFilter] = []
    passed = list(deltas)
    for one in filters:
        following, passed = one.feed(passed)
        after.append(following)
        if last:
            passed += following.finish()
    return tuple(after), passed
