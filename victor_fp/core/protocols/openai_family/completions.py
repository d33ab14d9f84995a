"""Conversion of completions to deltas; a non-streaming body is treated as a single chunk.

Rules: a chunk with only text, as nearly all are, becomes one text delta and does not change the state. Metadata are
accumulated and reported once, before the end, because later chunks repeat and complete them. A stream ends with [DONE]; an
error chunk, or the finish reason "error", fails it at any point. Calls and records of a body are complete: none continues
another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Generic, TypeVar

import msgspec

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    StateReported,
    Stopped,
    StreamEnded,
    TextDelta,
    UsageReported,
)
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.errors import Cut, ErrorDialect, fault_from_error, interpret_frame
from victor_fp.core.protocols.openai_family.records import OpenRecord, OpenRecords, Record
from victor_fp.core.protocols.openai_family.tool_calls import (
    NO_CALLS,
    Fragment,
    OpenCalls,
    add_fragment,
    release_held,
)
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

C = TypeVar("C")
B = TypeVar("B")

NOTHING: Mapping[str, Json] = MappingProxyType({})
FAILURE = "error"
"""Finish reason of a failed generation, as sent by OpenRouter."""
UNSPECIFIED_ERROR = "the vendor reported an error without details"
"""Message of a failed generation if the vendor sends none."""


class ChoiceContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Content of the first choice of a chunk."""

    deltas: Sequence[Delta] = ()
    """Reasoning, text and refusal, in this order."""
    fragments: Sequence[Fragment] = ()
    details: Sequence[Record] = ()
    """Reasoning details."""
    executed: Sequence[Record] = ()
    """Server tools that the vendor executed."""
    audio: Record | None = None
    notes: Mapping[str, Json] = NOTHING
    """Metadata that later chunks replace."""
    growing_metadata: Mapping[str, Json] = NOTHING
    """Metadata whose lists accumulate, such as log probabilities; reported immediately."""
    finish_reason: str | None = None
    error: Json = None


class ChunkContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Content of a stream chunk or of a body."""

    choice: ChoiceContent | None = None
    usage: UsageReported | None = None
    identity: Mapping[str, Json] = NOTHING
    """Its `id` and `created`; the first values count."""
    model: str | None = None
    notes: Mapping[str, Json] = NOTHING
    """Metadata that later chunks replace."""
    error: Json = None
    """The error that the chunk contains or is."""


class CompletionFormat(msgspec.Struct, Generic[C, B], frozen=True, kw_only=True):
    """The functions that read the completions of a protocol."""

    decode_chunk: Callable[[bytes], C | Undecodable]
    decode_body: Callable[[bytes], B | Undecodable]
    read_plain_text: Callable[[C], TextDelta | ReasoningDelta | None]
    """Returns the delta of a chunk that has only text or reasoning, else None."""
    read_chunk: Callable[[C, Frame, bool], ChunkContent]
    """Reads a chunk with its frame; the flag is whether it is the first, whose metadata are always read."""
    read_body: Callable[[B, Frame], ChunkContent]
    build_stop: Callable[[str], Stopped]
    done_is_stop: bool = False
    """Whether `[DONE]` without a finish reason is a normal end; otherwise such a stream is truncated."""


class Accumulator(msgspec.Struct, frozen=True, kw_only=True):
    """Accumulated state of a stream."""

    seed: str = ""
    """The completion's id, else its creation time; missing call ids are derived from it."""
    model: str | None = None
    notes: Mapping[str, Json] = {}
    details: OpenRecords = OpenRecords()
    """Reasoning details that have not been emitted."""
    executed: OpenRecords = OpenRecords()
    audio: OpenRecord | None = None
    calls: OpenCalls = NO_CALLS
    begun: bool = False
    stopped: bool = False
    """Whether a finish reason has been received."""
    cut: Fault | None = None
    """See `errors.Cut`."""


