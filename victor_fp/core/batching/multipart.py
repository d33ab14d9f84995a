"""Multipart forms with one file (RFC 7578)."""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class Form(msgspec.Struct, frozen=True):
    """An encoded form."""

    content_type: str
    body: bytes


def encode_form(fields: msgspec.Struct | None, file: bytes, *, name: str, media_type: str, part: str = "file") -> Form:
    """Encode a form with the fields, which are texts, and the file, as its part of this name.

    The boundary is derived from the file's digest, so the encoding is deterministic, and does not occur in the file.
    """
    count = 0
    while (boundary := _make_boundary(file, count)) in file:
        count += 1
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, field.encode(), value.encode())
        for field, value in ({} if fields is None else msgspec.to_builtins(fields)).items()
    ]
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\nContent-Type: %b\r\n\r\n' % (
        boundary,
        part.encode(),
        name.encode(),
        media_type.encode(),
    )
    body = b"".join([*parts, head, file, b"\r\n--%b--\r\n" % boundary])
    return Form(f"multipart/form-data; boundary={boundary.decode()}", body)


def _make_boundary(file: bytes, count: int) -> bytes:
    return b"victor-fp-" + blake2b(file, digest_size=16, salt=count.to_bytes(8, "big")).hexdigest().encode()
