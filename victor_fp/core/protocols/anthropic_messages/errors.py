"""Faults from errors of Anthropic Messages, by error type, then status; for error bodies, streams and 200 responses."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.anthropic_messages.response import Error, ErrorResponse

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import ErrorDetails, read_body, read_details
from victor_fp.core.classification.families import ANTHROPIC_FAMILY
from victor_fp.core.faults import Fault
from victor_fp.core.json import Json, NotJson, Undecodable, WireDecoder, decode_lenient_json, encode_flawed_json
from victor_fp.core.requests import Endpoint

BODY: WireDecoder[ErrorResponse] = WireDecoder(ErrorResponse)


def fault_from_response(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Return the fault for a response with an error status. Accepts any body."""
    answer, details = BODY.decode(body), read_body(body)
    if not isinstance(answer, Undecodable):
        details = _with_types(details, answer.error)
    return classify_error(endpoint, ANTHROPIC_FAMILY, details, status=status, headers=headers, body=body)


def fault_from_error(
    endpoint: Endpoint,
    error: Error | str | None,
    body: bytes = b"",
    *,
    request_id: str | None = None,
    maybe_billed: bool = False,
) -> Fault:
    """Return the fault for an error in a stream or a 200 response; `body` is the event or response as received."""
    value = decode_lenient_json(body or encode_flawed_json(error))
    details = ErrorDetails() if isinstance(value, NotJson) else _with_types(read_details(value), error)
    if request_id is not None:
        details = msgspec.structs.replace(details, request_id=request_id)
    evidence = body or (b"" if error is None else encode_flawed_json(error))
    return classify_error(endpoint, ANTHROPIC_FAMILY, details, body=evidence, maybe_billed=maybe_billed)


def _with_types(details: ErrorDetails, error: Error | str | None) -> ErrorDetails:
    """Return the details with the codes of the vendor's error model first: code, type, Google's canonical code."""
    if not isinstance(error, Error):
        # Every body has the type "error", which is not an error code.
        return msgspec.structs.replace(details, codes=tuple(code for code in details.codes if code != "error"))
    code = error.code if isinstance(error.code, str) else None
    typed: tuple[Json, ...] = (code, error.type, error.status)
    first = tuple(str(code) for code in typed if code)
    others = (code for code in details.codes if code not in first and code != "error")
    return msgspec.structs.replace(details, codes=(*first, *others))
