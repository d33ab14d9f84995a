"""The fault for a deadline that passed."""

from __future__ import annotations

import math

from victor_fp.core.faults import DeadlineExceeded, Partial, RateLimited
from victor_fp.core.resilience.deadline import build_deadline_fault


def test_deadline_fault_has_the_fields_of_the_last_fault() -> None:
    last = RateLimited(
        provider="other",
        model="other",
        message="slow down",
        status=429,
        code="rate",
        request_id="r-1",
        retry_after=3.0,
        maybe_billed=True,
        partial=Partial(content="Once"),
    )
    assert build_deadline_fault("acme", "m", 12.5, last) == DeadlineExceeded(
        provider="acme",
        model="m",
        message="the deadline of 12.5 s passed; last: RateLimited: slow down",
        status=429,
        code="rate",
        request_id="r-1",
        retry_after=3.0,
        maybe_billed=True,
        partial=Partial(content="Once"),
        seconds=12.5,
    )


def test_deadline_fault_without_a_last_fault() -> None:
    assert build_deadline_fault("acme", "m", 3.0, None) == DeadlineExceeded(
        provider="acme", model="m", message="the deadline of 3 s passed", seconds=3.0
    )
    assert build_deadline_fault("acme", None, math.inf, None).message == "the deadline passed"
