"""Faults from Google's error objects, in bodies, arrays and streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from victor_fp_wire.gemini.response import ErrorDetail, ErrorResponse, Status

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import ErrorDetails, read_body, read_details, read_seconds
from victor_fp.core.classification.families import GOOGLE_FAMILY
from victor_fp.core.faults import Fault, QuotaExhausted
from victor_fp.core.json import NotJson, Undecodable, WireDecoder, decode_lenient_json
from victor_fp.core.protocols.shared_events import is_error_object, may_be_error
from victor_fp.core.requests import Endpoint

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
    """Return the error object of a body, which may be wrapped in an array; None if there is none."""
    decoded = ERRORS.decode(body)
    if isinstance(decoded, Undecodable):
        return None
    responses = decoded if isinstance(decoded, list) else [decoded]
    return next((response.error for response in responses if response.error is not None), None)


def is_error(data: bytes) -> bool:
    """Return whether a body or an event without content is an error in another form than Google's; it may be in an array."""
    value = decode_lenient_json(data) if may_be_error(data) else None
    found = value[0] if isinstance(value, list) and value else value
    return isinstance(found, dict) and is_error_object(found)


def fault_from_error(endpoint: Endpoint, error: Status | None, body: bytes, *, model: str | None = None) -> Fault:
    """Return the fault for an error in a stream or a 200 body; `body` is the event or body, `error` Google's object in it."""
    value = decode_lenient_json(body)
    details = ErrorDetails() if isinstance(value, NotJson) else read_details(value)
    if error is not None:
        details = _with_status(details, error)
    return classify_error(endpoint, GOOGLE_FAMILY, details, body=body, model=model)


def _with_status(details: ErrorDetails, error: Status) -> ErrorDetails:
    """Return the details with the codes of Google's error model first: reasons, canonical code, status."""
    inner = error.details or []
    values = (*(detail.reason for detail in inner), error.status, error.code)
    codes = tuple(dict.fromkeys(str(value) for value in values if value))
    waits = (read_seconds(detail.retry_delay) for detail in inner if detail.retry_delay)
    return msgspec.structs.replace(
        details,
        message=error.message.strip() if error.message else details.message,
        codes=codes or details.codes,  # in Interactions, code is a name, not the HTTP status
        retry_after=next((wait for wait in waits if wait is not None), details.retry_after),
        fault_type=QuotaExhausted if error.status == _QUOTA_CODE and _is_spent(inner) else None,
    )


def _is_spent(details: list[ErrorDetail]) -> bool:
    """Return whether a retry after RetryInfo's delay cannot succeed: a daily quota, or a limit of zero."""
    return any("PerDay" in limit or value == "0" for limit, value in _list_exceeded_quotas(details))


def _list_exceeded_quotas(details: list[ErrorDetail]) -> Iterator[tuple[str, str | None]]:
    """Yield the id and limit of each exceeded quota."""
    for detail in details:
        for violation in detail.violations or ():
            yield violation.quota_id or "", violation.quota_value
        if detail.metadata is not None and "quota_limit" in detail.metadata:
            value = detail.metadata.get("quota_limit_value")
            yield str(detail.metadata["quota_limit"]), None if value is None else str(value)
