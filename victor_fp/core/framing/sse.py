"""Server-sent events, by the grammar of the WHATWG HTML standard, section 9.2.

Line ends are normalised first, so that events are separated by blank lines. The two common forms (`data:` alone, `event:` then
`data:`) are parsed without splitting into lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import msgspec

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held

LONG = 64 * 1024
"""Size of an event in bytes above which its lines are read one by one."""
NEWLINE, COLON, SPACE = b"\n: "


class ServerSentEvents(msgspec.Struct, frozen=True, gc=False):
    """The bytes since the last blank line, and the state of line ends.

    `limit` is the maximum size of an event in bytes, including comments. A byte order mark at the start is removed before
    the framing; see `stream_reading`.
    """

    limit: int = DEFAULT_LIMIT
    held: tuple[bytes, ...] = ()
    after_cr: bool = False

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Return the complete events."""
        after_cr = self.after_cr
        if after_cr or b"\r" in data:
            data, after_cr = _with_one_line_end(data, after_cr=after_cr)
        held = self.held
        if held and data:
            if b"\n\n" not in data and not (data[0] == held[-1][-1] == NEWLINE):
                return self._hold(append_held(held, data), [], after_cr=after_cr)
            data = b"".join((*held, data))
        elif held:
            return self._hold(held, [], after_cr=after_cr)
        if len(data) > self.limit and any(len(block) > self.limit for block in data.split(b"\n\n")[:-1]):
            return self._report_overflow(data)
        frames, tail = _split_frames(data)
        if not tail and not held and after_cr == self.after_cr:
            return self, frames, None
        return self._hold((tail,) if tail else (), frames, after_cr=after_cr)

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """Return the last event without a blank line, if any."""
        block = b"".join(self.held).removesuffix(b"\n")
        if len(block) > self.limit:
            return [], Overflow(self.limit)
        frame = _parse_frame(block)
        return ([] if frame is None else _split_objects(frame)), None

    def _hold(
        self, held: tuple[bytes, ...], frames: list[Frame], *, after_cr: bool
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        # One byte more than the limit may be the first half of a blank line.
        if sum(map(len, held)) > self.limit + 1:
            overflow = Overflow(self.limit)
            return Broken(overflow), frames, overflow
        return ServerSentEvents(self.limit, held, after_cr), frames, None

    def _report_overflow(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        overflow = Overflow(self.limit)
        valid = takewhile(lambda block: len(block) <= self.limit, data.split(b"\n\n"))
        return Broken(overflow), _parse_frames(valid), overflow


def _with_one_line_end(data: bytes, *, after_cr: bool) -> tuple[bytes, bool]:
    """Replace CRLF and CR by LF; a LF after the CR of an earlier read belongs to that line end."""
    if not data:
        return data, after_cr
    if after_cr and data[0] == NEWLINE:
        data = data[1:]
    after_cr = data.endswith(b"\r")
    data = data.replace(b"\r\n", b"\n")
    return data.replace(b"\r", b"\n") if b"\r" in data else data, after_cr


def _split_frames(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the complete events in `data`, and the remaining bytes.

    If all events have one of the two common forms, which the number of newlines proves, a single split suffices.
    """
    end = data.rfind(b"\n\n")
    if end > 0:
        if data.startswith(b"data: "):
            if end == len(data) - 2 and data.find(b"\n", 6) == end:
                return [Frame(data[6:end])], b""
            payloads = data[6:end].split(b"\n\ndata: ")
            if data.count(b"\n", 6, end) == 2 * len(payloads) - 2:
                return [Frame(payload) for payload in payloads], data[end + 2 :]
        elif data.startswith(b"event: "):
            events = [event.partition(b"\ndata: ") for event in data[7:end].split(b"\n\nevent: ")]
            if data.count(b"\n", 7, end) == 3 * len(events) - 2 and all(found for _, found, _ in events):
                frames = [Frame(payload, name.decode("utf-8", "replace")) for name, _, payload in events]
                return frames, data[end + 2 :]
    *blocks, tail = data.split(b"\n\n")
    return _parse_frames(blocks), tail


def _parse_frames(blocks: Iterable[bytes]) -> list[Frame]:
    parsed = [frame for block in blocks if (frame := _parse_frame(block)) is not None]
    return [one for frame in parsed for one in _split_objects(frame)]


def _split_objects(frame: Frame) -> list[Frame]:
    """Split an event whose lines are JSON objects: servers omit the blank lines between events.

    A JSON text over several lines is not affected, since its first line is not a complete object. Neither are events with
    a name, which Replicate uses for plain text.
    """
    first, _, rest = frame.data.partition(b"\n")
    if frame.event or not rest.startswith((b"{", b"[DONE]")):
        return [frame]
    try:
        value = msgspec.json.decode(first)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = None
    return [Frame(line) for line in frame.data.split(b"\n")] if isinstance(value, dict) and value else [frame]


def _parse_frame(block: bytes) -> Frame | None:
    """Parse an event; None if it has no data (comments, only a name, retry)."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return Frame(block[6:])
    if len(block) > LONG:
        event, payload = _read_long_event(block)
    else:
        event, data = b"", list[bytes]()
        for line in block.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" "))
            elif name == b"event":
                event = value.removeprefix(b" ")
        payload = b"\n".join(data) if data else None
    if payload is not None:
        return Frame(payload, event.decode("utf-8", "replace"))
    # By the grammar, a line such as {"error": ...} is an unknown field; servers that fail mid-stream send it.
    return Frame(block.strip(), "error") if block.lstrip()[:1] == b"{" else None


def _read_long_event(block: bytes) -> tuple[bytes, bytes | None]:
    """Read name and data of a long event. Lines are not collected: millions of short ones would take 20 times its size."""
    event, data, view = b"", None, memoryview(block)
    start, size = 0, len(block)
    while start <= size:
        end = block.find(b"\n", start)
        end = size if end < 0 else end
        if (value := _find_value(block, b"data", start, end)) is not None:
            if data is None:
                data = bytearray()
            else:
                data += b"\n"
            data += view[value:end]
        elif (value := _find_value(block, b"event", start, end)) is not None:
            event = block[value:end]
        start = end + 1
    return event, None if data is None else bytes(data)


def _find_value(block: bytes, name: bytes, start: int, end: int) -> int | None:
    """Return the start of the value of the field `name` in the line from `start` to `end`; None for another field."""
    colon = start + len(name)
    if not block.startswith(name, start) or colon > end:
        return None
    if colon == end:
        return end
    if block[colon] != COLON:
        return None
    return colon + 2 if colon + 1 < end and block[colon + 1] == SPACE else colon + 1
