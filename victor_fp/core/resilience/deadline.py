"""The fault for a passed deadline, with the fields of the last fault before it."""

from __future__ import annotations

import math

from victor_fp.core.faults import DeadlineExceeded, Fault


def build_deadline_fault(provider: str, model: str | None, seconds: float, last: Fault | None) -> DeadlineExceeded:
    """Build the fault. `seconds` is the total time allowed, `last` the fault of the last attempt, if any."""
    seconds = drop_rounding_error(seconds)
    passed = f"the deadline of {seconds:g} s passed" if math.isfinite(seconds) else "the deadline passed"
    if last is None:
        return DeadlineExceeded(provider=provider, model=model, message=passed, seconds=seconds)
    return DeadlineExceeded(
        provider=provider,
        model=model,
        message=f"{passed}; last: {type(last).__name__}: {last.message}",
        status=last.status,
        code=last.code,
        request_id=last.request_id,
        retry_after=last.retry_after,
        maybe_billed=last.maybe_billed,
        partial=last.partial,
        seconds=seconds,
    )


def drop_rounding_error(seconds: float) -> float:
    """Remove the rounding error of a difference between two times."""
    return round(seconds, 6)
