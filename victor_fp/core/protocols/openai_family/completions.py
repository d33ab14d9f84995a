"""Completions become deltas: the chunks of a stream one by one, a whole body as its only chunk.

Rules: a chunk that holds nothing but text, as nearly all do, is one text delta and changes nothing else. Facts beside the
answer are kept and reported once, before the end, because later chunks repeat and complete them. A stream ends with [DONE];
an error chunk, or the finish reason "error", fails it wherever it comes. Calls and records of a body are whole, so that none
continues another.
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
"""The finish reason of an answer that broke, of OpenRouter for one."""
BROKEN_OFF = "the vendor broke the answer off"
"""What is said of it where the vendor says no more."""


class ChoiceContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the one choice of a chunk holds."""

    deltas: Sequence[Delta] = ()
    """Thinking, text and refusal, in this order."""
    fragments: Sequence[Fragment] = ()
    details: Sequence[Record] = ()
    """Reasoning details."""
    executed: Sequence[Record] = ()
    """Tools that the vendor ran itself."""
    audio: Record | None = None
    notes: Mapping[str, Json] = NOTHING
    """Facts that later chunks replace."""
    growing_metadata: Mapping[str, Json] = NOTHING
    """Facts whose lists grow, such as log probabilities: reported at once."""
    finish_reason: str | None = None
    error: Json = None


class ChunkContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A chunk of a stream, or a whole body, as the protocol reads it."""

    choice: ChoiceContent | None = None
    usage: UsageReported | None = None
    identity: Mapping[str, Json] = NOTHING
    """Its `id` and `created`; the first ones count."""
    model: str | None = None
    notes: Mapping[str, Json] = NOTHING
    """Facts that later chunks replace."""
    error: Json = None
    """The error that the chunk holds or is."""


class CompletionFormat(msgspec.Struct, Generic[C, B], frozen=True, kw_only=True):
    """How a protocol reads its completions."""

    decode_chunk: Callable[[bytes], C | Undecodable]
    decode_body: Callable[[bytes], B | Undecodable]
    read_plain_text: Callable[[C], TextDelta | ReasoningDelta | None]
    """The delta of a chunk that has nothing else; None for every other chunk."""
    read_chunk: Callable[[C, Frame, bool], ChunkContent]
    """A chunk with its frame; the flag says whether to read the facts of one in the middle of a stream, too."""
    read_body: Callable[[B, Frame], ChunkContent]
    build_stop: Callable[[str], Stopped]
    done_is_stop: bool = False
    """Streams may end with `[DONE]` and no finish reason before it; else such a stream is truncated."""


class Accumulator(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has sent so far that later chunks may continue."""

    seed: str = ""
    """The answer's id, else its time: what ids for calls are made of."""
    model: str | None = None
    notes: Mapping[str, Json] = {}
    details: OpenRecords = OpenRecords()
    """Reasoning details that have not been emitted."""
    executed: OpenRecords = OpenRecords()
    audio: OpenRecord | None = None
    calls: OpenCalls = NO_CALLS
    begun: bool = False
    stopped: bool = False
    """A finish reason has come."""
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
        """What was held back, for streams that end without [DONE]."""
        state, deltas = _release(self.state)
        return [*deltas, *_report_metadata(state)]

    def _end(self, state: Accumulator) -> list[Delta]:
        """What [DONE] means."""
        state, deltas = _release(state)
        if self.format.done_is_stop and not state.stopped:
            deltas.append(Stopped("stop"))
        return [*deltas, *_report_metadata(state), StreamEnded()]

    def _on_undecodable(
        self, state: Accumulator, frame: Frame, reason: str, *, last: bool
    ) -> tuple[Accumulator, list[Delta]]:
        """A frame that does not decode as a chunk: cut off, an error, or invalid."""
        meant = interpret_frame(self.endpoint, self.dialect, frame, reason, state.model, last=last)
        if isinstance(meant, Cut):
            return msgspec.structs.replace(state, cut=meant.fault), []
        return state, [] if meant is None else [meant]

    def _on_chunk(self, state: Accumulator, chunk: ChunkContent) -> tuple[Accumulator, list[Delta]]:
        """A chunk that has more than text."""
        state, deltas = add_chunk(state, chunk, whole=False)
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
    """The deltas of a 200 body. An error in it, or a body that is no completion, is `ErrorReported`."""
    answer = completions.decode_body(body)
    if isinstance(answer, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=f"no completion: {answer.reason}"))]
    chunk = completions.read_body(answer, Frame(body))
    if chunk.error is not None:
        return [ErrorReported(fault_from_error(endpoint, dialect, chunk.error, model=chunk.model))]
    if chunk.choice is None:
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message="the answer holds no choice"))]
    state, deltas = add_chunk(Accumulator(), chunk, whole=True)
    state, released = _release(state)
    deltas += [*released, *_report_metadata(state)]
    if (error := find_error(chunk)) is not None:
        return [*deltas, ErrorReported(fault_from_error(endpoint, dialect, error, model=chunk.model))]
    if chunk.choice.finish_reason:
        deltas.append(completions.build_stop(chunk.choice.finish_reason))
    return [*deltas, StreamEnded()]


