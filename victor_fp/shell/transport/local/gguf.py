"""Reads the header of a GGUF file. Source: the GGUF specification of ggml-org/ggml (docs/gguf.md)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
_ARCHITECTURE = b"general.architecture"
_CONTEXT = b".context_length"
_HEAD = struct.Struct("<IQQ")
_LENGTH = struct.Struct("<Q")
_TYPE = struct.Struct("<I")
_ITEMS = struct.Struct("<IQ")
_NUMBERS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_STRING, _ARRAY = 8, 9
_MAX_KEYS = 4096
_MAX_BYTES = 256 * 1024
"""Maximum bytes of a header up to the context length, which precedes the vocabulary."""


class _ValueReader:
    """Reads values from a file up to a maximum number of bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MAX_BYTES

    def take(self, size: int) -> bytes:
        if size > self._left:
            raise ValueError("the header is too long")
        self._left -= size
        found = self._file.read(size)
        if len(found) < size:
            raise ValueError("the file ends inside its header")
        return found

    def read_number(self, form: struct.Struct) -> int:
        value: int = form.unpack(self.take(form.size))[0]
        return value

    def read_text(self) -> bytes:
        return self.take(self.read_number(_LENGTH))

    def read_value(self, kind: int) -> int | bytes | None:
        if kind == _STRING:
            return self.read_text()
        if kind == _ARRAY:
            inner, count = _ITEMS.unpack(self.take(_ITEMS.size))
            if inner == _ARRAY or count > _MAX_BYTES:
                raise ValueError("array too long")
            for _ in range(count):
                self.read_value(inner)
            return None
        if kind not in _NUMBERS:
            raise ValueError("unknown value type")
        return self.read_number(_NUMBERS[kind])


def read_trained_context(path: Path) -> int | None:
    """Return the context length that the model was trained for, in tokens; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            reader = _ValueReader(file)
            if reader.take(len(MAGIC)) != MAGIC:
                return None
            _, _, keys = _HEAD.unpack(reader.take(_HEAD.size))
            architecture: bytes | None = None
            for _ in range(min(keys, _MAX_KEYS)):
                key = reader.read_text()
                value = reader.read_value(reader.read_number(_TYPE))
                if key == _ARCHITECTURE and isinstance(value, bytes):
                    architecture = value
                if architecture is not None and key == architecture + _CONTEXT:
                    return value if isinstance(value, int) and value > 0 else None
    except (OSError, ValueError):
        return None
    return None
