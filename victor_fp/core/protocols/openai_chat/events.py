"""The chunks of a stream become the same deltas as a body.

Rules: a chunk that holds nothing but text, as nearly all do, is one text delta and changes nothing else. Facts beside the
answer are kept and reported once, before the end, because later chunks repeat and complete them. The stream ends with
[DONE]; an error chunk, or the finish reason "error", fails it wherever it comes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from victor_fp_wire.openai_chat.operations import CreateChatCompletion
from victor_fp_wire.openai_chat.response import ChatCompletionChunk, ChunkChoice, ChunkDelta, Usage

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    RefusalDelta,
    StateReported,
    Stopped,
    StreamEnded,
    TextDelta,
)
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_lenient_json
from victor_fp.core.protocols import EventReader
from victor_fp.core.protocols.openai_chat.endings import Cut, interpret_frame
from victor_fp.core.protocols.openai_chat.errors import fault_from_error
from victor_fp.core.protocols.openai_chat.fragments import OpenRecord, OpenRecords
from victor_fp.core.protocols.openai_chat.notes import answer_notes, choice_notes, logprobs_of, message_notes
from victor_fp.core.protocols.openai_chat.spoken import content_deltas, find_reasoning
from victor_fp.core.protocols.openai_chat.stop_reasons import BROKEN_OFF, FAILURE, build_stop
from victor_fp.core.protocols.openai_chat.tool_calls import (
    NO_CALLS,
    Fragment,
    OpenCalls,
    add_fragment,
    is_empty_fragment,
    read_fragment,
    read_legacy_fragment,
    release_held,
)
from victor_fp.core.protocols.openai_chat.usage import usage_notes, usage_reported
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

CHUNKS = decoder_for(CreateChatCompletion.EVENT, keep_halves=True)
UNCOUNTED = Usage()


class Accumulator(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has sent so far that later chunks may continue."""

    seed: str = ""
    """The answer's id, else its time: what ids for calls are made of."""
    model: str | None = None
    notes: dict[str, Json] = {}
    details: OpenRecords = OpenRecords()
    """Reasoning details that have not been emitted."""
    executed: OpenRecords = OpenRecords()
    audio: OpenRecord | None = None
    calls: OpenCalls = NO_CALLS
    begun: bool = False
    stopped: bool = False
    """A finish reason has come."""
    cut: Fault | None = None
    """See `endings.Cut`."""


class ChatEvents(msgspec.Struct, frozen=True):
    """Where the reading of one stream stands."""

    endpoint: Endpoint
    dialect: ChatDialect
    state: Accumulator = Accumulator()

    def read(self, frames: Sequence[Frame]) -> tuple[EventReader, list[Delta]]:
        """What a batch of frames means."""
        deltas: list[Delta] = []
        before = state = self.state
        if before.cut is not None and frames:
            return self, [ErrorReported(before.cut)]
        for frame in frames:
            if is_done(frame.data):
                state, more = _release(state)
                deltas += more
                if self.dialect.done_is_stop and not state.stopped:
                    deltas.append(Stopped("stop"))
                deltas += [*_report_metadata(state), StreamEnded()]
                continue
            chunk = CHUNKS.decode(frame.data)
            if isinstance(chunk, Undecodable):
                state, more = self._on_undecodable(state, frame, chunk.reason, last=frame is frames[-1])
                deltas += more
            elif state.begun and (delta := read_plain_text(chunk)) is not None:
                deltas.append(delta)
            else:
                state, more = self._on_chunk(state, frame, chunk)
                deltas += more
        if state is before:
            return self, deltas
        return ChatEvents(self.endpoint, self.dialect, state), deltas

    def finish(self) -> list[Delta]:
        """What was held back, for streams that end without [DONE]."""
        state, deltas = _release(self.state)
        return [*deltas, *_report_metadata(state)]

    def _on_undecodable(
        self, state: Accumulator, frame: Frame, reason: str, *, last: bool
    ) -> tuple[Accumulator, list[Delta]]:
        """A frame that does not decode as a chunk: cut off, an error, or invalid."""
        meant = interpret_frame(self.endpoint, self.dialect, frame, reason, state.model, last=last)
        if isinstance(meant, Cut):
            return msgspec.structs.replace(state, cut=meant.fault), []
        return state, [] if meant is None else [meant]

    def _fault(self, error: Json, state: Accumulator) -> Fault:
        return fault_from_error(self.endpoint, self.dialect, error, model=state.model)

    def _on_chunk(
        self, state: Accumulator, frame: Frame, chunk: ChatCompletionChunk
    ) -> tuple[Accumulator, list[Delta]]:
        """A chunk that has more than text."""
        deltas: list[Delta] = []
        choice = next((choice for choice in chunk.choices or () if not choice.index), None)
        counts = _counts(chunk, choice)
        if not state.begun or choice is None or choice.finish_reason or counts is not None:
            state = _record_metadata(state, chunk, counts)
        if choice is not None:
            state, deltas = _on_choice(state, choice)
        if (usage := usage_reported(counts)) is not None:
            deltas.append(usage)
        error = _error_in(frame, chunk, choice)
        if error is not None:
            deltas.append(ErrorReported(self._fault(error, state)))
        elif choice is not None and choice.finish_reason:
            state, released = _release(state)
            deltas += [*released, build_stop(self.dialect, choice.finish_reason)]
            state = msgspec.structs.replace(state, stopped=True)
        return state, deltas


