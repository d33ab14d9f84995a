"""Fallback: one call over an ordered list of targets, until one succeeds or no other target may be called.

Rules of the machine.

The targets are called in order. Each call of a target runs the machine in call.py with the target's own model, options,
breaker and retries. If a target settles with a fault whose type is in `moves_on`, the next target is called; any other
fault ends the plan. Faults of the caller's request do not move on: every target would reject the request, or, worse,
one would interpret it differently. Faults that concern only the target do: its key, its quota, a missing model, its
open breaker, its full queue.

Once the first part of a stream is about to be delivered to the caller, no other target is called.

There is one budget: a plan makes at most `max_tries` attempts in total, and each target is given the number that
remains. There is one deadline, for all targets. With `even_shares`, a target that is not the last one gets at most its
share of the remaining time, so that a first target that does not respond cannot use it up.

The log of all attempts at all targets is part of the response and of the fault. If several targets were called and the
last one failed too, the fault is AllFallbacksFailed; if only one was called, the plan ends with that target's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import FAULT_TYPES, AllFallbacksFailed, Attempt, Cancelled, DeadlineExceeded, Fault
from victor_fp.core.json import Json
from victor_fp.core.resilience.deadline import build_deadline_fault

PlanPhase: TypeAlias = Literal["calling", "delivering", "settled"]

TRANSITIONS: Mapping[tuple[PlanPhase, str], tuple[PlanPhase, ...]] = {
    ("calling", "TargetSucceeded"): ("settled",),
    ("calling", "TargetFailed"): ("calling", "settled"),
    ("calling", "TargetCommitted"): ("delivering",),
    ("calling", "PlanAbandoned"): ("settled",),
    ("delivering", "TargetSucceeded"): ("settled",),
    ("delivering", "TargetFailed"): ("settled",),
    ("delivering", "PlanAbandoned"): ("settled",),
}
"""Possible next phases of each event. An event that is not listed for a phase is ignored: the order is repeated."""

MOVES_ON = frozenset(kind.__name__ for kind in FAULT_TYPES if kind.allows_fallback)
"""Names of the fault types after which the next target is called."""

_UNSENT = frozenset(kind.__name__ for kind in FAULT_TYPES if kind.is_unsent)
"""Outcomes of attempts that were not sent; they do not count against `max_tries`."""


class FallbackPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The faults that move on to the next target, and the limits of a plan."""

    moves_on: frozenset[str] = MOVES_ON
    """Class names of faults. Add "ContextLengthExceeded" if a later target has a larger context window."""
    max_fallbacks: int | None = None
    """Maximum number of targets after the first; None is unlimited."""
    max_tries: int | None = None
    """Maximum number of attempts over all targets; None: only the retry policy of each target applies."""
    even_shares: bool = False
    """Divide the remaining time evenly among the remaining targets."""


class FallbackTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One provider, and the name of the model there."""

    provider: str
    model: str
    options: Mapping[str, Json] = {}
    """Request options that differ for this target."""


class TargetSucceeded(msgspec.Struct, frozen=True):
    """The call of the target succeeded."""

    attempts: tuple[Attempt, ...]


class TargetFailed(msgspec.Struct, frozen=True):
    """The call of the target ended with a fault, which holds its attempts."""

    fault: Fault


class TargetCommitted(msgspec.Struct, frozen=True, gc=False):
    """The first part of the response is about to be delivered to the caller."""


class PlanAbandoned(msgspec.Struct, frozen=True):
    """The caller cancelled the call; `attempts` are those at the current target."""

    attempts: tuple[Attempt, ...] = ()


PlanEvent: TypeAlias = TargetSucceeded | TargetFailed | TargetCommitted | PlanAbandoned


class CallTarget(msgspec.Struct, frozen=True):
    """Call this target."""

    phase: ClassVar[PlanPhase] = "calling"

    target: FallbackTarget
    index: int
    """Index of the target in the plan."""
    max_retries: int | None
    """Maximum number of retries; None: that of the target's own policy."""
    deadline: float


class DeliverTarget(msgspec.Struct, frozen=True, gc=False):
    """Deliver the stream to the caller."""

    phase: ClassVar[PlanPhase] = "delivering"


class SettlePlan(msgspec.Struct, frozen=True):
    """End the call with the response, or with `fault`."""

    phase: ClassVar[PlanPhase] = "settled"

    fault: Fault | None
    attempts: tuple[Attempt, ...]
    """All attempts at all targets, oldest first, timed from the start of the plan; the fault holds the same tuple."""


