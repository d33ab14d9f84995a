"""Lines of a stream as deltas."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from victor_fp.core.deltas import Delta, ErrorReported, ToolCallStarted
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.ollama_chat.errors import fault_from_error
from victor_fp.core.protocols.ollama_chat.response import LINES, emit_line, find_error
from victor_fp.core.requests import Endpoint


class LineReader(msgspec.Struct, frozen=True):
    """Reader of one stream. It counts the calls, which gives each a distinct id and index."""

    endpoint: Endpoint
    dialect: OllamaDialect
    calls: int = 0

    def read(self, frames: Sequence[Frame]) -> tuple[LineReader, list[Delta]]:
        """Return the reader for the next lines and the deltas of these."""
        calls = self.calls
        deltas: list[Delta] = []
        for frame in frames:
            line = LINES.decode(frame.data)
            if isinstance(line, Undecodable):
                reason = f"a line of the stream cannot be decoded: {line.reason}"
                deltas.append(ErrorReported(InvalidResponse(message=reason, provider=self.endpoint.spec.name)))
                break
            if (error := find_error(line, frame.data)) is not None:
                deltas.append(ErrorReported(fault_from_error(self.endpoint, self.dialect, error, model=line.model)))
                continue
            emitted = emit_line(line, calls)
            if line.message is not None and line.message.tool_calls:
                calls += sum(isinstance(delta, ToolCallStarted) for delta in emitted)
            deltas += emitted
        return (self if calls == self.calls else msgspec.structs.replace(self, calls=calls)), deltas

    def finish(self) -> list[Delta]:
        """Return no deltas: nothing is buffered."""
        return []
