"""Google's error objects, alone, in an array or inside a stream, as faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from victor_fp_wire.gemini.response import ErrorDetail, ErrorResponse, Status

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import ErrorDetails, read_body, read_details, read_seconds
from victor_fp.core.classification.families import GOOGLE_FAMILY
from victor_fp.core.faults import Fault, QuotaExhausted
from victor_fp.core.json import NotJson, decode_lenient_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

ERRORS: WireDecoder[ErrorResponse | list[ErrorResponse]] = WireDecoder(ErrorResponse | list[ErrorResponse])
_QUOTA_CODE = "RESOURCE_EXHAUSTED"


def fault_from_response(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Return the fault for a response with status >= 400. Accepts any body."""
    error = find_status(body)
    details = read_body(body)
    if error is not None:
        details = _with_status(details, error)
    return classify_error(endpoint, GOOGLE_FAMILY, details, status=status, headers=headers, body=body)


def find_status(body: bytes) -> Status | None:
    """The error object of a body, which may be wrapped in an array; None where there is none."""
    read = ERRORS.decode(body)
    if isinstance(read, Undecodable):
        return None
    answers = read if isinstance(read, list) else [read]
    return next((answer.error for answer in answers if answer.error is not None), None)


def fault_from_error(endpoint: Endpoint, error: Status | None, body: bytes, *, model: str | None = None) -> Fault:
    """The fault for an error inside a stream or a 200 body; `body` is what it came in, `error` Google's object in it."""
    value = decode_lenient_json(body)
    details = ErrorDetails() if isinstance(value, NotJson) else read_details(value)
    if error is not None:
        details = _with_status(details, error)
    return classify_error(endpoint, GOOGLE_FAMILY, details, body=body, model=model)


def _with_status(details: ErrorDetails, error: Status) -> ErrorDetails:
    """The details with the codes of the document's error model first: its reasons, its canonical code, its status."""
    inner = error.details or []
    words = (*(detail.reason for detail in inner), error.status, error.code)
    codes = tuple(dict.fromkeys(str(word) for word in words if word))
    waits = (read_seconds(detail.retry_delay) for detail in inner if detail.retry_delay)
    return msgspec.structs.replace(
        details,
        message=error.message.strip() if error.message else details.message,
        codes=codes or details.codes,  # interactions have words where other errors have the HTTP status
        retry_after=next((wait for wait in waits if wait is not None), details.retry_after),
        fault_type=QuotaExhausted if error.status == _QUOTA_CODE and _is_spent(inner) else None,
    )


def _is_spent(details: list[ErrorDetail]) -> bool:
    """Whether waiting as long as RetryInfo says is in vain: a day's quota, or a limit of zero."""
    return any("PerDay" in limit or value == "0" for limit, value in _list_exceeded_quotas(details))


def _list_exceeded_quotas(details: list[ErrorDetail]) -> Iterator[tuple[str, str | None]]:
    """The quotas that were exceeded, by id, with their size."""
    for detail in details:
        for violation in detail.violations or ():
            yield violation.quota_id or "", violation.quota_value
        if detail.metadata is not None and "quota_limit" in detail.metadata:
            value = detail.metadata.get("quota_limit_value")
            yield str(detail.metadata["quota_limit"]), None if value is None else str(value)
