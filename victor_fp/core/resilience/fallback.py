"""Fallback: one call over an ordered plan of targets, from the first to the last that may be asked.

Rules of the machine.

The targets are asked in their order, each with the whole of the machine in call.py: its own model and options, its own
breaker, its own retries. When a target settles with a fault that `moves_on` names, the next one is asked; any other
fault is the answer. The caller's own mistakes never move on: they would be mistakes everywhere, or, worse, pass at a
target that reads them in another way. What belongs to the target alone does: its key, its quota, a model it lacks, its
open breaker, its full queue.

Once the first piece of a stream is about to reach the caller, the target is final.

One budget: a plan makes at most `max_tries` tries in all, and a target is told how many it may still make. One
deadline: every target ends by it. With `even_shares`, a target that has others behind it gets no more than its share
of the time that is left, so that a silent first target does not use it all up.

The log of every try at every target goes with the answer as with the fault. Where several were asked and the last one
failed too, the fault is AllFallbacksFailed; where there was only one to ask, it is that one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from victor_fp.core.faults import FAULT_TYPES, AllFallbacksFailed, Attempt, Cancelled, DeadlineExceeded, Fault
from victor_fp.core.json import Json
from victor_fp.core.resilience.deadline import build_deadline_fault

PlanPhase: TypeAlias = Literal["trying", "delivering", "settled"]

TRANSITIONS: Mapping[tuple[PlanPhase, str], tuple[PlanPhase, ...]] = {
    ("trying", "TargetAnswered"): ("settled",),
    ("trying", "TargetFailed"): ("trying", "settled"),
    ("trying", "TargetCommitted"): ("delivering",),
    ("trying", "PlanAbandoned"): ("settled",),
    ("delivering", "TargetAnswered"): ("settled",),
    ("delivering", "TargetFailed"): ("settled",),
    ("delivering", "PlanAbandoned"): ("settled",),
}
"""Where each event may lead; an event that is not here for a phase changes nothing and repeats the order."""

MOVES_ON = frozenset(kind.__name__ for kind in FAULT_TYPES if kind.allows_fallback)
"""Faults of a target, after which another one may do better."""

_UNSENT = frozenset(kind.__name__ for kind in FAULT_TYPES if kind.allows_fallback and kind.is_local)
"""Outcomes of a target that was not sent anything; they use up no try."""


class FallbackPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which faults move on, and how much may be tried."""

    moves_on: frozenset[str] = MOVES_ON
    """Class names of faults. Add "ContextLengthExceeded" where a later target has a larger window."""
    max_fallbacks: int | None = None
    """Targets after the first; None is all of them."""
    max_tries: int | None = None
    """Tries in all, over all targets; None leaves it to each target's own budget."""
    even_shares: bool = False


class FallbackTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One place to ask, with the model's name there."""

    provider: str
    model: str
    options: Mapping[str, Json] = {}
    """What is asked differently here."""


class TargetAnswered(msgspec.Struct, frozen=True):
    """The target settled well."""

    attempts: tuple[Attempt, ...]


class TargetFailed(msgspec.Struct, frozen=True):
    """The target settled with a fault, which carries its tries."""

    fault: Fault


class TargetCommitted(msgspec.Struct, frozen=True, gc=False):
    """The first piece of the answer is about to reach the caller."""


class PlanAbandoned(msgspec.Struct, frozen=True):
    """The caller gave up; `attempts` are the tries at the present target."""

    attempts: tuple[Attempt, ...] = ()


PlanEvent: TypeAlias = TargetAnswered | TargetFailed | TargetCommitted | PlanAbandoned


class TryTarget(msgspec.Struct, frozen=True):
    """Make the call at this target."""

    target: FallbackTarget
    place: int
    max_retries: int | None
    """At most so many tries after the first; None: as the target's own policy says."""
    deadline: float


class DeliverTarget(msgspec.Struct, frozen=True, gc=False):
    """Hand the stream's pieces to the caller."""


class SettlePlan(msgspec.Struct, frozen=True):
    """End the call with the answer at hand, or with `fault`."""

    fault: Fault | None
    attempts: tuple[Attempt, ...]
    """Every try at every target, oldest first, timed from the beginning of the plan; the same tuple is in the fault."""


