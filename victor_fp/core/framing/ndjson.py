"""Newline-delimited JSON: one frame per line; blank lines are skipped, the last newline is optional."""

from __future__ import annotations

import msgspec

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held


class NewlineDelimited(msgspec.Struct, frozen=True):
    """The bytes since the last newline."""

    limit: int
    held: tuple[bytes, ...] = ()

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Return the complete lines."""
        held = self.held
        if held:
            if b"\n" not in data:
                return self._hold(append_held(held, data) if data else held, [])
            data = b"".join((*held, data))
        lines = data.split(b"\n")
        tail = lines.pop()
        if len(data) > self.limit and any(len(line) > self.limit for line in lines):
            overflow = Overflow(self.limit)
            valid = lines[: next(index for index, line in enumerate(lines) if len(line) > self.limit)]
            return Broken(overflow), [Frame(line) for raw in valid if (line := raw.strip())], overflow
        frames = [Frame(line) for raw in lines if (line := raw.strip())]
        if not tail and not held:
            return self, frames, None
        return self._hold((tail,) if tail else (), frames)

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """Return the last line without a newline, if any."""
        line = b"".join(self.held).strip()
        return ([Frame(line)] if line else []), None

    def _hold(
        self, held: tuple[bytes, ...], frames: list[Frame]
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        if sum(map(len, held)) > self.limit:
            overflow = Overflow(self.limit)
            return Broken(overflow), frames, overflow
        return NewlineDelimited(self.limit, held), frames, None


def build_ndjson_framer(limit: int = DEFAULT_LIMIT) -> Framer:
    """Build a framer for application/x-ndjson. `limit` is the maximum size of a line in bytes, without its newline."""
    return NewlineDelimited(limit)
