"""The cooldown of one key: after a rate limit nobody sends until the vendor wants to hear from it again.

Rules of the machine.

A key is ready or cooling. A rate limit, or an overload that names a time, makes it cool for as long as the vendor says;
a rate limit without a time for `base * 2**n`, at most `cap`, where n counts those in a row. An exhausted quota makes it
cool for `quota`, since it comes back by payment or by the month and every call until then is a refusal that counts
against the key. A cooldown is only ever prolonged, never shortened, by a later fault; answers to requests that were
sent before it began do not end it. The first answer after it has ended ends the row.
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
"""Seconds by which the clocks of those who share a cooldown may differ."""


class CooldownPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How long where the vendor does not say. Seconds."""

    base: float = 1.0
    cap: float = 60.0
    quota: float = 60.0
    longest: float = MAX_RETRY_AFTER
    """However long a vendor asks for, one call looks again after this."""


class Cooldown(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state."""

    policy: CooldownPolicy = CooldownPolicy()
    until: float = -math.inf
    cause: Cause = "rate limit"
    row: int = 0
    """Rate limits without a named time, in a row."""


def record_fault(cooldown: Cooldown, fault: Fault | None, now: float) -> Cooldown:
    """The state after a request ended in `fault`, or well (None)."""
    if fault is None:
        return replace(cooldown, row=0) if cooldown.row and now >= cooldown.until else cooldown
    cause, seconds = _choose_cause(cooldown, fault)
    until = now + min(seconds, cooldown.policy.longest)
    if seconds <= 0 or until <= now + compute_time_left(cooldown, now):
        return cooldown
    # Calls that were under way together are refused together: they are one strike, not many.
    struck = isinstance(fault, RateLimited) and not _read_retry_after(fault) and now >= cooldown.until
    return replace(cooldown, until=until, cause=cause, row=cooldown.row + struck)


def compute_time_left(cooldown: Cooldown, now: float) -> float:
    """Seconds until the key is ready; 0.0 where it is, and where the time is further away than any cooldown can be."""
    seconds = cooldown.until - now
    return seconds if 0.0 < seconds <= cooldown.policy.longest + _SLACK else 0.0


def build_refusal(cooldown: Cooldown, provider: str, model: str | None, now: float) -> Fault:
    """What to tell a call that comes while the key cools: the cause, and the time that is left."""
    seconds = compute_time_left(cooldown, now)
    message = f"the key cools down for {seconds:.3g} s more: {cooldown.cause}"
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
    """Why and how long to leave the vendor alone after this fault; 0.0 where it does not matter."""
    policy = cooldown.policy
    named = _read_retry_after(fault)
    if isinstance(fault, QuotaExhausted):
        return "exhausted quota", named or policy.quota
    if isinstance(fault, RateLimited) and not fault.is_too_large:
        return "rate limit", named or min(policy.cap, policy.base * 2.0 ** min(cooldown.row, 64))
    return "overload", named if isinstance(fault, Overloaded) else 0.0


def _read_retry_after(fault: Fault) -> float:
    """The time that the vendor names; 0.0 where it names none that makes sense."""
    return fault.retry_after if fault.retry_after is not None and fault.retry_after > 0 else 0.0
