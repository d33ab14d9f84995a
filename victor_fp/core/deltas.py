"""Delta: the one vocabulary that every wire format is translated into.

A body becomes all its deltas at once, a stream the same deltas piece by piece; `transcript` folds either. The order of
deltas is the order of the answer's blocks: text, reasoning, calls. Deltas of one kind that follow each other continue
one block until `BlockEnded`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, JsonScalar


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """Text for the user."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """Thinking that the vendor shows, whole or in summary."""

    text: str


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """Words in which the model declines, where the vendor keeps them apart from text."""

    text: str


class BlockEnded(msgspec.Struct, frozen=True, gc=False):
    """What follows is a new block even if it is of the same kind."""


class ToolCallStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A call opens, or continues where one with this index and id is open already (some vendors repeat the head)."""

    index: int | None = None
    """The vendor's slot; None where it sends none."""
    id: str | None = None
    """The vendor's id, or one made by `tool_call_ids.made`; None only on a repeated head."""
    name: str = ""
    arguments: dict[str, Json] | None = None
    """The whole arguments, where they come as an object."""
    state: dict[str, Json] | None = None
    """Opaque, to be sent back with this call."""


class ToolCallArguments(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A piece of a call's arguments as JSON text; goes to the newest open call with this index and id."""

    index: int | None = None
    id: str | None = None
    text: str


class ToolCallArgumentSet(msgspec.Struct, frozen=True, kw_only=True):
    """One value at a path inside a call's arguments; texts at the same path grow."""

    index: int | None = None
    id: str | None = None
    path: tuple[str | int, ...]
    value: JsonScalar


class StateReported(msgspec.Struct, frozen=True):
    """Opaque state that the vendor wants back unmodified, on the block it came with, or standing `alone` in the order.

    Keys of the same block merge: lists are extended, other values replaced.
    """

    state: dict[str, Json]
    alone: bool = False


class UsageReported(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts so far, in the meaning of `types.Usage`; a later report replaces the fields that it has."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    reasoning_tokens: int | None = None


class Stopped(msgspec.Struct, frozen=True, gc=False):
    """Why generation ended: the standard word or the vendor's own, and the raw word. The last one counts."""

    reason: str
    raw: str | None = None
    is_failure: bool = False
    """The word says that generation failed: it stands even beside tool calls."""


class MetadataReported(msgspec.Struct, frozen=True, kw_only=True):
    """Facts beside the answer, kept in its metadata: lists are extended, objects merged, other values replaced."""

    model: str | None = None
    metadata: dict[str, Json] = {}


class ErrorReported(msgspec.Struct, frozen=True):
    """An error where an answer was expected; nothing after it counts."""

    fault: Fault


class StreamEnded(msgspec.Struct, frozen=True, gc=False):
    """The protocol's own ending; nothing after it counts."""


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
