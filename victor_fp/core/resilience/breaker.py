"""The circuit breaker: fail fast while a server fails, then let a few probes find out whether it is back.

Rules of the machine.

Closed, every call is admitted. Failures in a row are counted, a success sets the count to zero, and at
`failure_threshold` the breaker opens. Open, every call is rejected with the time left; once `recovery_timeout` has
passed, the next call finds the breaker half-open. Half-open, at most `half_open_probes` calls are under way at a time
and the rest are rejected; `success_threshold` successes close the breaker, one failure opens it again.

A call is admitted with a permit and reported with that permit, once. The permit remembers the generation (the count of
state changes) it was given in: a report from an earlier generation adds to the totals and moves nothing. A probe that
was cancelled returns its permit and proves nothing. A probe that nobody reports (a process that was killed) is given
up after `probe_lease`, so that no lost permit keeps the breaker half-open for ever.

What counts: server errors, overload, timeouts, broken connections and unreadable answers are failures. An answer that
blames the caller (4xx, rate limits and quotas included) is not: closed, it changes nothing, since a gateway may refuse requests in front of a
dead server; half-open, it shows that the server is alive and counts like a success, since a breaker that waits for
perfect callers would stay half-open. What never reached the server, or got no answer through the caller's own doing,
counts as cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Fault, indicts_server

State: TypeAlias = Literal["closed", "open", "half_open"]
Move: TypeAlias = Literal["tripped", "rested", "relapsed", "recovered", "reset"]
Verdict: TypeAlias = Literal["succeeded", "failed", "ignored", "cancelled"]

TRANSITIONS: Mapping[tuple[State, Move], State] = {
    ("closed", "tripped"): "open",
    ("open", "rested"): "half_open",
    ("half_open", "relapsed"): "open",
    ("half_open", "recovered"): "closed",
    ("open", "reset"): "closed",
    ("half_open", "reset"): "closed",
}
"""Every change of state that there is; the code moves by this table only."""

_TICK = 1e-6
"""Seconds that count as passed already: rounding must not reject a caller who waited just as long as he was told."""


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When to open and when to close. Times in seconds."""

    failure_threshold: int = 5
    """Failures in a row that open."""
    recovery_timeout: float = 30.0
    """From opening to the first probe."""
    half_open_probes: int = 3
    """Probes under way at a time."""
    success_threshold: int = 2
    """Successes that close."""
    probe_lease: float = 900.0
    """After this a probe without a report is given up."""


