"""A stream's lines as deltas."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from victor_fp.core.deltas import Delta, ErrorReported, ToolCallStarted
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.protocols.ollama_chat.response import LINES, emit_line
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable


class LineReader(msgspec.Struct, frozen=True):
    """Where one stream stands: how many calls it has held, which keeps their ids and places apart."""

    endpoint: Endpoint
    dialect: OllamaDialect
    calls: int = 0

    def read(self, frames: Sequence[Frame]) -> tuple[LineReader, list[Delta]]:
        """The deltas of these lines."""
        calls = self.calls
        deltas: list[Delta] = []
        for frame in frames:
            line = LINES.decode(frame.data)
            if isinstance(line, Undecodable):
                reason = f"a line of the stream is no answer: {line.reason}"
                deltas.append(ErrorReported(InvalidResponse(message=reason, provider=self.endpoint.spec.name)))
                break
            said = emit_line(self.endpoint, self.dialect, line, calls)
            if line.message is not None and line.message.tool_calls:
                calls += sum(isinstance(delta, ToolCallStarted) for delta in said)
            deltas += said
        return (self if calls == self.calls else msgspec.structs.replace(self, calls=calls)), deltas

    def finish(self) -> list[Delta]:
        """Return no deltas: nothing is buffered."""
        return []
