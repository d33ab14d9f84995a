"""Errors in the middle of a stream that do not have the form of their protocol: servers, gateways and proxies add them."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.framing import Frame
from victor_fp.core.json import Json

_MARKS = (b'"error"', b'"detail"', b'"message"')


def may_be_error(data: bytes) -> bool:
    """Whether an event that holds nothing of an answer is worth a second look."""
    return any(mark in data for mark in _MARKS)


def is_error_object(value: Mapping[str, Json]) -> bool:
    """Whether an object that is no event of its protocol is an error.

    >>> is_error_object({"detail": "Not enough memory"}), is_error_object({"type": "ping"})
    (True, False)
    """
    if value.get("error") or value.get("object") == "error":
        return True
    if "type" in value:
        return False
    return bool(value.get("detail")) or (
        isinstance(value.get("message"), str) and bool({"code", "status"} & value.keys())
    )


def read_error_words(frame: Frame) -> dict[str, Json] | None:
    """An `error` event that is not JSON, such as a line of text, as an object; None for every other event."""
    words = frame.data.decode("utf-8", "replace").strip() if frame.event == "error" else ""
    return {"message": words} if words else None
