"""Checks of the arguments of batch methods."""

from __future__ import annotations

from collections.abc import Iterable

from returns.result import Failure, Result, Success

from victor_fp.core.batching.types import BatchHandle
from victor_fp.core.faults import Fault, InvalidRequest


def check_handle(handle: object, provider: str) -> Fault | None:
    """Return a fault if a caller's value is not a handle of a batch of this provider."""
    if not isinstance(handle, BatchHandle):
        message = f"expected a BatchHandle, got {type(handle).__name__}; decode_handle reads a stored one"
        return InvalidRequest(provider=provider, message=message)
    if handle.provider != provider:
        message = f"the batch handle belongs to provider {handle.provider!r}, not to {provider!r}"
        return InvalidRequest(provider=provider, message=message)
    return None


def check_keys(keys: object, provider: str) -> Result[tuple[str, ...] | None, Fault]:
    """Check the keys of a batch's rows as a caller gave them: None, or texts; a single text is rejected."""
    if keys is None:
        return Success(None)
    listed = tuple(keys) if isinstance(keys, Iterable) and not isinstance(keys, str | bytes) else None
    if listed is None or not all(isinstance(key, str) for key in listed):
        return Failure(InvalidRequest(provider=provider, message="keys: expected the keys of rows, which are texts"))
    return Success(listed)


def check_limit(limit: object, provider: str) -> Fault | None:
    """Return a fault if a caller's maximum number of batches is not one."""
    if isinstance(limit, int) and limit >= 0:
        return None
    return InvalidRequest(provider=provider, message=f"limit: expected a number of batches, got {limit!r}")
