"""Types shared by all framings: frames, errors, and buffering of bytes."""

from __future__ import annotations

from typing import Protocol

import msgspec

DEFAULT_LIMIT = 32 * 1024 * 1024
"""Maximum size of a line, event, element or message in bytes: enough for inline images, but bounded."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message of a stream: its payload and metadata of the framing.

    `event` is the SSE event name, or AWS's event type, exception type or error code. `kind` is AWS's message type:
    "event", "exception" or "error"; empty in every other framing.
    """

    data: bytes
    event: str = ""
    kind: str = ""


class Overflow(msgspec.Struct, frozen=True, gc=False):
    """A line, event, element or message is longer than `limit` bytes."""

    limit: int


class Garbled(msgspec.Struct, frozen=True, gc=False):
    """The bytes are invalid in this framing; `reason` names the violated rule and does not quote them."""

    reason: str


class Framer(Protocol):
    """State of the framing of one stream between two reads."""

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Process the bytes of one read, of any size."""
        ...

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """Process the end of the bytes: return what lacks a final newline or blank line.

        The last frame of a truncated stream may be truncated; its payload then does not decode.
        """
        ...


class Broken(msgspec.Struct, frozen=True, gc=False):
    """A framer after an error."""

    error: Overflow | Garbled

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:  # noqa: ARG002  Framer's signature
        """Return the error, ignoring the bytes."""
        return self, [], self.error

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """Return the error."""
        return [], self.error


def append_held(held: tuple[bytes, ...], data: bytes) -> tuple[bytes, ...]:
    """Append `data` to `held`, merging pieces so that each is more than twice as long as the next.

    A byte is copied only when its piece grows by half, so a long event costs n log n for reads of any size, and the tuple
    stays short enough to be copied.
    """
    kept, size = len(held), len(data)
    while kept and len(held[kept - 1]) <= 2 * size:
        kept -= 1
        size += len(held[kept])
    return (*held[:kept], b"".join((*held[kept:], data)))
