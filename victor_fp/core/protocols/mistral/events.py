"""The chunks of a stream become the same deltas as a body.

A chunk that holds nothing but text, as nearly all do, is one text delta and changes nothing else. Facts beside the
answer are kept and reported once, before the end. The stream ends with [DONE]; an error in place of a chunk, or the finish
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
from victor_fp.core.protocols.mistral.spoken import content_deltas, read_fragment
from victor_fp.core.protocols.openai_chat.endings import Cut, interpret_frame
from victor_fp.core.protocols.openai_chat.errors import fault_from_error
from victor_fp.core.protocols.openai_chat.stop_reasons import BROKEN_OFF, FAILURE
from victor_fp.core.protocols.openai_chat.tool_calls import NO_CALLS, OpenCalls, add_fragment, release_held
from victor_fp.core.protocols.openai_chat.usage import counts_noted
from victor_fp.core.protocols.operations import decoder_for
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable

CHUNKS = decoder_for(CreateChatCompletion.EVENT, keep_halves=True)


class Accumulator(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has sent so far that later chunks may continue."""

    seed: str = ""
    """What ids for calls are made of."""
    model: str | None = None
    notes: dict[str, Json] = {}
    calls: OpenCalls = NO_CALLS
    begun: bool = False
    cut: Fault | None = None
    """See `endings.Cut`."""


class ChatEvents(msgspec.Struct, frozen=True):
    """Where the reading of one stream stands."""

    endpoint: Endpoint
    dialect: MistralDialect
    state: Accumulator = Accumulator()

    def read(self, frames: Sequence[Frame]) -> tuple[ChatEvents, list[Delta]]:
        """The reader for what follows, and what these frames mean."""
        deltas: list[Delta] = []
        before = state = self.state
        if before.cut is not None and frames:
            return self, [ErrorReported(before.cut)]
        for frame in frames:
            if is_done(frame.data):
                deltas += [*_close(state), StreamEnded()]
                continue
            chunk = CHUNKS.decode(frame.data)
            if isinstance(chunk, Undecodable):
                state, more = self._on_undecodable(state, frame, chunk.reason, last=frame is frames[-1])
                deltas += more
            elif state.begun and (text := _read_plain_text(chunk)) is not None:
                deltas.append(TextDelta(text))
            else:
                state, more = self._on_chunk(state, frame, chunk)
                deltas += more
        return (self if state is before else ChatEvents(self.endpoint, self.dialect, state)), deltas

    def finish(self) -> list[Delta]:
        """What was held back, for streams that end without [DONE]."""
        return _close(self.state)

    def _on_undecodable(
        self, state: Accumulator, frame: Frame, reason: str, *, last: bool
    ) -> tuple[Accumulator, list[Delta]]:
        meant = interpret_frame(self.endpoint, self.dialect, frame, reason, state.model, last=last)
        if isinstance(meant, Cut):
            return msgspec.structs.replace(state, cut=meant.fault), []
        return state, [] if meant is None else [meant]

    def _on_chunk(
        self, state: Accumulator, frame: Frame, chunk: ChatCompletionChunk
    ) -> tuple[Accumulator, list[Delta]]:
        """A chunk that has more than text."""
        deltas: list[Delta] = []
        choice = next((choice for choice in chunk.choices or () if not choice.index), None)
        if not state.begun or choice is None or choice.finish_reason or chunk.usage is not None:
            state = _record_metadata(state, chunk)
        if choice is not None:
            state, deltas = _on_choice(state, choice)
        if (usage := report_usage(chunk.usage)) is not None:
            deltas.append(usage)
        error = _error_in(frame, chunk, choice)
        if error is not None:
            deltas.append(ErrorReported(fault_from_error(self.endpoint, self.dialect, error, model=state.model)))
        elif choice is not None and choice.finish_reason:
            calls, released = release_held(state.calls)
            state = msgspec.structs.replace(state, calls=calls)
            deltas += [*released, build_stop(choice.finish_reason)]
        return state, deltas


def _read_plain_text(chunk: ChatCompletionChunk) -> str | None:
    """The text of a chunk that has nothing else; None for every other chunk."""
    choices = chunk.choices
    if not choices or len(choices) != 1 or chunk.usage is not None or chunk.error is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.index or choice.finish_reason is not None or choice.logprobs is not None:
        return None
    return delta.content if delta.tool_calls is None and isinstance(delta.content, str) else None


def _record_metadata(state: Accumulator, chunk: ChatCompletionChunk) -> Accumulator:
    """Facts beside the answer, from the chunks that may have some; the first id and time count."""
    return msgspec.structs.replace(
        state,
        begun=True,
        seed=state.seed or choose_seed(chunk),
        model=state.model or chunk.model or None,
        notes=identity(chunk) | state.notes | counts_noted(chunk.usage),
    )


def _on_choice(state: Accumulator, choice: ChunkChoice) -> tuple[Accumulator, list[Delta]]:
    """The deltas of a choice, and the calls with its fragments of calls."""
    calls, deltas = state.calls, list[Delta]()
    if choice.delta is not None:
        deltas += content_deltas(choice.delta.content)
        for call in choice.delta.tool_calls or ():
            calls, more = add_fragment(calls, read_fragment(call), state.seed)
            deltas += more
    if facts := logprobs_of(choice):
        deltas.append(MetadataReported(metadata=facts))
    return state if calls is state.calls else msgspec.structs.replace(state, calls=calls), deltas


def _error_in(frame: Frame, chunk: ChatCompletionChunk, choice: ChunkChoice | None) -> Json:
    """The error that a chunk holds or is, in any of its forms; None where it is none."""
    if choice is not None and not chunk.error:
        return {"error": BROKEN_OFF} if choice.finish_reason == FAILURE else None
    value = decode_json_object(frame.data)
    if isinstance(value, NotJson):
        return None
    return value if frame.event == "error" or ERRORS & value.keys() else None


def _close(state: Accumulator) -> list[Delta]:
    """Calls that were held back until they are whole, and the facts beside the answer, once."""
    _, deltas = release_held(state.calls)
    if state.notes or state.model:
        deltas.append(MetadataReported(model=state.model, metadata=state.notes))
    return deltas
