"""Decompression of response bodies in bounded steps, as protection against decompression bombs.

HTTP clients decompress the data of one read at once, and a body that was compressed twice can expand without bound.
Here only one content coding is decoded, which limits the expansion to deflate's factor of 1032, and only as far as it
is read.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator

STEP = 256 * 1024
"""Maximum bytes returned by one step."""
CODINGS = "gzip, deflate"
"""The value of Accept-Encoding: the supported content codings."""

GZIP, ZLIB, RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_FORMATS = {"gzip": (GZIP,), "x-gzip": (GZIP,), "deflate": (ZLIB, RAW)}
"""Window bits of zlib to try; servers send deflate with and without zlib's header."""


class DecodingError(ValueError):
    """The body does not match its Content-Encoding, was compressed more than once, or has an unknown coding."""


class IncompleteBodyError(ValueError):
    """The compressed body is truncated."""


class Decompressor:
    """Decodes one content coding of one body."""

    __slots__ = ("_formats", "_is_begun", "_zlib")

    def __init__(self, formats: tuple[int, ...]) -> None:
        """`formats` are zlib's window bits, the likeliest first; if empty, the body is rejected."""
        self._formats = formats
        self._is_begun = False
        self._zlib = zlib.decompressobj(formats[0] if formats else RAW)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed data lazily in steps. Raises DecodingError."""
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
        """Check at the end of the body that it is complete. Raises IncompleteBodyError."""
        if self._is_begun and not self._zlib.eof:
            raise IncompleteBodyError("compressed body is truncated")


class UnknownCoding(Decompressor):
    """Accepts a body with an unknown coding as long as it is text, since servers also declare codings that they do not use."""

    __slots__ = ("_decoder", "_name")

    def __init__(self, name: str) -> None:
        super().__init__((RAW,))
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the data unchanged. Raises DecodingError if it is not text."""
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError:
            message = f"body has the content coding {self._name[:40]!r}, which was not requested"
            raise DecodingError(message) from None
        yield data


def build_decompressor(encoding: str) -> Decompressor | None:
    """Return the decompressor for a Content-Encoding; None if none is needed."""
    names = [name for word in encoding.lower().split(",") if (name := word.strip())]
    formats = [_FORMATS[name] for name in names if name in _FORMATS]
    match formats:
        case []:
            unknown = next((name for name in names if name != "identity"), None)
            return None if unknown is None else UnknownCoding(unknown)
        case [one]:
            return Decompressor(one)
        case _:
            return Decompressor(())
