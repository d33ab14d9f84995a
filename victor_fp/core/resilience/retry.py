"""Retry: decides whether a call is retried after a fault, and after which backoff.

Rules of the machine.

A call has at most `max_retries` attempts after the first, and one deadline; `call.py` decides which faults do not count. After a
fault it is retried only if the kind of fault is retryable, retries are left, nothing has been delivered to the caller yet, and the
backoff ends before the deadline; otherwise the call ends at once, without waiting first.

The backoff is the `retry_after` of the latest fault (never that of an older fault), at most MAX_RETRY_AFTER. If the
fault has none, the backoff is exponential with jitter: `min(cap, base * 2**n)`, less a random share of at most
`jitter`.

Retryable are rate limits, overload, server errors, timeouts, broken connections and streams, and the statuses 408 and
409. An unreadable response is retried once per call: a second one means that the server is not a model server. An
exhausted quota and a rejected key, request or model do not change by waiting and are not retried, and neither is a
rejection by an open breaker.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Fault, InvalidResponse, can_retry

StopReason: TypeAlias = Literal["not_retryable", "committed", "retries_exhausted", "past_deadline"]
Retryability: TypeAlias = Literal["never", "once", "always"]
"""How many times a kind of fault is retried within one call."""

MAX_RETRY_AFTER = 3600.0
"""Seconds. Upper bound for the `retry_after` of a server."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Number of retries and backoff. Times in seconds."""

    max_retries: int = 3
    base: float = 0.5
    """Longest first backoff."""
    cap: float = 8.0
    """Longest backoff if the server sends no `retry_after`."""
    jitter: float = 0.4
    """Random share of a backoff, 0 to 1. Up to 0.5, no backoff is shorter than the one before, below `cap`."""


NO_RETRIES = RetryPolicy(max_retries=0)


class Retry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of the retries of one call."""

    policy: RetryPolicy
    began: float
    deadline: float
    """Time by which the call must end, in the clock of `now`; may be infinite."""
    failed_attempts: int = 0
    """Failed attempts since `begin` or `reset_retries`."""
    invalid_responses: int = 0
    """Failed attempts with an unreadable response."""
    uncounted_attempts: int = 0
    """Failed attempts in addition, which do not count against `max_retries`."""
    committed: bool = False
    """Whether part of the response has been delivered to the caller."""


class RetryAfter(msgspec.Struct, frozen=True, gc=False):
    """Retry after a backoff."""

    wait: float
    """Seconds."""


class Stop(msgspec.Struct, frozen=True, gc=False):
    """End the call with the fault."""

    reason: StopReason


def begin(policy: RetryPolicy, now: float, deadline: float) -> Retry:
    """Return the state before the first attempt. `deadline` is a time in the clock of `now`."""
    return Retry(policy=policy, began=now, deadline=deadline)


def commit(retry: Retry) -> Retry:
    """Record that part of the response has reached the caller; the call is not retried any more."""
    return retry if retry.committed else replace(retry, committed=True)


def reset_retries(retry: Retry) -> Retry:
    """Restore the full retry budget, after failures that were due to an outage of the server."""
    return replace(retry, failed_attempts=0, invalid_responses=0, uncounted_attempts=0)


def decide_retry(
    retry: Retry, fault: Fault, random: float, now: float, *, is_counted: bool = True
) -> tuple[Retry, RetryAfter | Stop]:
    """Decide what follows an attempt that ended with `fault` at `now`. `random` is uniform in [0, 1).

    An attempt that is not counted uses none of the retries, unless the call has none.
    """
    invalid_responses = retry.invalid_responses + isinstance(fault, InvalidResponse)
    wait = compute_backoff(fault, retry.policy, retry.failed_attempts + retry.uncounted_attempts, random)
    is_counted = is_counted or retry.policy.max_retries == 0
    retry = replace(
        retry,
        failed_attempts=retry.failed_attempts + is_counted,
        uncounted_attempts=retry.uncounted_attempts + (not is_counted),
        invalid_responses=invalid_responses,
    )
    retryability = classify_retryability(fault)
    if retry.committed:
        return retry, Stop("committed")
    if retryability == "never" or (retryability == "once" and invalid_responses > 1):
        return retry, Stop("not_retryable")
    if retry.failed_attempts > retry.policy.max_retries:
        return retry, Stop("retries_exhausted")
    if now + wait >= retry.deadline:
        return retry, Stop("past_deadline")
    return retry, RetryAfter(wait)


def compute_backoff(fault: Fault, policy: RetryPolicy, retries: int, random: float) -> float:
    """Return the backoff in seconds after `fault`, with `retries` retries before it."""
    if fault.retry_after is not None and fault.retry_after > 0:
        return min(fault.retry_after, MAX_RETRY_AFTER)
    # The exponent is bounded because 2.0**1024 overflows.
    longest = min(policy.cap, policy.base * 2.0 ** min(retries, 64))
    return longest * (1.0 - policy.jitter + policy.jitter * random)


def classify_retryability(fault: Fault) -> Retryability:
    """Return how many times a fault of this kind is retried within one call."""
    if not can_retry(fault):
        return "never"
    return "once" if fault.retry_limit == 1 else "always"
