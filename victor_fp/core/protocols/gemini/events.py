"""Stream events of Gemini as deltas. Every event, or every element of a JSON array, has the shape of a response.

No event ends the stream, and every event may have a finish reason although text follows. The last finish reason counts, and
a stream is complete if it ends after one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from victor_fp.core.deltas import Delta, ErrorReported, StreamEnded
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Undecodable, encode_json
from victor_fp.core.protocols.gemini.errors import fault_from_error, find_status, is_error
from victor_fp.core.protocols.gemini.response import RESPONSES, START, GeminiProgress, emit_last_notes, read_response
from victor_fp.core.protocols.shared_events import FILLERS, read_error_text
from victor_fp.core.requests import Endpoint


class GeminiReader(msgspec.Struct, frozen=True):
    """Reader of one stream."""

    endpoint: Endpoint
    progress: GeminiProgress

    def read(self, frames: Sequence[Frame]) -> tuple[GeminiReader, list[Delta]]:
        """Return the reader for the next frames and the deltas of these."""
        progress, deltas = self.progress, list[Delta]()
        for frame in frames:
            progress, found = self._read_piece(progress, frame)
            deltas += found
        return (self if progress is self.progress else GeminiReader(self.endpoint, progress)), deltas

    def finish(self) -> list[Delta]:
        """Return the metadata of which the last value counts."""
        return emit_last_notes(self.progress)

    def _read_piece(self, progress: GeminiProgress, frame: Frame) -> tuple[GeminiProgress, list[Delta]]:
        data = frame.data
        text = data.strip()
        if text in FILLERS:
            # [DONE] is sent by OpenAI-compatible gateways.
            return progress, [StreamEnded()] if text else []
        response = RESPONSES.decode(data)
        if isinstance(response, Undecodable):
            return progress, [ErrorReported(self._read_undecodable(progress, frame, response.reason))]
        progress, deltas = read_response(self.endpoint, progress, response)
        if b'"error"' in data and (error := find_status(data)) is not None:
            deltas.append(ErrorReported(fault_from_error(self.endpoint, error, data, model=progress.model)))
        elif frame.event == "error" or (response.candidates is None and is_error(data)):
            deltas.append(ErrorReported(fault_from_error(self.endpoint, None, data, model=progress.model)))
        return progress, deltas

    def _read_undecodable(self, progress: GeminiProgress, frame: Frame, reason: str) -> Fault:
        text = read_error_text(frame)
        if text is not None:
            return fault_from_error(self.endpoint, None, encode_json(text), model=progress.model)
        message = f"an event of the stream cannot be decoded: {reason}"
        return InvalidResponse(provider=self.endpoint.spec.name, model=progress.model, message=message)


def build_reader(endpoint: Endpoint) -> GeminiReader:
    """Return a reader for a new stream."""
    return GeminiReader(endpoint, START)
