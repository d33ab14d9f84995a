"""The chunks of a stream become the same deltas as a body.

A chunk that holds nothing but text, as nearly all do, is one text delta and changes nothing else. What stands beside the
answer is gathered and told once, before the end. The stream ends with [DONE]; an error in place of a chunk, or the finish
reason "error", fails it wherever it comes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from victor_fp_wire.mistral.operations import CreateChatCompletion
from victor_fp_wire.mistral.response import ChatCompletionChunk, ChunkChoice

from victor_fp.core.deltas import Delta, ErrorReported, MetadataReported, StreamEnded, TextDelta
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.faults import Fault
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_json_object
from victor_fp.core.protocols.mistral.notes import build_stop, choose_seed, identity, logprobs_of, report_usage
from victor_fp.core.protocols.mistral.response import ERRORS
from victor_fp.core.protocols.mistral.spoken import call_piece, content_deltas
from victor_fp.core.protocols.openai_chat.endings import Cut, interpret_frame
from victor_fp.core.protocols.openai_chat.errors import fault_from_error
from victor_fp.core.protocols.openai_chat.stop_reasons import BROKEN_OFF, FAILURE
from victor_fp.core.protocols.openai_chat.tool_calls import NO_CALLS, Calls, placed, released
from victor_fp.core.protocols.openai_chat.usage import counts_noted
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

CHUNKS = decoder_for(CreateChatCompletion.EVENT)


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has said so far that later chunks may continue."""

    seed: str = ""
    """What ids for calls are made of."""
    model: str | None = None
    notes: dict[str, Json] = {}
    calls: Calls = NO_CALLS
    begun: bool = False
    cut: Fault | None = None
    """See `endings.Cut`."""


class ChatEvents(msgspec.Struct, frozen=True):
    """Where the reading of one stream stands."""

    endpoint: Endpoint
    dialect: MistralDialect
    gathered: Gathered = Gathered()

    def read(self, frames: Sequence[Frame]) -> tuple[ChatEvents, list[Delta]]:
        """The reader for what follows, and what these frames mean."""
        deltas: list[Delta] = []
        before = gathered = self.gathered
        if before.cut is not None and frames:
            return self, [ErrorReported(before.cut)]
        for frame in frames:
            if is_done(frame.data):
                deltas += [*_closed(gathered), StreamEnded()]
                continue
            chunk = CHUNKS.decode(frame.data)
            if isinstance(chunk, Undecodable):
                gathered = self._ended(gathered, frame, chunk.reason, deltas, last=frame is frames[-1])
            elif gathered.begun and (text := _text_alone(chunk)) is not None:
                deltas.append(TextDelta(text))
            else:
                gathered = self._told(gathered, frame, chunk, deltas)
        return (self if gathered is before else ChatEvents(self.endpoint, self.dialect, gathered)), deltas

    def finish(self) -> list[Delta]:
        """What was gathered, for streams that end without [DONE]."""
        return _closed(self.gathered)

    def _ended(self, gathered: Gathered, frame: Frame, reason: str, deltas: list[Delta], *, last: bool) -> Gathered:
        meant = interpret_frame(self.endpoint, self.dialect, frame, reason, gathered.model, last=last)
        if isinstance(meant, Cut):
            return msgspec.structs.replace(gathered, cut=meant.fault)
        if meant is not None:
            deltas.append(meant)
        return gathered

    def _told(self, gathered: Gathered, frame: Frame, chunk: ChatCompletionChunk, deltas: list[Delta]) -> Gathered:
        """A chunk that says more than text."""
        choice = next((choice for choice in chunk.choices or () if not choice.index), None)
        if not gathered.begun or choice is None or choice.finish_reason or chunk.usage is not None:
            gathered = _noting(gathered, chunk)
        if choice is not None:
            gathered = _spoken(gathered, choice, deltas)
        if (usage := report_usage(chunk.usage)) is not None:
            deltas.append(usage)
        error = _error_in(frame, chunk, choice)
        if error is not None:
            deltas.append(ErrorReported(fault_from_error(self.endpoint, self.dialect, error, model=gathered.model)))
        elif choice is not None and choice.finish_reason:
            gathered = msgspec.structs.replace(gathered, calls=released(gathered.calls, deltas))
            deltas.append(build_stop(choice.finish_reason))
        return gathered


def _text_alone(chunk: ChatCompletionChunk) -> str | None:
    """The text of a chunk that says nothing else; None for every other chunk."""
    choices = chunk.choices
    if not choices or len(choices) != 1 or chunk.usage is not None or chunk.error is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.index or choice.finish_reason is not None or choice.logprobs is not None:
        return None
    return delta.content if delta.tool_calls is None and isinstance(delta.content, str) else None


def _noting(gathered: Gathered, chunk: ChatCompletionChunk) -> Gathered:
    """What stands beside the answer, from the chunks that may say so; the first id and time count."""
    return msgspec.structs.replace(
        gathered,
        begun=True,
        seed=gathered.seed or choose_seed(chunk),
        model=gathered.model or chunk.model or None,
        notes=identity(chunk) | gathered.notes | counts_noted(chunk.usage),
    )


def _spoken(gathered: Gathered, choice: ChunkChoice, deltas: list[Delta]) -> Gathered:
    """The deltas of a choice, and the calls with its pieces of calls."""
    calls = gathered.calls
    if choice.delta is not None:
        deltas += content_deltas(choice.delta.content)
        for call in choice.delta.tool_calls or ():
            calls = placed(calls, call_piece(call), gathered.seed, deltas)
    if beside := logprobs_of(choice):
        deltas.append(MetadataReported(metadata=beside))
    return gathered if calls is gathered.calls else msgspec.structs.replace(gathered, calls=calls)


def _error_in(frame: Frame, chunk: ChatCompletionChunk, choice: ChunkChoice | None) -> Json:
    """The error that a chunk holds or is, in any of its forms; None where it is none."""
    if choice is not None and not chunk.error:
        return {"error": BROKEN_OFF} if choice.finish_reason == FAILURE else None
    value = decode_json_object(frame.data)
    if isinstance(value, NotJson):
        return None
    return value if frame.event == "error" or ERRORS & value.keys() else None


def _closed(gathered: Gathered) -> list[Delta]:
    """Calls that were held back until they are whole, and what stands beside the answer, once."""
    deltas: list[Delta] = []
    released(gathered.calls, deltas)
    if gathered.notes or gathered.model:
        deltas.append(MetadataReported(model=gathered.model, metadata=gathered.notes))
    return deltas
