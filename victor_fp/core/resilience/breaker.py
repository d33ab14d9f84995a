"""The circuit breaker: rejects calls while a server is down, then sends a few probes to detect its recovery.

Rules of the machine.

Callers report operations and their attempts. `admit` starts an operation and admits its first attempt. An attempt that
fails and will be retried is reported with `record_attempt`; the retry is admitted with `admit(..., is_retry=True)`. An
operation ends with `record` (together with its last attempt) or with `end` (during a wait between attempts). Every
permit is reported exactly once, with `record` or `record_attempt`.

Closed, every attempt is admitted. A success resets the counts of consecutive failures. The breaker opens if one of
these rules holds; they are checked after each failure:

1. At least `failure_threshold` operations failed since the last success, and they are at least half of all operations
   that were in flight at, or started since, the first of these failures. Pending operations count as not failed, so
   fast failures alongside slow successes do not open it. For sequential calls the rule is: `failure_threshold` failed
   operations in a row. (Since a success resets the count, those operations are the failed ones and the ones that are in
   flight now.)
2. In the last `window` seconds at least `window_minimum` operations ended, and at least half of them failed.
3. At least `window_minimum` attempts failed since the last success, and they are at least twice as many as the attempts
   being sent now. This detects an outage before many concurrent operations have used up their retries, so that these
   can wait for the half-open state.

A larger `failure_threshold` raises both minimums. While a vendor is down, a rule holds after a bounded time: the count
of failures grows with every attempt and no success resets it, while the number of operations in flight is bounded by
the caller's concurrency. For a vendor that fails less than half of its requests, the breaker stays closed: an operation
with retries rarely fails, twenty failed attempts in a row have a probability of about 1e-8 at a failure rate of 40 %,
and rules 1 and 2 require half of the operations to fail.

Open, every attempt is rejected with the remaining time; once `recovery_timeout` has passed, the next `admit` moves the
breaker to half-open. Half-open, at most `half_open_probes` attempts are in flight at a time and the others are
rejected; `success_threshold` successes close the breaker, one failure opens it again.

A permit records the generation (the number of state changes) in which it was issued: a report from an earlier
generation is added to the totals and has no other effect. A cancelled probe returns its permit and counts neither way.
A probe that is never reported (its process was killed) expires after `probe_lease`, so that a lost permit cannot keep
the breaker half-open.

Failures are server errors, overload, timeouts, broken connections and unreadable responses. Responses that require the
caller to change something or to slow down (4xx, including 429 and an exhausted quota) are ignored while closed, as if
the operation had not happened; while half-open they show that the server is up and count as a success. An attempt that
did not reach the server, or that ended without a response because of the caller, counts as cancelled.

Processes that share a breaker share its state and its probes. The counts of the closed state are local to each process:
a process opens the breaker for all others based on its own counts, and a successful call changes no shared state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Fault, is_breaker_failure

if TYPE_CHECKING:
    from victor_fp.core.telemetry.stats import CircuitBreakerStats

State: TypeAlias = Literal["closed", "open", "half_open"]
Move: TypeAlias = Literal["tripped", "recovery_timeout_passed", "probe_failed", "probes_succeeded", "reset"]
BreakerVerdict: TypeAlias = Literal["succeeded", "failed", "ignored", "cancelled"]

TRANSITIONS: Mapping[tuple[State, Move], State] = {
    ("closed", "tripped"): "open",
    ("open", "recovery_timeout_passed"): "half_open",
    ("half_open", "probe_failed"): "open",
    ("half_open", "probes_succeeded"): "closed",
    ("open", "reset"): "closed",
    ("half_open", "reset"): "closed",
}
"""All transitions; the code changes state through this table only."""

_CLOCK_TOLERANCE = 1e-6
"""Seconds. A remaining time up to this counts as none: rounding must not reject a caller that waited `retry_after`."""
_MAX_CLOCK_LEAD = 86400.0
"""Seconds. A time further in the future is not due to clock skew: the state is damaged, and the time counts as past."""


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Thresholds for opening and closing. Times in seconds."""

    failure_threshold: int = 5
    """Consecutive failed operations that open the breaker."""
    recovery_timeout: float = 30.0
    """Time from opening to the first probe."""
    half_open_probes: int = 3
    """Maximum number of concurrent probes."""
    success_threshold: int = 2
    """Successful probes that close the breaker."""
    probe_lease: float = 900.0
    """Time after which an unreported probe expires."""
    window: float = 60.0
    """Time over which the failure rate is measured, kept as two halves: it covers between half of it and all of it."""
    window_minimum: int = 20
    """Minimum number of operations, or of consecutive failed attempts, for rules 2 and 3."""


class BreakerPermit(msgspec.Struct, frozen=True, gc=False):
    """Permission to send one attempt; report it with `record` or `record_attempt`."""

    generation: int
    serial: int
    issued: float


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """The attempt must not be sent."""

    retry_after: float
    """Seconds until the next call of `admit` may succeed."""


