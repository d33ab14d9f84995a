"""Errors of OpenAI's family: HTTP bodies, errors in a 200 body, error events and broken frames of a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import read_body, read_details
from victor_fp.core.classification.families import OPENAI_FAMILY
from victor_fp.core.deltas import ErrorReported
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_lenient_json, encode_flawed_json
from victor_fp.core.requests import Endpoint

ErrorDialect: TypeAlias = ChatDialect | MistralDialect | ResponsesDialect
"""Those whose vendors' errors are told apart by the same codes and phrases."""
TOO_SHORT = "truncated"
"""How msgspec says that a JSON text ends too soon."""


class TypedError(msgspec.Struct, frozen=True, kw_only=True):
    """What the error model of a protocol's document says."""

    parameter: str = ""
    request_id: str | None = None


class Cut(msgspec.Struct, frozen=True):
    """The last frame so far breaks off in its JSON: a failure if another follows, else the stream's own end."""

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
    typed, details = read_error(body), read_body(body)
    details = msgspec.structs.replace(
        details,
        parameter=details.parameter or typed.parameter,
        request_id=details.request_id or typed.request_id,
    )
    table = OPENAI_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, details, status=status, headers=headers, body=body)


def fault_from_error(endpoint: Endpoint, dialect: ErrorDialect, value: Json, *, model: str | None = None) -> Fault:
    """The fault of an error inside a stream or a 200 body: the whole value, or its field `error`."""
    table = OPENAI_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, read_details(value), body=encode_flawed_json(value), model=model)


def has_known_code(dialect: ErrorDialect, error: Json) -> bool:
    """Whether one of an error's codes says what went wrong."""
    known = OPENAI_FAMILY.with_codes(dialect.codes).codes
    return any(code.lower() in known for code in read_details(error).codes)


def interpret_frame(
    endpoint: Endpoint, dialect: ErrorDialect, frame: Frame, reason: str, model: str | None, *, last: bool
) -> ErrorReported | Cut | None:
    """What a frame means that does not decode as a chunk, for the given reason; None where it is empty."""
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
