"""The circuit breaker: fails fast while a server is down, then lets a few probes find out whether it is back.

Rules of the machine.

It hears of operations and of their attempts. An operation starts with `admit`, which also admits its first attempt. An
attempt that fails and will be retried ends with `record_attempt`; the retry asks with `admit(..., is_retry=True)`. The operation ends
with `record` (together with its last attempt) or with `end` (while it rests between attempts). Every permit is handed
back once, by `record` or `record_attempt`.

Closed, every attempt is admitted. A success ends the row of failures. The breaker opens when one of these holds, each
looked at when something has failed:

1. At least `failure_threshold` operations failed since the last success, and they are at least half of all operations
   that were in flight at, or started since, the first of these failures. What is pending counts as not failed, so fast
   failures beside slow successes open nothing. One call after the other, this is: `failure_threshold` failed operations
   in a row. (As a success ends the row, those operations are the failed ones and the ones that are in flight now.)
2. In the last `window` seconds at least `window_minimum` operations ended, and at least half of them failed.
3. At least `window_minimum` attempts failed since the last success, and twice as many as are being sent now. It sees an
   outage before many operations at once have spent their retries on it, so that these can wait for the half-open state.

A larger `failure_threshold` raises both minimums. With a vendor that is down each rule holds in bounded time: the row
grows with every attempt and nothing ends it, while the operations in flight are bounded by the caller's concurrency. With
a vendor that fails less than half of its requests, an operation with retries rarely fails, a row of twenty failed
attempts is about one in a hundred million at 40 %, and rules 1 and 2 ask for half of the operations.

Open, every attempt is rejected with the time left; once `recovery_timeout` has passed, the next one finds the breaker
half-open. Half-open, at most `half_open_probes` attempts are under way at a time and the rest are rejected;
`success_threshold` successes close the breaker, one failure opens it again.

A permit remembers the generation (the count of state changes) in which it was given: a report from an earlier generation
adds to the totals and moves nothing. A probe that was cancelled returns its permit and proves nothing. A probe that is
never reported (its process was killed) is given up after `probe_lease`, so that a lost permit cannot keep the breaker
half-open.

What counts: server errors, overload, timeouts, broken connections and unreadable answers are failures. An answer that
asks the caller to change something or to slow down (4xx, with 429 and an exhausted quota) is not: closed, the operation
counts as if it had not been; half-open, it shows that the server is alive and counts like a success. What never reached
the server, or got no answer through the caller's own doing, counts as cancelled.

Where several processes share a breaker, they share its state and its probes. The counts of the closed state are each
process's own: a process opens the breaker for all by what it sees itself, and a healthy call changes nothing shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import Fault, is_breaker_failure
from victor_fp.core.stats import CircuitBreakerStats

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
"""Seconds that count as passed already: rounding must not reject a caller that waited as long as it was told."""
_FAR = 86400.0
"""Seconds. A time that lies further in the future is no clock's fault: the state was damaged, and the time counts as past."""


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When to open and when to close. Times in seconds."""

    failure_threshold: int = 5
    """Failed operations in a row that open."""
    recovery_timeout: float = 30.0
    """From opening to the first probe."""
    half_open_probes: int = 3
    """Probes under way at a time."""
    success_threshold: int = 2
    """Successes that close."""
    probe_lease: float = 900.0
    """After this a probe without a report is given up."""
    window: float = 60.0
    """Over this time the share of failed operations is taken; kept in two halves, so that it covers between half and all."""
    window_minimum: int = 20
    """Operations, or attempts in a row, that a share is taken of at the least."""


class BreakerPermit(msgspec.Struct, frozen=True, gc=False):
    """Leave to send one attempt; hand it back with `record` or `record_attempt`."""

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
    """Operations that failed since the last success."""
    success_count: int = 0
    """Successes since the last change of state."""
    probes: tuple[BreakerPermit, ...] = ()
    """Probes under way, oldest first."""
    probe_count: int = 0
    """Probes ever admitted."""
    state_changes: int = 0
    in_flight: int = 0
    """Operations that have started and not ended."""
    sending: int = 0
    """Attempts of theirs that have been admitted and not reported."""
    failed_attempts: int = 0
    """Attempts that failed since the last success."""
    window_began: float = 0.0
    """When the newer half of the window began."""
    ended: int = 0
    """Operations that succeeded or failed in the newer half of the window."""
    failed: int = 0
    ended_before: int = 0
    """The same in the older half."""
    failed_before: int = 0
    total_calls: int = 0
    """Attempts admitted."""
    total_failures: int = 0
    """Attempts that failed."""
    total_rejected: int = 0
    last_failure_time: float | None = None


def admit(breaker: Breaker, now: float, *, is_retry: bool = False) -> tuple[Breaker, BreakerPermit | Rejected]:
    """Start an operation with its first attempt, or the next attempt of one that has started already.

    The permit must be handed back, whatever happens.
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
        # A clock that went back (a restart, another host) must not keep the breaker open for longer than the timeout.
        breaker = replace(breaker, since=now) if now < breaker.since < now + _FAR else breaker
        left = compute_time_to_probe(breaker, now)
        if left > 0:
            return replace(breaker, total_rejected=breaker.total_rejected + 1), Rejected(left)
        breaker = _move(breaker, "rested", now)
    lease = breaker.policy.probe_lease
    under_way = tuple(probe for probe in breaker.probes if now - lease < probe.issued < now + _FAR)
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


