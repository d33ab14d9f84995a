"""What all framings share: frames, what can be wrong with bytes, and how bytes wait for more."""

from __future__ import annotations

from typing import Protocol

import msgspec

DEFAULT_LIMIT = 32 * 1024 * 1024
"""Bytes that one line, event, element or message may take: inline images fit, a runaway server does not."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message of a stream: its payload, and what the framing itself says about it.

    `event` is the SSE event name, or AWS's event type, exception type or error code. `kind` is AWS's message type:
    "event", "exception" or "error"; empty in every other framing.
    """

    data: bytes
    event: str = ""
    kind: str = ""


class Overflow(msgspec.Struct, frozen=True, gc=False):
    """One line, event, element or message grew past `limit` bytes."""

    limit: int


class Garbled(msgspec.Struct, frozen=True, gc=False):
    """The bytes are not of this framing; `reason` names the rule that they break and quotes nothing of them."""

    reason: str


class Framer(Protocol):
    """Where one stream stands between two reads."""

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Take what one read gave, of any size."""
        ...

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """Take the end of the bytes: gives what still stands there without its final newline or blank line.

        The last frame of a stream that was cut can itself be cut; its payload then does not decode.
        """
        ...


class Broken(msgspec.Struct, frozen=True, gc=False):
    """A framer that has met its error."""

    error: Overflow | Garbled

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:  # noqa: ARG002  Framer's signature
        """The error again, whatever the bytes are."""
        return self, [], self.error

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """The error again."""
        return [], self.error


def append_held(held: tuple[bytes, ...], data: bytes) -> tuple[bytes, ...]:
    """`held` with `data` behind it, as few pieces that each are over twice as long as the next.

    A byte is copied only when its piece grows by half, so a long event costs n log n however small the reads are, and
    the tuple stays short enough to be copied.
    """
    kept, size = len(held), len(data)
    while kept and len(held[kept - 1]) <= 2 * size:
        kept -= 1
        size += len(held[kept])
    return (*held[:kept], b"".join((*held[kept:], data)))
