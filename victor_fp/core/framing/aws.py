"""AWS's binary event stream (application/vnd.amazon.eventstream): length-prefixed messages with two checksums.

A message consists of total length, header length, CRC-32 of these eight bytes, headers, payload, and CRC-32 of all preceding
bytes. The lengths are used only after their checksum is verified. Source: AWS, "Event stream encoding" of Amazon Transcribe
and of S3 SelectObjectContent, and Smithy's specification of the format.
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
"""Maximum size of the headers of a message in the specification, in bytes."""
NAMES = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}
"""Header with the name of the frame, by message type."""


class AwsEventStream(msgspec.Struct, frozen=True):
    """The bytes of an incomplete message; at least `required` bytes are required to continue."""

    limit: int
    held: tuple[bytes, ...] = ()
    required: int = PRELUDE.size

    def feed(self, data: bytes) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        """Return the complete messages with valid checksums."""
        held = self.held
        if sum(map(len, held)) + len(data) < self.required:
            return AwsEventStream(self.limit, append_held(held, data) if data else held, self.required), [], None
        data = b"".join((*held, data)) if held else data
        frames: list[Frame] = []
        start, required = 0, PRELUDE.size
        while start + PRELUDE.size <= len(data):
            size, header_size, checksum = PRELUDE.unpack_from(data, start)
            if crc32(data[start : start + 8]) != checksum:
                return self._fail(Garbled("invalid checksum of the lengths of a message"), frames)
            if size > self.limit:
                return self._fail(Overflow(self.limit), frames)
            if size < OVERHEAD + header_size:
                return self._fail(Garbled("a message is shorter than its parts"), frames)
            if header_size > MAX_HEADERS:
                return self._fail(Garbled("headers are longer than 128 KiB"), frames)
            if start + size > len(data):
                required = size
                break
            message = _read_frame(data[start : start + size], header_size)
            if isinstance(message, Garbled):
                return self._fail(message, frames)
            frames.append(message)
            start += size
        rest = data[start:]
        return AwsEventStream(self.limit, (rest,) if rest else (), required), frames, None

    def finish(self) -> tuple[list[Frame], Overflow | Garbled | None]:
        """Drop an incomplete message, which cannot be verified."""
        return [], None

    def _fail(
        self, error: Overflow | Garbled, frames: list[Frame]
    ) -> tuple[Framer, list[Frame], Overflow | Garbled | None]:
        return Broken(error), frames, error


def build_event_stream_framer(limit: int = DEFAULT_LIMIT) -> Framer:
    """Build a framer for application/vnd.amazon.eventstream. `limit` is the maximum size of a message in bytes."""
    return AwsEventStream(limit)


def read_headers(block: bytes) -> Mapping[str, HeaderValue] | Garbled:
    """Decode the headers of a message (name length, name, type, value), of all types of the format."""
    headers: dict[str, HeaderValue] = {}
    offset, end = 0, len(block)
    while offset < end:
        name_end = offset + 1 + block[offset]
        if name_end >= end:
            return Garbled("a header is truncated")
        name, type_, offset = block[offset + 1 : name_end], block[name_end], name_end + 1
        value: HeaderValue
        if type_ in CONSTANTS:
            value = CONSTANTS[type_]
        elif type_ in FIXED:
            form = FIXED[type_]
            if offset + form.size > end:
                return Garbled("a header is truncated")
            (value,) = form.unpack_from(block, offset)
            offset += form.size
        elif type_ in (BYTES, TEXT):
            size = LENGTH.unpack_from(block, offset)[0] if offset + LENGTH.size <= end else end
            offset += LENGTH.size + size
            if offset > end:
                return Garbled("a header is truncated")
            raw = block[offset - size : offset]
            value = raw.decode("utf-8", "replace") if type_ == TEXT else raw
        else:
            return Garbled("a header has an unknown type")
        headers[name.decode("utf-8", "replace")] = value
    return headers


def _read_frame(message: bytes, header_size: int) -> Frame | Garbled:
    body_end = len(message) - CHECKSUM.size
    if CHECKSUM.unpack_from(message, body_end)[0] != crc32(message[:body_end]):
        return Garbled("invalid checksum of a message")
    payload_start = PRELUDE.size + header_size
    headers = read_headers(message[PRELUDE.size : payload_start])
    if isinstance(headers, Garbled):
        return headers
    kind = _read_text(headers, ":message-type") or next((kind for kind, name in NAMES.items() if name in headers), "")
    payload = message[payload_start:body_end]
    if kind == "error" and not payload:
        # An error message has no payload: its text is in a header.
        payload = _read_text(headers, ":error-message").encode()
    return Frame(payload, _read_text(headers, NAMES.get(kind, ":event-type")), kind)


def _read_text(headers: Mapping[str, HeaderValue], name: str) -> str:
    value = headers.get(name, "")
    return value if isinstance(value, str) else ""