class CompletionEvents(msgspec.Struct, Generic[C, B], frozen=True):
    """Reader of one stream."""

    endpoint: Endpoint
    dialect: ErrorDialect
    format: CompletionFormat[C, B]
    state: Accumulator = Accumulator()

    def read(self, frames: Sequence[Frame]) -> tuple[CompletionEvents[C, B], list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        deltas: list[Delta] = []
        before = state = self.state
        if before.cut is not None and frames:
            return self, [ErrorReported(before.cut)]
        decode, read_plain_text = self.format.decode_chunk, self.format.read_plain_text
        for frame in frames:
            if is_done(frame.data):
                deltas += self._end(state)
                continue
            chunk = decode(frame.data)
            if isinstance(chunk, Undecodable):
                state, more = self._on_undecodable(state, frame, chunk.reason, last=frame is frames[-1])
                deltas += more
            elif state.begun and (delta := read_plain_text(chunk)) is not None:
                deltas.append(delta)
            else:
                state, more = self._on_chunk(state, self.format.read_chunk(chunk, frame, not state.begun))
                deltas += more
        if state is before:
            return self, deltas
        return CompletionEvents(self.endpoint, self.dialect, self.format, state), deltas

    def finish(self) -> list[Delta]:
        """Return buffered deltas, for streams that end without [DONE]."""
        state, deltas = _release(self.state)
        return [*deltas, *_report_metadata(state)]

    def _end(self, state: Accumulator) -> list[Delta]:
        """Return the deltas of [DONE]."""
        state, deltas = _release(state)
        if self.format.done_is_stop and not state.stopped:
            deltas.append(Stopped("stop"))
        return [*deltas, *_report_metadata(state), StreamEnded()]

    def _on_undecodable(
        self, state: Accumulator, frame: Frame, reason: str, *, last: bool
    ) -> tuple[Accumulator, list[Delta]]:
        """Handle a frame that does not decode as a chunk: cut off, an error, or invalid."""
        interpreted = interpret_frame(self.endpoint, self.dialect, frame, reason, state.model, last=last)
        if isinstance(interpreted, Cut):
            return msgspec.structs.replace(state, cut=interpreted.fault), []
        return state, [] if interpreted is None else [interpreted]

    def _on_chunk(self, state: Accumulator, chunk: ChunkContent) -> tuple[Accumulator, list[Delta]]:
        """Handle a chunk that has more than text."""
        state, deltas = add_chunk(state, chunk, is_complete=False)
        if (error := find_error(chunk)) is not None:
            fault = fault_from_error(self.endpoint, self.dialect, error, model=state.model)
            return state, [*deltas, ErrorReported(fault)]
        if chunk.choice is not None and chunk.choice.finish_reason:
            state, released = _release(state)
            state = msgspec.structs.replace(state, stopped=True)
            return state, [*deltas, *released, self.format.build_stop(chunk.choice.finish_reason)]
        return state, deltas


def read_body(
    endpoint: Endpoint, dialect: ErrorDialect, completions: CompletionFormat[C, B], body: bytes
) -> Sequence[Delta]:
    """Decode a 200 body to deltas. An error in it, or a body that is not a completion, is `ErrorReported`."""
    completion = completions.decode_body(body)
    if isinstance(completion, Undecodable):
        return [
            ErrorReported(
                InvalidResponse(
                    provider=endpoint.spec.name, message=f"the response cannot be decoded: {completion.reason}"
                )
            )
        ]
    chunk = completions.read_body(completion, Frame(body))
    if chunk.error is not None:
        return [ErrorReported(fault_from_error(endpoint, dialect, chunk.error, model=chunk.model))]
    if chunk.choice is None:
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message="the response contains no choice"))]
    state, deltas = add_chunk(Accumulator(), chunk, is_complete=True)
    state, released = _release(state)
    deltas += [*released, *_report_metadata(state)]
    if (error := find_error(chunk)) is not None:
        return [*deltas, ErrorReported(fault_from_error(endpoint, dialect, error, model=chunk.model))]
    if chunk.choice.finish_reason:
        deltas.append(completions.build_stop(chunk.choice.finish_reason))
    return [*deltas, StreamEnded()]


def find_error(chunk: ChunkContent) -> Json:
    """Return the error of a chunk or of its choice; None if there is none."""
    if chunk.error is not None or chunk.choice is None or chunk.choice.finish_reason != FAILURE:
        return chunk.error
    return {"error": chunk.choice.error or UNSPECIFIED_ERROR}


def add_chunk(state: Accumulator, chunk: ChunkContent, *, is_complete: bool) -> tuple[Accumulator, list[Delta]]:
    """Add a chunk: return the state and its deltas, except the stop. `is_complete`: calls and records are complete."""
    choice = chunk.choice
    if not state.begun or chunk.identity or chunk.notes or choice is None or choice.notes:
        state = _add_metadata(state, chunk)
    if choice is None:
        return state, [] if chunk.usage is None else [chunk.usage]
    deltas = [*choice.deltas]
    if choice.fragments:
        calls = state.calls
        for fragment in choice.fragments:
            calls, more = add_fragment(calls, fragment, state.seed, is_complete=is_complete)
            deltas += more
        if calls is not state.calls:
            state = msgspec.structs.replace(state, calls=calls)
    if choice.details or choice.executed or choice.audio:
        state = _add_records(state, choice, is_complete=is_complete)
    if choice.growing_metadata:
        deltas.append(MetadataReported(metadata=dict(choice.growing_metadata)))
    if chunk.usage is not None:
        deltas.append(chunk.usage)
    return state, deltas


def _add_metadata(state: Accumulator, chunk: ChunkContent) -> Accumulator:
    choice_notes = {} if chunk.choice is None else chunk.choice.notes
    return msgspec.structs.replace(
        state,
        begun=True,
        seed=state.seed or str(chunk.identity.get("id") or chunk.identity.get("created") or ""),
        model=state.model or chunk.model,
        notes={**chunk.identity, **state.notes, **chunk.notes, **choice_notes},
    )


def _add_records(state: Accumulator, choice: ChoiceContent, *, is_complete: bool) -> Accumulator:
    return msgspec.structs.replace(
        state,
        details=state.details.with_fragments(choice.details, is_complete=is_complete),
        executed=state.executed.with_fragments(choice.executed, is_complete=is_complete),
        audio=(state.audio or OpenRecord()).with_fragment(choice.audio) if choice.audio else state.audio,
    )


def _release(state: Accumulator) -> tuple[Accumulator, list[Delta]]:
    """Emit calls and reasoning details that were buffered until complete."""
    calls, deltas = (NO_CALLS, list[Delta]()) if state.calls is NO_CALLS else release_held(state.calls)
    if state.details.newest is None and calls is state.calls:
        return state, deltas
    if state.details.newest is not None:
        deltas.append(StateReported({"reasoning_details": state.details.merge()}, alone=True))
    return msgspec.structs.replace(state, calls=calls, details=OpenRecords()), deltas


def _report_metadata(state: Accumulator) -> list[Delta]:
    """Emit the accumulated metadata."""
    notes = dict(state.notes)
    if state.executed.newest is not None:
        notes["executed_tools"] = state.executed.merge()
    if state.audio is not None:
        notes["audio"] = state.audio.merge()
    return [MetadataReported(model=state.model, metadata=notes)] if notes or state.model else []
