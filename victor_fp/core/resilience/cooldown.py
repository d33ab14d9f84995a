"""The cooldown of one key: after a rate-limit response no request is sent until the vendor accepts requests again.

Rules of the machine.

A key is either ready or cooling down. A rate limit, or an overload with a `retry_after`, starts a cooldown of
`retry_after` seconds. A rate limit without one starts a cooldown of `base * 2**n` seconds, at most `cap`, where n is
the number of consecutive rate limits without a `retry_after`. An exhausted quota starts a cooldown of `quota` seconds:
it is restored by a payment or at the end of the month, and rejected calls may count against the key. A later fault can
extend a cooldown but not shorten it, and responses to requests sent before it began do not end it. The first success
after the cooldown resets n.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Fault, Overloaded, QuotaExhausted, RateLimited
from victor_fp.core.resilience.retry import MAX_RETRY_AFTER

Cause: TypeAlias = Literal["rate limit", "overload", "exhausted quota"]
CAUSES: tuple[Cause, ...] = ("rate limit", "overload", "exhausted quota")


_SLACK = 60.0
"""Seconds. Maximum clock difference between processes that share a cooldown."""


class CooldownPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Durations of a cooldown if the response has no `retry_after`. Times in seconds."""

    base: float = 1.0
    cap: float = 60.0
    quota: float = 60.0
    longest: float = MAX_RETRY_AFTER
    """Maximum duration, also for a `retry_after`."""


class Cooldown(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state."""

    policy: CooldownPolicy = CooldownPolicy()
    until: float = -math.inf
    cause: Cause = "rate limit"
    row: int = 0
    """Consecutive rate limits without a `retry_after`."""


def record_fault(cooldown: Cooldown, fault: Fault | None, now: float) -> Cooldown:
    """Return the state after a request that ended with `fault`; None is a success."""
    if fault is None:
        return replace(cooldown, row=0) if cooldown.row and now >= cooldown.until else cooldown
    cause, seconds = _choose_cause(cooldown, fault)
    until = now + min(seconds, cooldown.policy.longest)
    if seconds <= 0 or until <= now + compute_time_left(cooldown, now):
        return cooldown
    # Calls that were in flight together are rejected together: they count once.
    counts = isinstance(fault, RateLimited) and not _read_retry_after(fault) and now >= cooldown.until
    return replace(cooldown, until=until, cause=cause, row=cooldown.row + counts)


def compute_time_left(cooldown: Cooldown, now: float) -> float:
    """Return the seconds until the key is ready; 0.0 if it is ready, or if the remaining time is implausibly long."""
    seconds = cooldown.until - now
    return seconds if 0.0 < seconds <= cooldown.policy.longest + _SLACK else 0.0


def build_refusal(cooldown: Cooldown, provider: str, model: str | None, now: float) -> Fault:
    """Build the fault of a call that is rejected during the cooldown, with its cause and the remaining time."""
    seconds = compute_time_left(cooldown, now)
    message = f"the key is in cooldown for another {seconds:.3g} s: {cooldown.cause}"
    match cooldown.cause:
        case "rate limit":
            return RateLimited(provider=provider, model=model, message=message, retry_after=seconds)
        case "overload":
            return Overloaded(provider=provider, model=model, message=message, retry_after=seconds)
        case "exhausted quota":
            return QuotaExhausted(provider=provider, model=model, message=message, retry_after=seconds)
        case _:
            assert_never(cooldown.cause)


def _choose_cause(cooldown: Cooldown, fault: Fault) -> tuple[Cause, float]:
    """Return the cause and duration of the cooldown that a fault starts; 0.0 if it starts none."""
    policy = cooldown.policy
    named = _read_retry_after(fault)
    if isinstance(fault, QuotaExhausted):
        return "exhausted quota", named or policy.quota
    if isinstance(fault, RateLimited) and not fault.is_too_large:
        return "rate limit", named or min(policy.cap, policy.base * 2.0 ** min(cooldown.row, 64))
    return "overload", named if isinstance(fault, Overloaded) else 0.0


def _read_retry_after(fault: Fault) -> float:
    """Return the `retry_after` of a fault; 0.0 if it is missing or not positive."""
    return fault.retry_after if fault.retry_after is not None and fault.retry_after > 0 else 0.0
