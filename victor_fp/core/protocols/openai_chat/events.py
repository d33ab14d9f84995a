"""The chunks of a stream become the same deltas as a body.

Rules: a chunk that holds nothing but text, as nearly all do, is one text delta and changes nothing else. What stands
beside the answer is gathered and told once, before the end, because later chunks repeat and complete it. The stream ends
with [DONE]; an error chunk, or the finish reason "error", fails it wherever it comes.
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
from victor_fp.core.json import Json, NotJson, decode_json
from victor_fp.core.protocols import EventReader
from victor_fp.core.protocols.openai_chat.endings import Cut, interpret_frame
from victor_fp.core.protocols.openai_chat.errors import fault_from_error
from victor_fp.core.protocols.openai_chat.fragments import grown, whole
from victor_fp.core.protocols.openai_chat.notes import answer_notes, choice_notes, logprobs_of, message_notes
from victor_fp.core.protocols.openai_chat.spoken import content_deltas, find_reasoning
from victor_fp.core.protocols.openai_chat.stop_reasons import BROKEN_OFF, FAILURE, build_stop
from victor_fp.core.protocols.openai_chat.tool_calls import (
    NO_CALLS,
    Calls,
    Piece,
    is_empty_piece,
    legacy_piece,
    piece_of,
    placed,
    released,
)
from victor_fp.core.protocols.openai_chat.usage import usage_notes, usage_reported
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

CHUNKS = decoder_for(CreateChatCompletion.EVENT)
UNCOUNTED = Usage()


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has said so far that later chunks may continue."""

    seed: str = ""
    """The answer's id, else its time: what ids for calls are made of."""
    model: str | None = None
    notes: dict[str, Json] = {}
    details: tuple[dict[str, Json], ...] = ()
    """Reasoning details that have not been told."""
    executed: tuple[dict[str, Json], ...] = ()
    audio: dict[str, Json] = {}
    calls: Calls = NO_CALLS
    begun: bool = False
    stopped: bool = False
    """A finish reason has come."""
    cut: Fault | None = None
    """See `endings.Cut`."""


class ChatEvents(msgspec.Struct, frozen=True):
    """Where the reading of one stream stands."""

    endpoint: Endpoint
    dialect: ChatDialect
    gathered: Gathered = Gathered()

    def read(self, frames: Sequence[Frame]) -> tuple[EventReader, list[Delta]]:
        """What a batch of frames means."""
        deltas: list[Delta] = []
        before = gathered = self.gathered
        if before.cut is not None and frames:
            return self, [ErrorReported(before.cut)]
        for frame in frames:
            if is_done(frame.data):
                gathered = _released(gathered, deltas)
                if self.dialect.done_is_stop and not gathered.stopped:
                    deltas.append(Stopped("stop"))
                _noted(gathered, deltas)
                deltas.append(StreamEnded())
                continue
            chunk = CHUNKS.decode(frame.data)
            if isinstance(chunk, Undecodable):
                gathered = self._ended(gathered, frame, chunk.reason, deltas, last=frame is frames[-1])
            elif gathered.begun and (delta := spoken_alone(chunk)) is not None:
                deltas.append(delta)
            else:
                gathered = self._told(gathered, frame, chunk, deltas)
        if gathered is before:
            return self, deltas
        return ChatEvents(self.endpoint, self.dialect, gathered), deltas

    def finish(self) -> list[Delta]:
        """What was gathered, for streams that end without [DONE]."""
        deltas: list[Delta] = []
        _noted(_released(self.gathered, deltas), deltas)
        return deltas

    def _ended(self, gathered: Gathered, frame: Frame, reason: str, deltas: list[Delta], *, last: bool) -> Gathered:
        """A frame that does not decode as a chunk: cut off, an error, or invalid."""
        meant = interpret_frame(self.endpoint, self.dialect, frame, reason, gathered.model, last=last)
        if isinstance(meant, Cut):
            return msgspec.structs.replace(gathered, cut=meant.fault)
        if meant is not None:
            deltas.append(meant)
        return gathered

    def _fault(self, error: Json, gathered: Gathered) -> Fault:
        return fault_from_error(self.endpoint, self.dialect, error, model=gathered.model)

    def _told(self, gathered: Gathered, frame: Frame, chunk: ChatCompletionChunk, deltas: list[Delta]) -> Gathered:
        """A chunk that says more than text."""
        choice = next((choice for choice in chunk.choices or () if not choice.index), None)
        counts = _counts(chunk, choice)
        if not gathered.begun or choice is None or choice.finish_reason or counts is not None:
            gathered = _noting(gathered, chunk, counts)
        if choice is not None:
            gathered = _spoken(gathered, choice, deltas)
        if (usage := usage_reported(counts)) is not None:
            deltas.append(usage)
        error = _error_in(frame, chunk, choice)
        if error is not None:
            deltas.append(ErrorReported(self._fault(error, gathered)))
        elif choice is not None and choice.finish_reason:
            gathered = _released(gathered, deltas)
            deltas.append(build_stop(self.dialect, choice.finish_reason))
            gathered = msgspec.structs.replace(gathered, stopped=True)
        return gathered