PlanOrder: TypeAlias = TryTarget | DeliverTarget | SettlePlan


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one call over several targets."""

    policy: FallbackPolicy
    targets: tuple[FallbackTarget, ...]
    began: float
    deadline: float
    order: PlanOrder
    place: int = 0
    asked: float = 0.0
    """When the present target was asked."""
    tries: int = 0
    """Requests that were sent, at all targets so far."""
    attempts: tuple[Attempt, ...] = ()


def begin(
    targets: tuple[FallbackTarget, ...], policy: FallbackPolicy, now: float, deadline: float
) -> tuple[Plan, PlanOrder]:
    """Begin with the first of `targets`. `deadline` is a point of time in the clock of `now`."""
    if policy.max_fallbacks is not None:
        targets = targets[: policy.max_fallbacks + 1]
    plan = Plan(policy=policy, targets=targets, began=now, deadline=deadline, order=DeliverTarget())
    return _ask_target(plan, 0, now) if targets else _settle(plan, AllFallbacksFailed(message="the plan has no target"))


def advance(plan: Plan, event: PlanEvent, now: float) -> tuple[Plan, PlanOrder]:
    """Take in what came of the last order and say what to do next."""
    if (find_phase(plan), type(event).__name__) not in TRANSITIONS:
        return plan, plan.order
    match event:
        case TargetAnswered(attempts):
            return _settle(_log_attempts(plan, attempts), None)
        case TargetFailed(fault):
            return _on_failure(_log_attempts(plan, fault.attempts or (_log_untried(plan, fault, now),)), fault, now)
        case TargetCommitted():
            return replace(plan, order=DeliverTarget()), DeliverTarget()
        case PlanAbandoned(attempts):
            target = plan.targets[plan.place]
            gone = Cancelled(provider=target.provider, model=target.model, message="the caller gave up")
            return _settle(_log_attempts(plan, attempts), gone)
        case _:
            assert_never(event)


def find_phase(plan: Plan) -> PlanPhase:
    """Where the plan stands."""
    match plan.order:
        case TryTarget():
            return "trying"
        case DeliverTarget():
            return "delivering"
        case SettlePlan():
            return "settled"
        case _:
            assert_never(plan.order)


def _on_failure(plan: Plan, fault: Fault, now: float) -> tuple[Plan, PlanOrder]:
    # A deadline that ends a target before the plan's own is only its share of the time.
    share_used = isinstance(fault, DeadlineExceeded) and plan.policy.even_shares and now < plan.deadline
    name = type(fault).__name__
    if isinstance(plan.order, DeliverTarget) or not (share_used or name in plan.policy.moves_on):
        return _settle(plan, fault)
    following = plan.place + 1
    spent = plan.policy.max_tries is not None and plan.tries >= plan.policy.max_tries
    if now >= plan.deadline and len(plan.targets) > following:
        return _settle(plan, build_deadline_fault(fault.provider, fault.model, plan.deadline - plan.began, fault))
    if following >= len(plan.targets) or spent:
        return _settle(plan, fault if plan.place == 0 else _build_all_failed_fault(plan, fault))
    return _ask_target(plan, following, now)


def _ask_target(plan: Plan, place: int, now: float) -> tuple[Plan, PlanOrder]:
    policy = plan.policy
    retries = None if policy.max_tries is None else policy.max_tries - plan.tries - 1
    shares = len(plan.targets) - place if policy.even_shares else 1
    ask = TryTarget(
        plan.targets[place], place, retries, now + (plan.deadline - now) / shares if shares > 1 else plan.deadline
    )
    return replace(plan, place=place, asked=now, order=ask), ask


def _log_attempts(plan: Plan, attempts: tuple[Attempt, ...]) -> Plan:
    """The target's own log, timed from the beginning of the plan."""
    offset = plan.asked - plan.began
    shifted = attempts if offset == 0 else tuple(replace(one, started=one.started + offset) for one in attempts)
    sent = sum(attempt.outcome not in _UNSENT for attempt in attempts)
    return replace(plan, attempts=plan.attempts + shifted, tries=plan.tries + sent)


def _log_untried(plan: Plan, fault: Fault, now: float) -> Attempt:
    """The line in the log for a target that settled before it tried anything."""
    target = plan.targets[plan.place]
    return Attempt(
        provider=target.provider,
        model=target.model,
        seconds=now - plan.asked,
        outcome=type(fault).__name__,
        status=fault.status,
        message=fault.message,
    )


def _build_all_failed_fault(plan: Plan, fault: Fault) -> AllFallbacksFailed:
    return AllFallbacksFailed(
        provider=fault.provider,
        model=fault.model,
        message=f"all {plan.place + 1} targets failed; last: {type(fault).__name__}: {fault.message}",
        status=fault.status,
        code=fault.code,
        request_id=fault.request_id,
        retry_after=fault.retry_after,
        maybe_billed=fault.maybe_billed,
        last=type(fault).__name__,
    )


def _settle(plan: Plan, fault: Fault | None) -> tuple[Plan, PlanOrder]:
    told: Fault | None = replace(fault, attempts=plan.attempts) if fault is not None else None
    settle = SettlePlan(told, plan.attempts)
    return replace(plan, order=settle), settle
