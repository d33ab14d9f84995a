"""Google's error objects, alone, in an array or inside a stream, as faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from victor_fp_wire.gemini.response import ErrorDetail, ErrorResponse, Status

from victor_fp.core.classify import Codes, by_prose, classified, prose
from victor_fp.core.faults import (
    AuthRejected,
    Fault,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
)
from victor_fp.core.json import decode_json
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

CODES: Codes = {
    # Reasons of google.rpc.ErrorInfo
    "api_key_invalid": AuthRejected,
    "access_token_expired": AuthRejected,
    "access_token_type_unsupported": AuthRejected,
    "credentials_missing": AuthRejected,
    "api_key_service_blocked": PermissionRefused,
    "service_disabled": PermissionRefused,
    "billing_disabled": PermissionRefused,
    "consumer_suspended": PermissionRefused,
    "iam_permission_denied": PermissionRefused,
    "rate_limit_exceeded": RateLimited,
    # Canonical codes of google.rpc.Code
    "invalid_argument": InvalidRequest,
    "failed_precondition": InvalidRequest,
    "out_of_range": InvalidRequest,
    "unauthenticated": AuthRejected,
    "permission_denied": PermissionRefused,
    "not_found": ModelNotFound,
    "resource_exhausted": RateLimited,
    "unavailable": Overloaded,
    "deadline_exceeded": TimedOut,
    "internal": ServerFailed,
    "unknown": ServerFailed,
    "cancelled": ServerFailed,
}
"""Source: google/rpc/code.proto, google/api/error_reason.proto."""

_ERRORS: WireDecoder[ErrorResponse | list[ErrorResponse]] = WireDecoder(ErrorResponse | list[ErrorResponse])
_KEYLESS = re.compile(r"API key not valid|unregistered callers", re.IGNORECASE)
"""Prose of a missing or wrong key, for the answers that carry no reason."""

TOO_LARGE = 413
"""A request beyond what one may hold is of the code RESOURCE_EXHAUSTED, too, and will not fit the next time either."""
_SPENT = re.compile(r"credits? (are|is|have been) depleted|spend(ing)? (cap|limit)", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")


def fault(endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault for an answer with status >= 400, whatever its body is."""
    error = error_in(body)
    if error is None:
        return by_prose(
            classified(endpoint, status=status, message=_shown(body), codes=CODES, headers=headers, said=())
        )
    return fault_of(endpoint, error, status=status, headers=headers)


def error_in(body: bytes) -> Status | None:
    """The error object of a body, which may be wrapped in an array; None where there is none."""
    read = _ERRORS.decode(body)
    if isinstance(read, Undecodable):
        return None
    answers = read if isinstance(read, list) else [read]
    return next((answer.error for answer in answers if answer.error is not None), None)


def fault_of(
    endpoint: Endpoint,
    error: Status,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    model: str | None = None,
) -> Fault:
    """The fault for an error object: its reasons say most, then its canonical code, then its status."""
    details = error.details or []
    found = by_prose(
        classified(
            endpoint,
            status=status,
            message=error.message or "",
            codes=CODES,
            said=[*(detail.reason for detail in details), error.status, error.code],
            headers=headers,
            model=model,
            retry_after=_retry_after(details),
        )
    )
    if isinstance(found, RateLimited) and status == TOO_LARGE:
        return by_prose(_as(InvalidRequest, found))
    if isinstance(found, RateLimited) and _spent(error, details):
        return _as(QuotaExhausted, found)
    if isinstance(found, (InvalidRequest, PermissionRefused)) and _KEYLESS.search(found.message):
        return _as(AuthRejected, found)
    return found


def _as(kind: type[QuotaExhausted | AuthRejected | InvalidRequest], found: Fault) -> Fault:
    return kind(**{name: getattr(found, name) for name in kind.__struct_fields__})


def _retry_after(details: list[ErrorDetail]) -> float | None:
    """Seconds of RetryInfo, which have a fraction: "34.4s"."""
    matches = (_SECONDS.fullmatch(detail.retry_delay) for detail in details if detail.retry_delay)
    return next((float(match[1]) for match in matches if match), None)


def _spent(error: Status, details: list[ErrorDetail]) -> bool:
    """Whether waiting the moment that RetryInfo names is vain: a day's quota, a limit of zero, no credit left."""
    return _SPENT.search(error.message or "") is not None or any(
        "PerDay" in limit or value == "0" for limit, value in _limits(details)
    )


def _limits(details: list[ErrorDetail]) -> Iterator[tuple[str, str | None]]:
    """The quotas that were exceeded, by id, with their size."""
    for detail in details:
        for violation in detail.violations or ():
            yield violation.quota_id or "", violation.quota_value
        if detail.metadata is not None and "quota_limit" in detail.metadata:
            yield str(detail.metadata["quota_limit"]), _text(detail.metadata.get("quota_limit_value"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _shown(body: bytes) -> str:
    """What a body without an error object says: an error that is a plain text, or whatever there is."""
    value = decode_json(body)
    if isinstance(value, Mapping):
        said = value.get("error", value.get("message"))
        return said if isinstance(said, str) else msgspec.json.encode(value).decode()
    return prose(body)