def spoken_alone(chunk: ChatCompletionChunk) -> TextDelta | ReasoningDelta | None:
    """The text, or the thinking, of a chunk that says nothing else; None for every other chunk."""
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


def _noting(gathered: Gathered, chunk: ChatCompletionChunk, counts: Usage | None) -> Gathered:
    """What stands beside the answer, from the chunks that may say so: the first, those without a choice, the last ones."""
    notes = gathered.notes | answer_notes(chunk) | usage_notes(counts)
    notes |= {first: gathered.notes[first] for first in ("id", "created") if first in gathered.notes}
    return msgspec.structs.replace(
        gathered,
        begun=True,
        seed=gathered.seed or chunk.id or (str(int(chunk.created)) if chunk.created else ""),
        model=gathered.model or chunk.model or None,
        notes=notes,
    )


def _spoken(gathered: Gathered, choice: ChunkChoice, deltas: list[Delta]) -> Gathered:
    """The deltas of a choice, and what of it is to be kept."""
    beside = logprobs_of(choice)
    if notes := choice_notes(choice):
        gathered = msgspec.structs.replace(gathered, notes=gathered.notes | notes)
    delta = choice.delta
    if delta is not None:
        if reasoning := find_reasoning(delta):
            deltas.append(ReasoningDelta(reasoning))
        deltas += content_deltas(delta.content)
        if delta.refusal:
            deltas.append(RefusalDelta(delta.refusal))
        if delta.tool_calls or delta.function_call:
            calls = gathered.calls
            for piece in _pieces(delta):
                if is_empty_piece(piece):
                    continue
                calls = placed(calls, piece, gathered.seed, deltas)
            gathered = msgspec.structs.replace(gathered, calls=calls)
        if delta.reasoning_details or delta.executed_tools or delta.audio:
            gathered = _collected(gathered, delta)
        beside |= message_notes(delta)
    if beside:
        deltas.append(MetadataReported(metadata=beside))
    return gathered


def _collected(gathered: Gathered, delta: ChunkDelta) -> Gathered:
    """The records that come in fragments."""
    executed = delta.executed_tools if isinstance(delta.executed_tools, list) else ()
    return msgspec.structs.replace(
        gathered,
        details=whole(gathered.details, delta.reasoning_details or ()),
        executed=whole(gathered.executed, executed),
        audio=grown(gathered.audio, delta.audio) if isinstance(delta.audio, dict) else gathered.audio,
    )


def _pieces(delta: ChunkDelta) -> list[Piece]:
    pieces = [piece_of(call) for call in delta.tool_calls or ()]
    return pieces if delta.function_call is None else [*pieces, legacy_piece(delta.function_call)]


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
        value = decode_json(frame.data)
        return {} if isinstance(value, NotJson) else value
    if chunk.x_groq is not None and chunk.x_groq.error:
        error: Json = {"error": chunk.x_groq.error}
        return error
    if choice is not None and choice.finish_reason == FAILURE:
        return {"error": choice.error or BROKEN_OFF}
    return None


def _released(gathered: Gathered, deltas: list[Delta]) -> Gathered:
    """Calls and reasoning details that were held back until they are whole."""
    calls = released(gathered.calls, deltas)
    if not gathered.details and calls is gathered.calls:
        return gathered
    if gathered.details:
        deltas.append(StateReported({"reasoning_details": list(gathered.details)}, alone=True))
    return msgspec.structs.replace(gathered, calls=calls, details=())


def _noted(gathered: Gathered, deltas: list[Delta]) -> None:
    """What stands beside the answer, once."""
    notes = dict(gathered.notes)
    if gathered.executed:
        notes["executed_tools"] = list(gathered.executed)
    if gathered.audio:
        notes["audio"] = gathered.audio
    if notes or gathered.model:
        deltas.append(MetadataReported(model=gathered.model, metadata=notes))
