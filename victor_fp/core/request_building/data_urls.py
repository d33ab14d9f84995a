"""Data URLs of media parts (RFC 2397)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from urllib.parse import unquote_to_bytes


def build_data_url(data: bytes, media_type: str) -> str:
    """Build a data URL.

    >>> build_data_url(b"hi", "text/plain")
    'data:text/plain;base64,aGk='
    """
    return f"data:{media_type};base64,{b64encode(data).decode('ascii')}"


def read_data_url(url: str) -> tuple[str, bytes] | None:
    """Return media type and bytes of a data URL; None for other URLs, and for invalid base64.

    >>> read_data_url("data:text/plain;base64,aGk="), read_data_url("data:,h%69"), read_data_url("https://host/a.png")
    (('text/plain', b'hi'), ('text/plain', b'hi'), None)
    """
    head, comma, tail = url.partition(",")
    if not comma or not head.lower().startswith("data:"):
        return None
    media_type, *rest = head[5:].split(";")
    data = unquote_to_bytes(tail)
    if any(word.strip().lower() == "base64" for word in rest):
        try:
            data = b64decode(data)
        except ValueError:
            return None
    return media_type or "text/plain", data
