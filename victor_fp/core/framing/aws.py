"""AWS's binary event stream (application/vnd.amazon.eventstream): length-prefixed messages with two checksums.

A message is: total length, length of the headers, CRC-32 of those eight bytes, headers, payload, CRC-32 of everything
before. The lengths are believed only after their own checksum. Source: AWS, "Event stream encoding" of Amazon
Transcribe and of S3 SelectObjectContent, and Smithy's specification of the format.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias
from zlib import crc32

import msgspec

from victor_fp.core.framing.frames import DEFAULT_LIMIT, Broken, Frame, Framer, Garbled, Overflow, append_held

HeaderValue: TypeAlias = bool | int | bytes | str
"""Timestamps are milliseconds since 1970, UUIDs their 16 bytes."""

PRELUDE = struct.Struct(">III")
CHECKSUM = struct.Struct(">I")
LENGTH = struct.Struct(">H")
CONSTANTS = {0: True, 1: False}
INTEGERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
BYTES, TEXT, TIMESTAMP, UUID = 6, 7, 8, 9
FIXED = {**INTEGERS, TIMESTAMP: struct.Struct(">q"), UUID: struct.Struct("16s")}
OVERHEAD = PRELUDE.size + CHECKSUM.size
MAX_HEADERS = 128 * 1024
"""Bytes that the headers of one message may take, by the specification."""
NAMES = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}
"""Which header names the frame, by the message's type."""


class AwsEventStream(msgspec.Struct, frozen=True):
    """The bytes of the message that is open; before `wanted` bytes are there, nothing can be decided."""

    limit: int
    held: tuple[bytes, ...] = ()
    wanted: int = PRELUDE.size

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """The messages whose last checksum has been read and is right."""
        held = self.held
        if sum(map(len, held)) + len(data) < self.wanted:
            return AwsEventStream(self.limit, append_held(held, data) if data else held, self.wanted), [], None
        data = b"".join((*held, data)) if held else data
        frames: list[Frame] = []
        start, wanted = 0, PRELUDE.size
        while start + PRELUDE.size <= len(data):
            size, header_size, checksum = PRELUDE.unpack_from(data, start)
            if crc32(data[start : start + 8]) != checksum:
                return self._fail(Garbled("checksum of a message's lengths"), frames)
            if size > self.limit:
                return self._fail(Overflow(self.limit), frames)
            if size < OVERHEAD + header_size:
                return self._fail(Garbled("a message shorter than its parts"), frames)
            if header_size > MAX_HEADERS:
                return self._fail(Garbled("headers longer than 128 KiB"), frames)
            if start + size > len(data):
                wanted = size
                break
            message = _read_frame(data[start : start + size], header_size)
            if isinstance(message, Garbled):
                return self._fail(message, frames)
            frames.append(message)
            start += size
        rest = data[start:]
        return AwsEventStream(self.limit, (rest,) if rest else (), wanted), frames, None

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """A message that the end of the bytes cut has no checksum to vouch for it, so it is left out."""
        return [], None

    def _fail(
        self, error: Overflow | Garbled, frames: list[Frame]
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        return Broken(error), frames, error


def build_event_stream_framer(limit: int = DEFAULT_LIMIT) -> Framer:
    """A framer for application/vnd.amazon.eventstream. `limit` bounds one message, in bytes with its frame."""
    return AwsEventStream(limit)


def read_headers(block: bytes) -> Mapping[str, HeaderValue] | Garbled:
    """The headers of one message: name length, name, type, value; every type that the format knows."""
    headers: dict[str, HeaderValue] = {}
    place, end = 0, len(block)
    while place < end:
        behind_name = place + 1 + block[place]
        if behind_name >= end:
            return Garbled("a header that its block cuts")
        name, type_, place = block[place + 1 : behind_name], block[behind_name], behind_name + 1
        value: HeaderValue
        if type_ in CONSTANTS:
            value = CONSTANTS[type_]
        elif type_ in FIXED:
            form = FIXED[type_]
            if place + form.size > end:
                return Garbled("a header that its block cuts")
            (value,) = form.unpack_from(block, place)
            place += form.size
        elif type_ in (BYTES, TEXT):
            size = LENGTH.unpack_from(block, place)[0] if place + LENGTH.size <= end else end
            place += LENGTH.size + size
            if place > end:
                return Garbled("a header that its block cuts")
            raw = block[place - size : place]
            value = raw.decode("utf-8", "replace") if type_ == TEXT else raw
        else:
            return Garbled("a header of an unknown type")
        headers[name.decode("utf-8", "replace")] = value
    return headers


def _read_frame(message: bytes, header_size: int) -> Frame | Garbled:
    body_end = len(message) - CHECKSUM.size
    if CHECKSUM.unpack_from(message, body_end)[0] != crc32(message[:body_end]):
        return Garbled("checksum of a message")
    payload_start = PRELUDE.size + header_size
    headers = read_headers(message[PRELUDE.size : payload_start])
    if isinstance(headers, Garbled):
        return headers
    kind = _read_text(headers, ":message-type") or next((kind for kind, name in NAMES.items() if name in headers), "")
    payload = message[payload_start:body_end]
    if kind == "error" and not payload:
        # An error message has no payload: what it says stands in a header.
        payload = _read_text(headers, ":error-message").encode()
    return Frame(payload, _read_text(headers, NAMES.get(kind, ":event-type")), kind)


def _read_text(headers: Mapping[str, HeaderValue], name: str) -> str:
    value = headers.get(name, "")
    return value if isinstance(value, str) else ""