def find_error(chunk: ChunkContent) -> Json:
    """The error of a chunk or of its choice; None where there is none."""
    if chunk.error is not None or chunk.choice is None or chunk.choice.finish_reason != FAILURE:
        return chunk.error
    return {"error": chunk.choice.error or BROKEN_OFF}


def add_chunk(state: Accumulator, chunk: ChunkContent, *, whole: bool) -> tuple[Accumulator, list[Delta]]:
    """The state with one chunk more, and its deltas but for how it ends; `whole` calls and records continue none."""
    choice = chunk.choice
    if not state.begun or chunk.identity or chunk.notes or choice is None or choice.notes:
        state = _add_facts(state, chunk)
    if choice is None:
        return state, [] if chunk.usage is None else [chunk.usage]
    deltas = [*choice.deltas]
    if choice.fragments:
        calls = state.calls
        for fragment in choice.fragments:
            calls, more = add_fragment(calls, fragment, state.seed, whole=whole)
            deltas += more
        if calls is not state.calls:
            state = msgspec.structs.replace(state, calls=calls)
    if choice.details or choice.executed or choice.audio:
        state = _add_records(state, choice, whole=whole)
    if choice.growing_metadata:
        deltas.append(MetadataReported(metadata=dict(choice.growing_metadata)))
    if chunk.usage is not None:
        deltas.append(chunk.usage)
    return state, deltas


def _add_facts(state: Accumulator, chunk: ChunkContent) -> Accumulator:
    of_choice = {} if chunk.choice is None else chunk.choice.notes
    return msgspec.structs.replace(
        state,
        begun=True,
        seed=state.seed or str(chunk.identity.get("id") or chunk.identity.get("created") or ""),
        model=state.model or chunk.model,
        notes={**chunk.identity, **state.notes, **chunk.notes, **of_choice},
    )


def _add_records(state: Accumulator, choice: ChoiceContent, *, whole: bool) -> Accumulator:
    return msgspec.structs.replace(
        state,
        details=state.details.with_fragments(choice.details, whole=whole),
        executed=state.executed.with_fragments(choice.executed, whole=whole),
        audio=(state.audio or OpenRecord()).with_fragment(choice.audio) if choice.audio else state.audio,
    )


def _release(state: Accumulator) -> tuple[Accumulator, list[Delta]]:
    """Calls and reasoning details that were held back until they are whole."""
    calls, deltas = (NO_CALLS, list[Delta]()) if state.calls is NO_CALLS else release_held(state.calls)
    if state.details.newest is None and calls is state.calls:
        return state, deltas
    if state.details.newest is not None:
        deltas.append(StateReported({"reasoning_details": state.details.merge()}, alone=True))
    return msgspec.structs.replace(state, calls=calls, details=OpenRecords()), deltas


def _report_metadata(state: Accumulator) -> list[Delta]:
    """Facts beside the answer, once."""
    notes = dict(state.notes)
    if state.executed.newest is not None:
        notes["executed_tools"] = state.executed.merge()
    if state.audio is not None:
        notes["audio"] = state.audio.merge()
    return [MetadataReported(model=state.model, metadata=notes)] if notes or state.model else []