class Breaker(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state. Times are in the clock of `now`."""

    policy: BreakerPolicy = BreakerPolicy()
    state: State = "closed"
    since: float = 0.0
    """Time of the last opening."""
    failure_count: int = 0
    """Operations that failed since the last success."""
    success_count: int = 0
    """Successes since the last state change."""
    probes: tuple[BreakerPermit, ...] = ()
    """Probes in flight, oldest first."""
    probe_count: int = 0
    """Probes admitted in total."""
    state_changes: int = 0
    in_flight: int = 0
    """Operations that have started and not ended."""
    sending: int = 0
    """Attempts that have been admitted and not reported."""
    failed_attempts: int = 0
    """Attempts that failed since the last success."""
    window_began: float = 0.0
    """Start of the newer half of the window."""
    ended: int = 0
    """Operations that succeeded or failed in the newer half of the window."""
    failed: int = 0
    """Operations that failed in the newer half of the window."""
    ended_before: int = 0
    """`ended` of the older half."""
    failed_before: int = 0
    """`failed` of the older half."""
    total_calls: int = 0
    """Attempts admitted."""
    total_failures: int = 0
    """Attempts that failed."""
    total_rejected: int = 0
    last_failure_time: float | None = None


def admit(breaker: Breaker, now: float, *, is_retry: bool = False) -> tuple[Breaker, BreakerPermit | Rejected]:
    """Start an operation with its first attempt, or the next attempt of a started operation.

    Every permit must be reported with `record` or `record_attempt`, also after a cancellation.
    """
    started = 0 if is_retry else 1
    if breaker.state == "closed":
        permit = BreakerPermit(breaker.state_changes, breaker.total_calls, now)
        return replace(
            breaker,
            total_calls=breaker.total_calls + 1,
            in_flight=breaker.in_flight + started,
            sending=breaker.sending + 1,
        ), permit
    if breaker.state == "open":
        # A clock that was set back (a restart, another host) must not extend the recovery timeout.
        breaker = replace(breaker, since=now) if now < breaker.since < now + _MAX_CLOCK_LEAD else breaker
        left = compute_time_to_probe(breaker, now)
        if left > 0:
            return replace(breaker, total_rejected=breaker.total_rejected + 1), Rejected(left)
        breaker = _move(breaker, "recovery_timeout_passed", now)
    lease = breaker.policy.probe_lease
    under_way = tuple(probe for probe in breaker.probes if now - lease < probe.issued < now + _MAX_CLOCK_LEAD)
    if len(under_way) >= breaker.policy.half_open_probes:
        left = min(1.0, breaker.policy.recovery_timeout)
        return replace(breaker, probes=under_way, total_rejected=breaker.total_rejected + 1), Rejected(left)
    permit = BreakerPermit(breaker.state_changes, breaker.probe_count, now)
    return replace(
        breaker,
        probes=(*under_way, permit),
        probe_count=breaker.probe_count + 1,
        total_calls=breaker.total_calls + 1,
        in_flight=breaker.in_flight + started,
        sending=breaker.sending + 1,
    ), permit


def record(breaker: Breaker, permit: BreakerPermit, verdict: BreakerVerdict, now: float) -> Breaker:
    """Report the end of an operation together with its last attempt, that of `permit`."""
    if verdict == "succeeded" and breaker.state == "closed" and permit.generation == breaker.state_changes:
        breaker = _roll_window(breaker, now)
        return replace(
            breaker,
            in_flight=max(0, breaker.in_flight - 1),
            sending=max(0, breaker.sending - 1),
            failure_count=0,
            failed_attempts=0,
            success_count=breaker.success_count + 1,
            ended=breaker.ended + 1,
        )
    breaker = _end_attempt(breaker, permit, verdict, now)
    return end(breaker, permit.generation, verdict, now)


def record_attempt(breaker: Breaker, permit: BreakerPermit, verdict: BreakerVerdict, now: float) -> Breaker:
    """Report the end of the attempt of `permit`; its operation continues."""
    breaker = _end_attempt(breaker, permit, verdict, now)
    closed = breaker.state == "closed" and permit.generation == breaker.state_changes
    return _trip_if_down(breaker, now) if closed and verdict == "failed" else breaker


def end(breaker: Breaker, generation: int, verdict: BreakerVerdict, now: float) -> Breaker:
    """Report the end of an operation whose attempts have been reported; `generation` is that of its last permit."""
    in_flight = max(0, breaker.in_flight - 1)
    if breaker.state != "closed" or generation != breaker.state_changes or verdict != "failed":
        return replace(breaker, in_flight=in_flight)
    breaker = _roll_window(breaker, now)
    breaker = replace(
        breaker,
        in_flight=in_flight,
        failure_count=breaker.failure_count + 1,
        ended=breaker.ended + 1,
        failed=breaker.failed + 1,
    )
    return _trip_if_down(breaker, now)


def _end_attempt(breaker: Breaker, permit: BreakerPermit, verdict: BreakerVerdict, now: float) -> Breaker:
    """Record the end of one attempt. Half-open, this may close or open the breaker."""
    sending = max(0, breaker.sending - 1)
    if verdict == "failed":
        breaker = replace(breaker, sending=sending, total_failures=breaker.total_failures + 1, last_failure_time=now)
    else:
        breaker = replace(breaker, sending=sending)
    if permit.generation != breaker.state_changes:
        return breaker
    match breaker.state:
        case "closed":
            return replace(breaker, failed_attempts=breaker.failed_attempts + 1) if verdict == "failed" else breaker
        case "half_open":
            return _end_probe(breaker, permit, verdict, now) if permit in breaker.probes else breaker
        case "open":
            return breaker
        case _:
            assert_never(breaker.state)


def _end_probe(breaker: Breaker, permit: BreakerPermit, verdict: BreakerVerdict, now: float) -> Breaker:
    breaker = replace(breaker, probes=tuple(probe for probe in breaker.probes if probe != permit))
    match verdict:
        case "succeeded" | "ignored":
            breaker = replace(breaker, failure_count=0, success_count=breaker.success_count + 1)
            recovered = breaker.success_count >= breaker.policy.success_threshold
            return _move(breaker, "probes_succeeded", now) if recovered else breaker
        case "failed":
            return _move(replace(breaker, failure_count=breaker.failure_count + 1), "probe_failed", now)
        case "cancelled":
            return breaker
        case _:
            assert_never(verdict)


def _trip_if_down(breaker: Breaker, now: float) -> Breaker:
    """Open a closed breaker if one of the three rules holds."""
    policy = breaker.policy
    minimum = max(policy.window_minimum, policy.failure_threshold)
    ended, failed = breaker.ended + breaker.ended_before, breaker.failed + breaker.failed_before
    down = (
        (breaker.failure_count >= policy.failure_threshold and breaker.failure_count >= breaker.in_flight)
        or (ended >= minimum and 2 * failed >= ended)
        or (breaker.failed_attempts >= minimum and breaker.failed_attempts >= 2 * breaker.sending)
    )
    return _move(breaker, "tripped", now) if down else breaker


def _roll_window(breaker: Breaker, now: float) -> Breaker:
    """Move the window to `now`: after half of its length the newer half becomes the older one."""
    half = breaker.policy.window / 2
    age = now - breaker.window_began
    if 0 <= age < half:
        return breaker
    recent = half <= age < 2 * half
    return replace(
        breaker,
        window_began=now,
        ended=0,
        failed=0,
        ended_before=breaker.ended if recent else 0,
        failed_before=breaker.failed if recent else 0,
    )


def _move(breaker: Breaker, move: Move, now: float) -> Breaker:
    """Change the state, and so the generation. `failure_count` is kept for statistics until the breaker closes."""
    state = TRANSITIONS[breaker.state, move]
    return replace(
        breaker,
        state=state,
        since=now if state == "open" else breaker.since,
        failure_count=0 if state == "closed" else breaker.failure_count,
        success_count=0,
        probes=(),
        state_changes=breaker.state_changes + 1,
        failed_attempts=0,
        ended=0,
        failed=0,
        ended_before=0,
        failed_before=0,
    )


def reset(breaker: Breaker, now: float) -> Breaker:
    """Close the breaker and keep the totals.

    Attempts in flight no longer count, unless the breaker was closed already.
    """
    if breaker.state == "closed":
        return replace(
            breaker,
            failure_count=0,
            success_count=0,
            failed_attempts=0,
            ended=0,
            failed=0,
            ended_before=0,
            failed_before=0,
        )
    return _move(breaker, "reset", now)


def is_open(breaker: Breaker, now: float) -> bool:
    """Return whether a call at `now` would be rejected because the recovery timeout has not passed."""
    return compute_time_to_probe(breaker, now) > 0


def compute_time_to_probe(breaker: Breaker, now: float) -> float:
    """Return the seconds until an open breaker admits a probe; 0.0 if it is not open or the timeout has passed."""
    if breaker.state != "open":
        return 0.0
    if breaker.since >= now + _MAX_CLOCK_LEAD:
        return 0.0
    timeout = breaker.policy.recovery_timeout
    left = min(timeout, breaker.since + timeout - now)
    return left if left > _CLOCK_TOLERANCE else 0.0


def build_stats(breaker: Breaker, name: str, now: float, wall: float) -> CircuitBreakerStats:
    """Return statistics; an open breaker whose recovery timeout has passed is reported as "half_open".

    `wall` is the Unix time at `now`, in seconds; `last_failure_time` is reported as Unix time.
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


def judge_fault(fault: Fault | None) -> BreakerVerdict:
    """Map the outcome of an attempt to a verdict on the server; None is a complete response."""
    if fault is None:
        return "succeeded"
    if is_breaker_failure(fault):
        return "failed"
    return "cancelled" if fault.is_local or fault.status is None else "ignored"
