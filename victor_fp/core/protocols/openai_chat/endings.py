"""A frame of a stream that does not decode as a chunk: cut off, an error in words, or invalid."""

from __future__ import annotations

import msgspec

from victor_fp.core.deltas import ErrorReported
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_lenient_json
from victor_fp.core.protocols.openai_chat.errors import Dialect, fault_from_error
from victor_fp.core.requests import Endpoint

TOO_SHORT = "truncated"
"""How msgspec says that a JSON text ends too soon."""


class Cut(msgspec.Struct, frozen=True):
    """The last frame so far breaks off in its JSON: a failure if another follows, else the stream's own end."""

    fault: Fault


def interpret_frame(
    endpoint: Endpoint, dialect: Dialect, frame: Frame, reason: str, model: str | None, *, last: bool
) -> ErrorReported | Cut | None:
    """What the frame means; None where it is empty. `reason` says why it is no chunk."""
    data = frame.data.strip()
    if not data:
        return None
    if frame.event == "error":
        value = decode_lenient_json(data)
        error: Json = data.decode("utf-8", "replace") if isinstance(value, NotJson) else value
        return ErrorReported(fault_from_error(endpoint, dialect, {"error": error}, model=model))
    message = f"a frame of the stream is no chunk: {reason}"
    fault = InvalidResponse(provider=endpoint.spec.name, model=model, message=message)
    return Cut(fault) if last and TOO_SHORT in reason else ErrorReported(fault)
