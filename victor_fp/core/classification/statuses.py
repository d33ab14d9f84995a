"""Fault types by HTTP status."""

from __future__ import annotations

from collections.abc import Mapping

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

FAULT_TYPES_BY_STATUS: Mapping[int, type[Fault]] = {
    401: AuthRejected,
    402: QuotaExhausted,
    403: PermissionRefused,
    404: ModelNotFound,
    408: TimedOut,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}


def choose_fault_type(status: int | None) -> type[Fault]:
    """Return the fault type of a status; without a status it is ServerFailed.

    >>> choose_fault_type(404).__name__, choose_fault_type(500).__name__, choose_fault_type(413).__name__
    ('ModelNotFound', 'ServerFailed', 'InvalidRequest')
    """
    other = InvalidRequest if status is not None and status < 500 else ServerFailed
    return FAULT_TYPES_BY_STATUS.get(status or 0, other)