PlanOrder: TypeAlias = CallTarget | DeliverTarget | SettlePlan


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one call over several targets."""

    policy: FallbackPolicy
    targets: tuple[FallbackTarget, ...]
    began: float
    deadline: float
    order: PlanOrder
    index: int = 0
    target_started: float = 0.0
    """Time at which the call of the current target started."""
    sent: int = 0
    """Requests sent so far, to all targets."""
    attempts: tuple[Attempt, ...] = ()


def begin(
    targets: tuple[FallbackTarget, ...], policy: FallbackPolicy, now: float, deadline: float
) -> tuple[Plan, PlanOrder]:
    """Start with the first of `targets`. `deadline` is a time in the clock of `now`."""
    if policy.max_fallbacks is not None:
        targets = targets[: policy.max_fallbacks + 1]
    plan = Plan(policy=policy, targets=targets, began=now, deadline=deadline, order=DeliverTarget())
    return (
        _start_target(plan, 0, now) if targets else _settle(plan, AllFallbacksFailed(message="the plan has no target"))
    )


def advance(plan: Plan, event: PlanEvent, now: float) -> tuple[Plan, PlanOrder]:
    """Apply the outcome of the last order and return the next order."""
    if (plan.order.phase, type(event).__name__) not in TRANSITIONS:
        return plan, plan.order
    match event:
        case TargetSucceeded(attempts):
            return _settle(_log_attempts(plan, attempts), None)
        case TargetFailed(fault):
            return _on_failure(
                _log_attempts(plan, fault.attempts or (_build_unsent_attempt(plan, fault, now),)), fault, now
            )
        case TargetCommitted():
            return replace(plan, order=DeliverTarget()), DeliverTarget()
        case PlanAbandoned(attempts):
            target = plan.targets[plan.index]
            cancelled = Cancelled(provider=target.provider, model=target.model, message="the caller cancelled the call")
            return _settle(_log_attempts(plan, attempts), cancelled)
        case _:
            assert_never(event)


def _on_failure(plan: Plan, fault: Fault, now: float) -> tuple[Plan, PlanOrder]:
    # A deadline before that of the plan is the target's share of the time.
    share_used = isinstance(fault, DeadlineExceeded) and plan.policy.even_shares and now < plan.deadline
    name = type(fault).__name__
    if isinstance(plan.order, DeliverTarget) or not (share_used or name in plan.policy.moves_on):
        return _settle(plan, fault)
    following = plan.index + 1
    spent = plan.policy.max_tries is not None and plan.sent >= plan.policy.max_tries
    if now >= plan.deadline and len(plan.targets) > following:
        return _settle(plan, build_deadline_fault(fault.provider, fault.model, plan.deadline - plan.began, fault))
    if following >= len(plan.targets) or spent:
        return _settle(plan, fault if plan.index == 0 else _build_all_failed_fault(plan, fault))
    return _start_target(plan, following, now)


def _start_target(plan: Plan, index: int, now: float) -> tuple[Plan, PlanOrder]:
    policy = plan.policy
    retries = None if policy.max_tries is None else policy.max_tries - plan.sent - 1
    shares = len(plan.targets) - index if policy.even_shares else 1
    ask = CallTarget(
        plan.targets[index], index, retries, now + (plan.deadline - now) / shares if shares > 1 else plan.deadline
    )
    return replace(plan, index=index, target_started=now, order=ask), ask


def _log_attempts(plan: Plan, attempts: tuple[Attempt, ...]) -> Plan:
    """Append the attempts of the current target, timed from the start of the plan."""
    offset = plan.target_started - plan.began
    shifted = attempts if offset == 0 else tuple(replace(one, started=one.started + offset) for one in attempts)
    sent = sum(attempt.outcome not in _UNSENT for attempt in attempts)
    return replace(plan, attempts=plan.attempts + shifted, sent=plan.sent + sent)


def _build_unsent_attempt(plan: Plan, fault: Fault, now: float) -> Attempt:
    """Build the log entry of a target that failed before its first attempt."""
    target = plan.targets[plan.index]
    return Attempt(
        provider=target.provider,
        model=target.model,
        seconds=now - plan.target_started,
        outcome=type(fault).__name__,
        status=fault.status,
        message=fault.message,
    )


def _build_all_failed_fault(plan: Plan, fault: Fault) -> AllFallbacksFailed:
    return AllFallbacksFailed(
        provider=fault.provider,
        model=fault.model,
        message=f"all {plan.index + 1} targets failed; last: {type(fault).__name__}: {fault.message}",
        status=fault.status,
        code=fault.code,
        request_id=fault.request_id,
        retry_after=fault.retry_after,
        maybe_billed=fault.maybe_billed,
        last=type(fault).__name__,
    )


def _settle(plan: Plan, fault: Fault | None) -> tuple[Plan, PlanOrder]:
    shown: Fault | None = replace(fault, attempts=plan.attempts) if fault is not None else None
    settle = SettlePlan(shown, plan.attempts)
    return replace(plan, order=settle), settle
