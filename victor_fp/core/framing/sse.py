"""Server-sent events, after the grammar of the WHATWG's HTML standard, section 9.2.

Line ends are made one kind on the way in, so that an event is what stands between two blank lines. The two forms that
nearly every stream has (`data:` alone, `event:` then `data:`) are read without looking at single lines.
"""

from __future__ import annotations

from itertools import takewhile

import msgspec

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held

BOM = b"\xef\xbb\xbf"
LONG = 64 * 1024
"""Bytes of an event from which on its lines are read one by one."""
NEWLINE, COLON, SPACE = b"\n: "


class ServerSentEvents(msgspec.Struct, frozen=True):
    """The bytes since the last blank line, and what the line ends and the byte order mark still leave open."""

    limit: int
    held: tuple[bytes, ...] = ()
    after_cr: bool = False
    fresh: bool = True

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """The events whose blank line has been read."""
        if self.fresh:
            return self._begin(data)
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
        """The event that lacks its blank line, if there is one."""
        block = b"".join(self.held).removesuffix(b"\n")
        if len(block) > self.limit:
            return [], Overflow(self.limit)
        frame = _parse_frame(block)
        return ([] if frame is None else [frame]), None

    def _begin(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Leave out the byte order mark, which may come in pieces."""
        start = b"".join((*self.held, data))
        if len(start) < len(BOM) and BOM.startswith(start):
            return ServerSentEvents(self.limit, (start,)), [], None
        return ServerSentEvents(self.limit, fresh=False).feed(start.removeprefix(BOM))

    def _hold(
        self, held: tuple[bytes, ...], frames: list[Frame], *, after_cr: bool
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        # One byte more than the limit may be the first half of a blank line.
        if sum(map(len, held)) > self.limit + 1:
            overflow = Overflow(self.limit)
            return Broken(overflow), frames, overflow
        return ServerSentEvents(self.limit, held, after_cr, fresh=False), frames, None

    def _report_overflow(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        overflow = Overflow(self.limit)
        sound = takewhile(lambda block: len(block) <= self.limit, data.split(b"\n\n"))
        return Broken(overflow), [frame for block in sound if (frame := _parse_frame(block)) is not None], overflow


def build_sse_framer(limit: int = DEFAULT_LIMIT) -> Framer:
    """A framer for text/event-stream. `limit` bounds one event, comments included, in bytes."""
    return ServerSentEvents(limit)


def _with_one_line_end(data: bytes, *, after_cr: bool) -> tuple[bytes, bool]:
    """CRLF and CR become LF at once; a LF that follows the CR of an earlier read is the rest of that line end."""
    if not data:
        return data, after_cr
    if after_cr and data[0] == NEWLINE:
        data = data[1:]
    after_cr = data.endswith(b"\r")
    data = data.replace(b"\r\n", b"\n")
    return data.replace(b"\r", b"\n") if b"\r" in data else data, after_cr


def _split_frames(data: bytes) -> tuple[list[Frame], bytes]:
    """The whole events in `data`, and what follows the last of them.

    Where all of them have one of the two usual forms, one split finds them; the count of newlines is the proof.
    """
    end = data.rfind(b"\n\n")
    if end > 0:
        if data.startswith(b"data: "):
            payloads = data[6:end].split(b"\n\ndata: ")
            if data.count(b"\n", 6, end) == 2 * len(payloads) - 2:
                return [Frame(payload) for payload in payloads], data[end + 2 :]
        elif data.startswith(b"event: "):
            events = [event.partition(b"\ndata: ") for event in data[7:end].split(b"\n\nevent: ")]
            if data.count(b"\n", 7, end) == 3 * len(events) - 2 and all(found for _, found, _ in events):
                frames = [Frame(payload, name.decode("utf-8", "replace")) for name, _, payload in events]
                return frames, data[end + 2 :]
    *blocks, tail = data.split(b"\n\n")
    return [frame for block in blocks if (frame := _parse_frame(block)) is not None], tail


def _parse_frame(block: bytes) -> Frame | None:
    """The event in the lines between two blank lines; None where they hold no data (comments, a lone name, retry)."""
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
    # By the grammar a line such as {"error": ...} is a field nobody knows; servers that fail in mid-stream write just that.
    return Frame(block.strip(), "error") if block.lstrip()[:1] == b"{" else None


def _read_long_event(block: bytes) -> tuple[bytes, bytes | None]:
    """The name and the data of a long event. Lines are not collected: millions of short ones would take 20 times its size."""
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
    """Where the value of the field `name` begins in the line from `start` to `end`; None for another field."""
    colon = start + len(name)
    if not block.startswith(name, start) or colon > end:
        return None
    if colon == end:
        return end
    if block[colon] != COLON:
        return None
    return colon + 2 if colon + 1 < end and block[colon + 1] == SPACE else colon + 1
