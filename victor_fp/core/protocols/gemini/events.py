"""A streamed answer: every event, or every element of the array, has the shape of a whole answer.

There is no event that ends the stream. A finish reason may stand on every piece with text still to come, so the last
one counts, and the stream is whole when its bytes end after one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from victor_fp.core.deltas import Delta, ErrorReported, StreamEnded
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import NotJson, decode_json_object, encode_json
from victor_fp.core.protocols.error_events import is_error_object, may_be_error, read_error_words
from victor_fp.core.protocols.gemini.errors import fault_from_error, find_status
from victor_fp.core.protocols.gemini.response import ANSWERS, START, GeminiProgress, add_answer, emit_last_notes
from victor_fp.core.protocols.stream_end import is_done
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable


class GeminiReader(msgspec.Struct, frozen=True):
    """Reader of one stream."""

    endpoint: Endpoint
    progress: GeminiProgress

    def read(self, frames: Sequence[Frame]) -> tuple[GeminiReader, list[Delta]]:
        """The reader for what follows, and what these pieces of the answer mean."""
        progress, deltas = self.progress, list[Delta]()
        for frame in frames:
            progress = self._read_piece(progress, frame, deltas)
        return (self if progress is self.progress else GeminiReader(self.endpoint, progress)), deltas

    def finish(self) -> list[Delta]:
        """The facts of which the last word counts."""
        return emit_last_notes(self.progress)

    def _read_piece(self, progress: GeminiProgress, frame: Frame, deltas: list[Delta]) -> GeminiProgress:
        data = frame.data
        if is_done(data):
            # Gateways that imitate OpenAI add it.
            deltas.append(StreamEnded())
            return progress
        answer = ANSWERS.decode(data)
        if isinstance(answer, Undecodable):
            deltas.append(ErrorReported(self._read_undecodable(progress, frame, answer.reason)))
            return progress
        progress = add_answer(self.endpoint, progress, answer, deltas)
        if b'"error"' in data and (error := find_status(data)) is not None:
            deltas.append(ErrorReported(fault_from_error(self.endpoint, error, data, model=progress.model)))
        elif frame.event == "error" or (answer.candidates is None and _is_error(data)):
            deltas.append(ErrorReported(fault_from_error(self.endpoint, None, data, model=progress.model)))
        return progress

    def _read_undecodable(self, progress: GeminiProgress, frame: Frame, reason: str) -> Fault:
        words = read_error_words(frame)
        if words is not None:
            return fault_from_error(self.endpoint, None, encode_json(words), model=progress.model)
        message = f"an event of the stream does not decode: {reason}"
        return InvalidResponse(provider=self.endpoint.spec.name, model=progress.model, message=message)


def _is_error(data: bytes) -> bool:
    """Whether an event without an answer is an error in another form than Google's."""
    value = decode_json_object(data) if may_be_error(data) else NotJson("")
    return not isinstance(value, NotJson) and is_error_object(value)


def build_reader(endpoint: Endpoint) -> GeminiReader:
    """A reader before the first event."""
    return GeminiReader(endpoint, START)