def record(breaker: Breaker, permit: BreakerPermit, verdict: Verdict, now: float) -> Breaker:
    """Report how an operation ended, together with its last attempt, the one under `permit`."""
    if verdict == "succeeded" and breaker.state == "closed" and permit.generation == breaker.state_changes:
        return _succeed(breaker, now)
    breaker = _end_attempt(breaker, permit, verdict, now)
    return end(breaker, permit.generation, verdict, now)


def record_attempt(breaker: Breaker, permit: BreakerPermit, verdict: Verdict, now: float) -> Breaker:
    """Report how the attempt under `permit` ended, where its operation goes on."""
    breaker = _end_attempt(breaker, permit, verdict, now)
    closed = breaker.state == "closed" and permit.generation == breaker.state_changes
    return _trip_if_down(breaker, now) if closed and verdict == "failed" else breaker


def end(breaker: Breaker, generation: int, verdict: Verdict, now: float) -> Breaker:
    """Report that an operation is over after its attempts were reported; `generation` is that of its last permit."""
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


def _succeed(breaker: Breaker, now: float) -> Breaker:
    """A closed breaker after an operation that went well."""
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


def _end_attempt(breaker: Breaker, permit: BreakerPermit, verdict: Verdict, now: float) -> Breaker:
    """One attempt less is under way. Half-open, it may close or open the breaker."""
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


def _end_probe(breaker: Breaker, permit: BreakerPermit, verdict: Verdict, now: float) -> Breaker:
    breaker = replace(breaker, probes=tuple(probe for probe in breaker.probes if probe != permit))
    match verdict:
        case "succeeded" | "ignored":
            breaker = replace(breaker, failure_count=0, success_count=breaker.success_count + 1)
            recovered = breaker.success_count >= breaker.policy.success_threshold
            return _move(breaker, "recovered", now) if recovered else breaker
        case "failed":
            return _move(replace(breaker, failure_count=breaker.failure_count + 1), "relapsed", now)
        case "cancelled":
            return breaker
        case _:
            assert_never(verdict)


def _trip_if_down(breaker: Breaker, now: float) -> Breaker:
    """Open a closed breaker where one of the three rules holds."""
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
    """The window moved on to `now`: after half of its time the newer half becomes the older one."""
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
        failed_attempts=0,
        ended=0,
        failed=0,
        ended_before=0,
        failed_before=0,
    )


def reset(breaker: Breaker, now: float) -> Breaker:
    """Closed by hand. Totals stay; attempts under way no longer count unless the breaker was closed anyway."""
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
    """Whether a call at `now` would be rejected because the recovery timeout has not passed."""
    return compute_time_to_probe(breaker, now) > 0


def compute_time_to_probe(breaker: Breaker, now: float) -> float:
    """Seconds until an open breaker lets a probe through; 0.0 where it is not open or the time has come."""
    if breaker.state != "open":
        return 0.0
    if breaker.since >= now + _FAR:
        return 0.0
    timeout = breaker.policy.recovery_timeout
    left = min(timeout, breaker.since + timeout - now)
    return left if left > _TICK else 0.0


def build_stats(breaker: Breaker, name: str, now: float, wall: float) -> CircuitBreakerStats:
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


def judge_fault(fault: Fault | None) -> Verdict:
    """What an attempt's end says about the server; None is a whole response."""
    if fault is None:
        return "succeeded"
    if is_breaker_failure(fault):
        return "failed"
    return "cancelled" if fault.is_local or fault.status is None else "ignored"