class Permit(msgspec.Struct, frozen=True, gc=False):
    """Leave to send one attempt; hand it back with `record`."""

    generation: int
    serial: int
    issued: float


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """No leave to send."""

    retry_after: float
    """Seconds until it makes sense to ask again."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """The state. Times are those of the `now` that was passed in."""

    policy: BreakerPolicy = BreakerPolicy()
    state: State = "closed"
    since: float = 0.0
    """When it last opened."""
    failure_count: int = 0
    """Failures in a row."""
    success_count: int = 0
    """Successes since the last change of state."""
    probes: tuple[Permit, ...] = ()
    """Probes under way, oldest first."""
    total_calls: int = 0
    """Calls admitted."""
    total_failures: int = 0
    total_rejected: int = 0
    last_failure_time: float | None = None
    state_changes: int = 0


def admit(breaker: Breaker, now: float) -> tuple[Breaker, Permit | Rejected]:
    """Ask to send one attempt. A permit must come back through `record`, whatever happens."""
    if breaker.state == "open":
        # A clock that went back (a restart, another host) must not lock the door for longer than the timeout.
        breaker = replace(breaker, since=now) if breaker.since > now else breaker
        left = time_to_probe(breaker, now)
        if left > 0:
            return replace(breaker, total_rejected=breaker.total_rejected + 1), Rejected(left)
        breaker = _moved(breaker, "rested", now)
    permit = Permit(breaker.state_changes, breaker.total_calls, now)
    if breaker.state == "closed":
        return replace(breaker, total_calls=breaker.total_calls + 1), permit
    under_way = tuple(probe for probe in breaker.probes if now - probe.issued < breaker.policy.probe_lease)
    if len(under_way) >= breaker.policy.half_open_probes:
        left = min(1.0, breaker.policy.recovery_timeout)
        return replace(breaker, probes=under_way, total_rejected=breaker.total_rejected + 1), Rejected(left)
    return replace(breaker, probes=(*under_way, permit), total_calls=breaker.total_calls + 1), permit


def record(breaker: Breaker, permit: Permit, verdict: Verdict, now: float) -> Breaker:
    """Report how the attempt under `permit` ended."""
    if verdict == "failed":
        breaker = replace(breaker, total_failures=breaker.total_failures + 1, last_failure_time=now)
    if permit.generation != breaker.state_changes:
        return breaker
    match breaker.state:
        case "closed":
            return _recorded_closed(breaker, verdict, now)
        case "half_open":
            return _recorded_half_open(breaker, permit, verdict, now) if permit in breaker.probes else breaker
        case "open":
            return breaker
        case _:
            assert_never(breaker.state)


def _recorded_closed(breaker: Breaker, verdict: Verdict, now: float) -> Breaker:
    match verdict:
        case "succeeded":
            return replace(breaker, failure_count=0, success_count=breaker.success_count + 1)
        case "failed":
            breaker = replace(breaker, failure_count=breaker.failure_count + 1)
            tripped = breaker.failure_count >= breaker.policy.failure_threshold
            return _moved(breaker, "tripped", now) if tripped else breaker
        case "ignored" | "cancelled":
            return breaker
        case _:
            assert_never(verdict)


def _recorded_half_open(breaker: Breaker, permit: Permit, verdict: Verdict, now: float) -> Breaker:
    breaker = replace(breaker, probes=tuple(probe for probe in breaker.probes if probe != permit))
    match verdict:
        case "succeeded" | "ignored":
            breaker = replace(breaker, failure_count=0, success_count=breaker.success_count + 1)
            recovered = breaker.success_count >= breaker.policy.success_threshold
            return _moved(breaker, "recovered", now) if recovered else breaker
        case "failed":
            return _moved(replace(breaker, failure_count=breaker.failure_count + 1), "relapsed", now)
        case "cancelled":
            return breaker
        case _:
            assert_never(verdict)


def _moved(breaker: Breaker, move: Move, now: float) -> Breaker:
    """Another state and so another generation. The count of failures stays readable until a success ends it."""
    state = TRANSITIONS[breaker.state, move]
    return replace(
        breaker,
        state=state,
        since=now if state == "open" else breaker.since,
        failure_count=0 if state == "closed" else breaker.failure_count,
        success_count=0,
        probes=(),
        state_changes=breaker.state_changes + 1,
    )


def reset(breaker: Breaker, now: float) -> Breaker:
    """Closed by hand. Totals stay; attempts under way no longer count unless the breaker was closed anyway."""
    if breaker.state == "closed":
        return replace(breaker, failure_count=0, success_count=0)
    return _moved(breaker, "reset", now)


def is_open(breaker: Breaker, now: float) -> bool:
    """Whether a call at `now` would be rejected because the recovery timeout has not passed."""
    return time_to_probe(breaker, now) > 0


def time_to_probe(breaker: Breaker, now: float) -> float:
    """Seconds until an open breaker lets a probe through; 0.0 where it is not open or the time has come."""
    if breaker.state != "open":
        return 0.0
    timeout = breaker.policy.recovery_timeout
    left = min(timeout, breaker.since + timeout - now)
    return left if left > _TICK else 0.0


def stats(breaker: Breaker, name: str, now: float, wall: float) -> dict[str, str | int | float | None]:
    """Figures for people and dashboards; an open breaker whose time has come reads "half_open".

    `wall` is what `now` is called on the wall, in seconds since 1970, and `last_failure_time` is told in that.
    """
    due = breaker.state == "open" and not is_open(breaker, now)
    failed = breaker.last_failure_time
    return {
        "name": name,
        "state": "half_open" if due else breaker.state,
        "total_calls": breaker.total_calls,
        "total_failures": breaker.total_failures,
        "total_rejected": breaker.total_rejected,
        "failure_count": breaker.failure_count,
        "success_count": breaker.success_count,
        "last_failure_time": None if failed is None else wall - (now - failed),
        "state_changes": breaker.state_changes,
    }


def verdict_of(fault: Fault | None) -> Verdict:
    """What an attempt's end says about the server; None is a whole response."""
    if fault is None:
        return "succeeded"
    if indicts_server(fault):
        return "failed"
    return "cancelled" if fault.is_local or fault.status is None else "ignored"
