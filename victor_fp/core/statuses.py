"""What an HTTP status alone says of a failure."""

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

_KINDS: Mapping[int, type[Fault]] = {
    401: AuthRejected,
    402: QuotaExhausted,
    403: PermissionRefused,
    404: ModelNotFound,
    408: TimedOut,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}


def kind_of_status(status: int | None) -> type[Fault]:
    """The fault of a status; without one the server is to blame."""
    unnamed = InvalidRequest if status is not None and status < 500 else ServerFailed
    return _KINDS.get(status or 0, unnamed)
