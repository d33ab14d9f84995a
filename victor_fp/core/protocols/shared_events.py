"""Events of several protocols: errors that do not follow the protocol, the end marker `[DONE]`, citations and signatures.

Such errors are sent by servers, gateways and proxies. OpenAI introduced the marker; most vendors and gateways send it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from victor_fp.core.deltas import Delta, MetadataReported, StateReported
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json

_MARKS = (b'"error"', b'"detail"', b'"message"', b'"errors"', b'"base_resp"')
DONE = b"[DONE]"
"""The end marker, without the white space around it. It is not JSON, so it is recognised before decoding."""
FILLERS = frozenset({b"", DONE})
"""Data of events without content, without the white space around them: the end marker, which gateways add to protocols with
other final events, and nothing at all, by which servers keep a connection alive."""


def may_be_error(data: bytes) -> bool:
    """Return whether an event without response content may be an error: a cheap test before decoding."""
    return any(mark in data for mark in _MARKS)


def is_error_object(value: Mapping[str, Json]) -> bool:
    """Return whether an object that is not an event of its protocol is an error.

    >>> is_error_object({"detail": "Not enough memory"}), is_error_object({"type": "ping"})
    (True, False)
    """
    if value.get("error") or value.get("object") == "error" or is_failed_envelope(value):
        return True
    if "type" in value:
        return False
    return bool(value.get("detail")) or (
        isinstance(value.get("message"), str) and (len(value) == 1 or bool({"code", "status"} & value.keys()))
    )


def is_error_body(value: Mapping[str, Json]) -> bool:
    """Return whether a body without response content is an error; it may have nothing but a message.

    >>> is_error_body({"message": "Not enough memory"})
    True
    """
    return isinstance(value.get("message"), str) or is_error_object(value)


def is_failed_envelope(value: Mapping[str, Json]) -> bool:
    """Return whether an object reports a failure in the envelope that Cloudflare or MiniMax put around responses.

    >>> is_failed_envelope({"success": False, "errors": [{"code": 3040, "message": "Capacity temporarily exceeded"}]})
    True
    >>> is_failed_envelope({"choices": [], "base_resp": {"status_code": 0, "status_msg": ""}})
    False
    """
    if value.get("success") is False and value.get("errors"):
        return True
    outcome = value.get("base_resp")
    return isinstance(outcome, Mapping) and bool(outcome.get("status_code"))


def read_error_text(frame: Frame) -> dict[str, Json] | None:
    """Return an `error` event that is not JSON, such as plain text, as an object; None for all other events."""
    text = frame.data.decode("utf-8", "replace").strip() if frame.event == "error" else ""
    return {"message": text} if text else None


def emit_citations(citations: Sequence[Mapping[str, Json]] | None, *, has_text: bool) -> list[Delta]:
    """Emit citations as state of their text, to be sent back with it, and as metadata of the response."""
    if not citations:
        return []
    metadata: dict[str, Json] = {"citations": list(citations)}
    return [*([StateReported(metadata)] if has_text else []), MetadataReported(metadata=metadata)]


def emit_signature(signature: str | None) -> list[Delta]:
    """Emit the signature, which the vendor requires when its reasoning is sent back."""
    return [StateReported({"signature": signature})] if signature else []
