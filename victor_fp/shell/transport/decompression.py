"""Decompression of response bodies in bounded steps, so that a small body cannot fill the memory.

HTTP clients decompress whatever one read brought at once, and a body that was compressed twice can grow without bound. Here
one coding is undone, which bounds the growth by deflate's factor of 1032, and only as far as the caller reads.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

STEP = 256 * 1024
"""The most bytes that one step returns."""

CODINGS = "gzip, deflate"
"""The value of Accept-Encoding: the codings that can be undone here."""

GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_FORMATS = {"gzip": (GZIP,), "x-gzip": (GZIP,), "deflate": (ZLIB, RAW)}
"""Window bits of zlib to try; servers send deflate with and without zlib's header."""


class DecodingError(ValueError):
    """The body is not of the coding that the response names, or was compressed more than once."""


class IncompleteBodyError(ValueError):
    """The compressed body ended before the end of its coding."""


class Decompressor:
    """Undoes one coding of one body."""

    __slots__ = ("_formats", "_is_begun", "_zlib")

    def __init__(self, formats: tuple[int, ...]) -> None:
        """`formats` are zlib's window bits, the likeliest first; none stands for a body that is refused."""
        self._formats = formats
        self._is_begun = False
        self._zlib = zlib.decompressobj(formats[0] if formats else RAW)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes in steps, each made when it is asked for. Raises DecodingError."""
        if not self._formats:
            raise DecodingError("body was compressed more than once")
        while data:
            self._is_begun = True
            try:
                piece = self._zlib.decompress(data, STEP)
            except zlib.error as error:
                if len(self._formats) == 1:
                    raise DecodingError(str(error)) from None
                self._formats = self._formats[1:]
                self._zlib = zlib.decompressobj(self._formats[0])
                continue
            if piece:
                self._formats = self._formats[:1]  # decided by the first bytes
                yield piece
            data = self._zlib.unconsumed_tail
            if self._zlib.eof:
                data = self._zlib.unused_data
                if self._formats[0] != GZIP or not data.startswith(b"\x1f"):
                    return  # padding after the end
                self._zlib = zlib.decompressobj(GZIP)  # another gzip member

    def finish(self) -> None:
        """Check at the end of the body that the coding is complete. Raises IncompleteBodyError."""
        if self._is_begun and not self._zlib.eof:
            raise IncompleteBodyError("compressed body ended early")


def build_decompressor(encoding: str) -> Decompressor | None:
    """Return what undoes a Content-Encoding, or None where there is nothing to undo; unknown words are ignored."""
    formats = [_FORMATS[name] for word in encoding.lower().split(",") if (name := word.strip()) in _FORMATS]
    match formats:
        case []:
            return None
        case [one]:
            return Decompressor(one)
        case _:
            return Decompressor(())
