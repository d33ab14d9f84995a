"""Retry: whether one call tries again after a fault, and after how long a rest.

Rules of the machine.

A call has one budget, `max_retries` tries after the first, and one deadline. `call.py` says which faults do not count. After a fault it tries again only if the
fault's kind may pass by itself, the budget is not spent, nothing has been handed to the caller yet, and the rest ends
before the deadline; otherwise it stops at once, without resting first.

The rest is what the latest fault asks for (`retry_after`, never an older fault's), at most LONGEST_REST, up to the
deadline. Where it asks for nothing, the rest is exponential with jitter: a large share of `base * 2**n`, at most `cap`.

May pass by itself: rate limits, overload, server errors, timeouts, broken connections and streams, and the statuses 408
and 409. An unreadable answer is tried again once per call: a second one means that this is no model's server. An
exhausted quota, a key, a request or a model that was refused will not change by waiting, and an open breaker has said
that it wants no calls.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Fault, InvalidResponse, can_retry

StopReason: TypeAlias = Literal["lasting", "committed", "spent", "past_deadline"]
Patience: TypeAlias = Literal["never", "once", "always"]
"""How often a kind of fault is worth another try within one call."""

LONGEST_REST = 3600.0
"""Seconds. However long a server asks for, after this it is asked again."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How often and how long. Times in seconds."""

    max_retries: int = 3
    base: float = 0.5
    """Longest first rest."""
    cap: float = 8.0
    """Longest rest that nobody asked for."""
    jitter: float = 0.4
    """Random share of a rest, 0 to 1; up to 0.5 each rest is longer than the one before, whatever the luck."""


class Retry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one call's retrying."""

    policy: RetryPolicy
    began: float
    deadline: float
    """When the call must be over, in the clock of `now`; may be infinite."""
    tries: int = 0
    """Tries that have failed."""
    unreadable: int = 0
    """How many of them failed by an unreadable answer."""
    excused: int = 0
    """Tries that failed besides, and did not count."""
    committed: bool = False
    """Something of the answer has reached the caller."""


class Again(msgspec.Struct, frozen=True, gc=False):
    """Try again after a rest."""

    wait: float


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Give the fault to the caller."""

    reason: StopReason


def begin(policy: RetryPolicy, now: float, deadline: float) -> Retry:
    """A call that has not been tried yet. `deadline` is a point of time in the clock of `now`."""
    return Retry(policy=policy, began=now, deadline=deadline)


def commit(retry: Retry) -> Retry:
    """Something of the answer has reached the caller: from here on nothing is tried again."""
    return retry if retry.committed else replace(retry, committed=True)


def restore(retry: Retry) -> Retry:
    """The whole budget again: what failed so far was the server being down."""
    return replace(retry, tries=0, unreadable=0, excused=0)


def decide_retry(
    retry: Retry, fault: Fault, luck: float, now: float, *, is_counted: bool = True
) -> tuple[Retry, Again | Stop]:
    """What to do after `fault` ended a try at `now`. `luck` is uniform in [0, 1).

    One that is not counted costs nothing of the budget of a call that has one.
    """
    unreadable = retry.unreadable + isinstance(fault, InvalidResponse)
    wait = compute_rest(fault, retry.policy, retry.tries + retry.excused, luck)
    is_counted = is_counted or retry.policy.max_retries == 0
    retry = replace(
        retry, tries=retry.tries + is_counted, excused=retry.excused + (not is_counted), unreadable=unreadable
    )
    patience = find_patience(fault)
    if retry.committed:
        return retry, Stop("committed")
    if patience == "never" or (patience == "once" and unreadable > 1):
        return retry, Stop("lasting")
    if retry.tries > retry.policy.max_retries:
        return retry, Stop("spent")
    if now + wait >= retry.deadline:
        return retry, Stop("past_deadline")
    return retry, Again(wait)


def compute_rest(fault: Fault, policy: RetryPolicy, retries: int, luck: float) -> float:
    """Seconds to rest after `fault` when `retries` rests have gone before."""
    if fault.retry_after is not None and fault.retry_after > 0:
        return min(fault.retry_after, LONGEST_REST)
    # The exponent is bounded because 2.0**1024 overflows; no sensible cap is near it.
    longest = min(policy.cap, policy.base * 2.0 ** min(retries, 64))
    return longest * (1.0 - policy.jitter + policy.jitter * luck)


def find_patience(fault: Fault) -> Patience:
    """Whether another try may help against this kind of fault."""
    if not can_retry(fault):
        return "never"
    return "once" if fault.retry_limit == 1 else "always"
