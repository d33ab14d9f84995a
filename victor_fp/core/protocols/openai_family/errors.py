"""Faults from errors of OpenAI's family: HTTP bodies, errors in a 200 body, error events and invalid frames.

The tables of codes and phrases are imported with the first error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from victor_fp.core.deltas import ErrorReported
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_lenient_json, encode_flawed_json
from victor_fp.core.requests import Endpoint

ErrorDialect: TypeAlias = ChatDialect | MistralDialect | ResponsesDialect
"""Dialects whose errors are classified by the same codes and phrases."""
TRUNCATED = "truncated"
"""In msgspec's message for truncated JSON."""


class TypedError(msgspec.Struct, frozen=True, kw_only=True):
    """Fields from the error model of a protocol's document."""

    parameter: str = ""
    request_id: str | None = None


class Cut(msgspec.Struct, frozen=True):
    """The JSON of the last frame is truncated: a failure if another frame follows, else the stream is truncated."""

    fault: Fault


def fault_from_response(
    endpoint: Endpoint,
    dialect: ErrorDialect,
    read_error: Callable[[bytes], TypedError],
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> Fault:
    """Return the fault for a response with status >= 400. Accepts any body."""
    from victor_fp.core.classification.classifier import classify_error
    from victor_fp.core.classification.details import read_body
    from victor_fp.core.classification.families import OPENAI_FAMILY

    typed, details = read_error(body), read_body(body)
    details = msgspec.structs.replace(
        details,
        parameter=details.parameter or typed.parameter,
        request_id=details.request_id or typed.request_id,
    )
    table = OPENAI_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, details, status=status, headers=headers, body=body)


def fault_from_error(endpoint: Endpoint, dialect: ErrorDialect, value: Json, *, model: str | None = None) -> Fault:
    """Return the fault for an error in a stream or a 200 body; `value` is the error, or has it in the field `error`."""
    from victor_fp.core.classification.classifier import classify_error
    from victor_fp.core.classification.details import read_details
    from victor_fp.core.classification.families import OPENAI_FAMILY

    table = OPENAI_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, read_details(value), body=encode_flawed_json(value), model=model)


def has_known_code(dialect: ErrorDialect, error: Json) -> bool:
    """Return whether one of an error's codes is known."""
    from victor_fp.core.classification.details import read_details
    from victor_fp.core.classification.families import OPENAI_FAMILY

    known = OPENAI_FAMILY.with_codes(dialect.codes).codes
    return any(code.lower() in known for code in read_details(error).codes)


def interpret_frame(
    endpoint: Endpoint, dialect: ErrorDialect, frame: Frame, reason: str, model: str | None, *, last: bool
) -> ErrorReported | Cut | None:
    """Interpret a frame that does not decode as a chunk, for the given reason; None if it is empty."""
    data = frame.data.strip()
    if not data:
        return None
    if frame.event == "error":
        value = decode_lenient_json(data)
        error: Json = data.decode("utf-8", "replace") if isinstance(value, NotJson) else value
        return ErrorReported(fault_from_error(endpoint, dialect, {"error": error}, model=model))
    message = f"a frame of the stream cannot be decoded: {reason}"
    fault = InvalidResponse(provider=endpoint.spec.name, model=model, message=message)
    return Cut(fault) if last and TRUNCATED in reason else ErrorReported(fault)
