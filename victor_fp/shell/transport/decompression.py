"""Content-Encoding undone in bounded steps: a few bytes may stand for thousands, and nothing is unpacked unasked.

The HTTP clients unpack whatever one read brought at once, and a body that was packed twice turns into all memory. Here one
coding is undone, so a byte never stands for more than the 1032 of deflate, and step by step, as far as somebody reads.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

STEP = 256 * 1024
"""Bytes that one step unpacks at most."""

CODINGS = "gzip, deflate"
"""What is asked for, and so what can be undone."""

GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_FORMATS = {"gzip": (GZIP,), "x-gzip": (GZIP,), "deflate": (ZLIB, RAW)}
"""Window bits of zlib to try; servers send deflate with and without zlib's frame."""

Unpack: TypeAlias = Callable[[bytes], Iterator[bytes]]


class DecodingError(ValueError):
    """Bytes that are not of the coding that their answer names, or are packed more than once."""


class Decompressor:
    """One coding. Takes bytes as they come; gives what they stand for, in steps that are made when they are wanted."""

    __slots__ = ("_formats", "_zlib")

    def __init__(self, formats: tuple[int, ...]) -> None:
        self._formats = formats
        self._zlib = zlib.decompressobj(formats[0])

    def __call__(self, data: bytes) -> Iterator[bytes]:
        """Raises DecodingError for bytes that are not of this coding."""
        while data:
            try:
                piece = self._zlib.decompress(data, STEP)
            except zlib.error as error:
                if len(self._formats) == 1:
                    raise DecodingError(str(error)) from None
                self._formats = self._formats[1:]
                self._zlib = zlib.decompressobj(self._formats[0])
                continue
            if piece:
                self._formats = self._formats[:1]  # the first bytes have told the formats apart
                yield piece
            data = self._zlib.unconsumed_tail
            if self._zlib.eof:
                data = self._zlib.unused_data
                if self._formats[0] != GZIP or not data.startswith(b"\x1f"):
                    return  # padding behind the end
                self._zlib = zlib.decompressobj(GZIP)  # gzip may go on with another member


def decompressor_for(encoding: str) -> Unpack | None:
    """What undoes a Content-Encoding; None where there is nothing to undo. Unknown words are taken for decoration."""
    formats = [_FORMATS[name] for word in encoding.lower().split(",") if (name := word.strip()) in _FORMATS]
    match formats:
        case []:
            return None
        case [one]:
            return Decompressor(one)
        case _:
            return _refuse


def _refuse(data: bytes) -> Iterator[bytes]:  # noqa: ARG001  Unpack's signature
    raise DecodingError("packed more than once")
