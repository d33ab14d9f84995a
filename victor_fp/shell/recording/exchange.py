"""A recorded exchange as a value: what was sent, and what came back, without secrets."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.faults import Fault

RecordedEnding: TypeAlias = Literal["whole", "left"]
"""Whether the response was read to its end, or its reader left before."""


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent."""

    method: str
    url: str
    headers: dict[str, str] = {}
    """Names in lower case."""
    body: bytes = b""


class Piece(msgspec.Struct, frozen=True):
    """What one read of a streamed body gave."""

    data: bytes
    after: float = 0.0
    """Seconds since the piece before, or since the headers."""


class RecordedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. A body that was read at once has one piece."""

    status: int
    headers: dict[str, str] = {}
    """Names in lower case; those of the transfer itself are left out, since bodies are recorded decompressed."""
    pieces: tuple[Piece, ...] = ()
    is_stream: bool = False
    """Whether it was read piece by piece."""
    after: float = 0.0
    """Seconds from the request to the headers."""
    ending: RecordedEnding = "whole"
    fault: Fault | None = None
    """What broke the body after its last piece."""

    @property
    def body(self) -> bytes:
        """All pieces."""
        return b"".join(piece.data for piece in self.pieces)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and its response or the fault that came in its place."""

    request: RecordedRequest
    response: RecordedResponse | Fault
    recorded_at: str | None = None
    """Date and time in UTC, as in ISO 8601."""
