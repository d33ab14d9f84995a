"""AWS's binary event stream, written by means of its own."""

from __future__ import annotations

import json
import struct
from binascii import crc32
from typing import Any

TEXT = 7


def encode_header(name: str, value: str) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([TEXT]) + struct.pack(">H", len(value)) + value.encode()


def encode_message(payload: bytes, **headers: str) -> bytes:
    block = b"".join(encode_header(":" + name.replace("_", "-"), value) for name, value in headers.items())
    lengths = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    start = lengths + struct.pack(">I", crc32(lengths)) + block + payload
    return start + struct.pack(">I", crc32(start))


def encode_event(name: str, value: Any) -> bytes:
    """An event with the padding that the vendor adds to its fields."""
    payload = json.dumps({**value, "p": "abcdefgh"[: len(name) % 8]}).encode()
    return encode_message(payload, event_type=name, content_type="application/json", message_type="event")


def encode_exception(name: str, value: Any) -> bytes:
    payload = json.dumps(value).encode()
    return encode_message(payload, exception_type=name, content_type="application/json", message_type="exception")


def encode_error(code: str, words: str) -> bytes:
    """An error that the framing itself carries, without a payload."""
    return encode_message(b"", message_type="error", error_code=code, error_message=words)
