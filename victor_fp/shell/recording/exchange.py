"""A recorded exchange as a value: request and response, without secrets."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from victor_fp.core.faults import Fault

RecordedEnding: TypeAlias = Literal["whole", "left"]
"""Whether the response was read to its end, or abandoned before."""


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded request."""

    method: str
    url: str
    headers: dict[str, str] = {}
    """Names in lower case."""
    body: bytes = b""


class Piece(msgspec.Struct, frozen=True):
    """The data of one read of a streamed body."""

    data: bytes
    after: float = 0.0
    """Seconds since the previous piece, or since the headers."""


class RecordedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded response. A body that was read at once has one piece."""

    status: int
    headers: dict[str, str] = {}
    """Names in lower case, without headers of the transfer, since bodies are recorded decompressed."""
    pieces: tuple[Piece, ...] = ()
    is_stream: bool = False
    """Whether it was read as a stream."""
    after: float = 0.0
    """Seconds from the request to the headers."""
    ending: RecordedEnding = "whole"
    fault: Fault | None = None
    """The fault after the last piece."""

    @property
    def body(self) -> bytes:
        """The complete body."""
        return b"".join(piece.data for piece in self.pieces)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and its response or fault."""

    request: RecordedRequest
    response: RecordedResponse | Fault
    recorded_at: str | None = None
    """Date and time in UTC, as in ISO 8601."""