def read_plain_text(chunk: ChatCompletionChunk) -> TextDelta | ReasoningDelta | None:
    """The text, or the thinking, of a chunk that has nothing else; None for every other chunk."""
    choices = chunk.choices
    if (
        not choices
        or len(choices) != 1
        or chunk.usage is not None
        or chunk.error is not None
        or chunk.x_groq is not None
    ):
        return None
    choice = choices[0]
    delta = choice.delta
    if (
        delta is None
        or choice.index
        or choice.finish_reason is not None
        or choice.logprobs is not None
        or choice.usage is not None
        or choice.content_filter_results
        or delta.tool_calls is not None
        or delta.refusal is not None
        or delta.reasoning_details is not None
        or delta.function_call is not None
        or delta.annotations is not None
        or delta.audio is not None
        or delta.images is not None
        or delta.executed_tools is not None
        or delta.context is not None
        or delta.extra_content is not None
    ):
        return None
    content = delta.content
    reasoning = delta.reasoning_content or delta.reasoning
    if reasoning:
        return None if content else ReasoningDelta(reasoning)
    return TextDelta(content) if type(content) is str else None


def _record_metadata(state: Accumulator, chunk: ChatCompletionChunk, counts: Usage | None) -> Accumulator:
    """Facts beside the answer, from the chunks that may have some: the first, those without a choice, the last ones."""
    notes = state.notes | answer_notes(chunk) | usage_notes(counts)
    notes |= {first: state.notes[first] for first in ("id", "created") if first in state.notes}
    return msgspec.structs.replace(
        state,
        begun=True,
        seed=state.seed or chunk.id or (str(int(chunk.created)) if chunk.created else ""),
        model=state.model or chunk.model or None,
        notes=notes,
    )


def _on_choice(state: Accumulator, choice: ChunkChoice) -> tuple[Accumulator, list[Delta]]:
    """The deltas of a choice, and what of it is to be kept."""
    deltas: list[Delta] = []
    facts = logprobs_of(choice)
    if notes := choice_notes(choice):
        state = msgspec.structs.replace(state, notes=state.notes | notes)
    delta = choice.delta
    if delta is not None:
        if reasoning := find_reasoning(delta):
            deltas.append(ReasoningDelta(reasoning))
        deltas += content_deltas(delta.content)
        if delta.refusal:
            deltas.append(RefusalDelta(delta.refusal))
        if delta.tool_calls or delta.function_call:
            calls = state.calls
            for fragment in _fragments(delta):
                if not is_empty_fragment(fragment):
                    calls, more = add_fragment(calls, fragment, state.seed)
                    deltas += more
            state = msgspec.structs.replace(state, calls=calls)
        if delta.reasoning_details or delta.executed_tools or delta.audio:
            state = _with_records(state, delta)
        facts |= message_notes(delta)
    if facts:
        deltas.append(MetadataReported(metadata=facts))
    return state, deltas


def _with_records(state: Accumulator, delta: ChunkDelta) -> Accumulator:
    """The records that come in fragments."""
    executed = delta.executed_tools if isinstance(delta.executed_tools, list) else ()
    audio = state.audio
    if isinstance(delta.audio, dict) and delta.audio:
        audio = (audio or OpenRecord()).with_fragment(delta.audio)
    return msgspec.structs.replace(
        state,
        details=state.details.with_fragments(delta.reasoning_details or ()),
        executed=state.executed.with_fragments(executed),
        audio=audio,
    )


def _fragments(delta: ChunkDelta) -> list[Fragment]:
    fragments = [read_fragment(call) for call in delta.tool_calls or ()]
    return fragments if delta.function_call is None else [*fragments, read_legacy_fragment(delta.function_call)]


def _counts(chunk: ChatCompletionChunk, choice: ChunkChoice | None) -> Usage | None:
    """The counts, which stand at the chunk, in Groq's extras, or (Moonshot) in the choice."""
    extras = chunk.x_groq
    for usage in (chunk.usage, None if extras is None else extras.usage, None if choice is None else choice.usage):
        if usage is not None and usage != UNCOUNTED:
            return usage
    return None


def _error_in(frame: Frame, chunk: ChatCompletionChunk, choice: ChunkChoice | None) -> Json:
    """The error that a chunk holds or is; None where it is none."""
    if chunk.error or (choice is None and (frame.event == "error" or chunk.object == "error")):
        value = decode_lenient_json(frame.data)
        return {} if isinstance(value, NotJson) else value
    if chunk.x_groq is not None and chunk.x_groq.error:
        error: Json = {"error": chunk.x_groq.error}
        return error
    if choice is not None and choice.finish_reason == FAILURE:
        return {"error": choice.error or BROKEN_OFF}
    return None


def _release(state: Accumulator) -> tuple[Accumulator, list[Delta]]:
    """Calls and reasoning details that were held back until they are whole."""
    calls, deltas = release_held(state.calls)
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
