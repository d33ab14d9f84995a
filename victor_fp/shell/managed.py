"""One operation over an ordered plan of targets: carries out what the machines order, for calls and streams alike.

Nothing is decided here. `core/resilience/fallback.py` says which target is asked, `call.py` when it is tried, and
`admission.py`, behind the target's door, when a try may go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from msgspec.structs import replace

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS
from victor_fp.core.faults import Attempt, Cancelled, Fault
from victor_fp.core.metrics import NO_PIECES, Metrics, paced, recorded, sampled
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.call import Send
from victor_fp.core.resilience.deadline import deadline_exceeded
from victor_fp.core.resilience.fallback import Ask, FallbackPolicy
from victor_fp.core.resilience.rate_limit import Permit
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.token_estimates import estimated_tokens
from victor_fp.core.types import CompletionResponse, StreamChunk, Usage
from victor_fp.shell import telemetry
from victor_fp.shell.managed_source import Asking, Prepared
from victor_fp.shell.managed_target import Place, Target, Tries
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.store import Store
from victor_fp.shell.telemetry import Begun, Ended, Observer

MOMENT = 1.0
"""Seconds for what comes before the first try: a key looked up, a place in line. Without it the last try would seem cut short."""


@dataclass(kw_only=True)
class Pool:
    """Targets in their order, and what they share."""

    targets: Sequence[Target]
    policy: FallbackPolicy
    store: Store
    runtime: Runtime
    metrics: Metrics | None = None
    """None where nobody wants them."""
    observers: Sequence[Observer] = ()
    answered: dict[int, int] = field(default_factory=dict)
    """Operations that each target, by its place, has answered."""

    @cached_property
    def plan(self) -> tuple[fallback.Target, ...]:
        """The targets as an operation is planned that names no model."""
        return tuple(fallback.Target(provider=target.source.name, model=target.model) for target in self.targets)

    @cached_property
    def patience(self) -> float:
        """Seconds for an operation without bounds: as long as each target would be allowed alone, and a moment to begin."""
        return self.patience_with(None)

    def patience_with(self, timeout: float | None) -> float:
        """The same where the caller bounds each try."""
        return MOMENT + sum((timeout or target.timeout) * (target.retries.max_retries + 1) for target in self.targets)


class Operation:
    """One operation, from the caller's first await to its end."""

    def __init__(self, pool: Pool, asking: Asking) -> None:
        first = pool.targets[0]
        self.pool = pool
        self.asking = asking
        self.store = pool.store
        self.began = pool.store.now()
        self.queued = 0.0
        self.sent: float | None = None
        """When the last request went out."""
        self.pace = NO_PIECES
        self.place = 0
        """Of the target that is being asked."""
        self.tokens = -1
        """Estimated when somebody counts them."""
        self.abandoned: tuple[Attempt, ...] = ()
        """Tries at the target that was asked last."""
        timeout, deadline = asking.options.get("timeout"), asking.options.get("deadline")
        self.timeout = float(timeout) if isinstance(timeout, int | float) and timeout else None
        self.bounded = isinstance(deadline, int | float)
        patience = pool.patience if self.timeout is None else pool.patience_with(self.timeout)
        self.deadline = self.began + (float(deadline) if isinstance(deadline, int | float) else patience)
        self._plan = pool.plan
        if asking.model and asking.model != first.model:
            self._plan = (replace(self._plan[0], model=asking.model), *self._plan[1:])
        self._listeners: list[telemetry.Hear] = []
        if pool.observers:
            planned = self._plan[0]
            begun = Begun(provider=planned.provider, model=planned.model, address=first.source.address, asking=asking)
            self._listeners = telemetry.begun(pool.observers, begun)

    def begin(self) -> tuple[fallback.Plan, fallback.Order]:
        """The plan and its first order."""
        return fallback.begin(self._plan, self.pool.policy, self.began, self.deadline)

    @property
    def asked(self) -> fallback.Target:
        """Whom and what is being asked."""
        return self._plan[self.place]

    def options_at(self, place: int) -> Mapping[str, object]:
        """The caller's options with the target's own over them."""
        own = self.pool.targets[place].options
        return {**self.asking.options, **own} if own else self.asking.options

    def tries(self, ask: Ask, place: Place) -> Tries:
        """The machine for the calls at one target."""
        target = self.pool.targets[ask.place]
        policy = target.retries
        if ask.max_retries is not None and ask.max_retries < policy.max_retries:
            policy = RetryPolicy(
                max_retries=max(0, ask.max_retries), base=policy.base, cap=policy.cap, jitter=policy.jitter
            )
        return Tries(
            place.breaker,
            policy,
            timeout=self.timeout or target.timeout,
            deadline=ask.deadline,
            provider=ask.target.provider,
            model=ask.target.model,
            wait_when_open=target.wait_when_open,
        )

    async def enter(self, place: Place, order: Send) -> Permit | Fault | None:
        """Leave to send, or why there is none; None where no limit stands before the target."""
        now = self.store.now()
        leave: Permit | Fault | None = None
        if place.door is not None:
            if self.tokens < 0:
                self.tokens = _estimate(self.asking)
            leave = await place.door.enter(self.asking.priority, self.tokens, order.deadline)
            entered, now = now, self.store.now()
            self.queued += now - entered
        if leave is not None and not isinstance(leave, Permit):
            return leave if leave.provider else replace(leave, provider=self.asked.provider, model=self.asked.model)
        if now >= order.deadline and leave is not None and place.door is not None:
            place.door.turn_back(leave)
            return deadline_exceeded(self.asked.provider, self.asked.model, order.deadline - self.began, None)
        self.sent = now
        self.pace = NO_PIECES
        return leave

    def tried(
        self, place: Place, permit: Permit | None, prepared: Prepared, fault: Fault | None, usage: Usage | None
    ) -> None:
        """A try is over: give the permit back, and learn from it."""
        if permit is not None and place.door is not None:
            place.door.leave(permit, fault=fault, used=_used(usage), headers=prepared.heard)
        if self.sent is not None:
            self.pool.targets[self.place].observe(fault, self.store.now() - self.sent)

    def received(self) -> None:
        """Pieces of the answer have come."""
        self.pace = paced(self.pace, self.store.now())

    def ended(
        self,
        outcome: str,
        attempts: Sequence[Attempt],
        *,
        fault: Fault | None = None,
        answer: CompletionResponse | StreamChunk | None = None,
        text: str | None = None,
    ) -> None:
        """The end, told to metrics and observers."""
        pool, now = self.pool, self.store.now()
        if outcome == "ok":
            pool.answered[self.place] = pool.answered.get(self.place, 0) + 1
        if pool.metrics is None and not self._listeners:
            return
        usage = None if answer is None else answer.usage
        sample = sampled(
            attempts,
            provider=self.asked.provider,
            model=self.asked.model,
            streamed=self.asking.stream,
            outcome=outcome,
            seconds=now - self.began,
            queued=self.queued,
            sent=self.sent,
            ended=now,
            pace=self.pace,
            usage=None if usage is None else _counts(usage),
        )
        if pool.metrics is not None:
            pool.metrics = recorded(pool.metrics, sample)
        if self._listeners:
            ending = Ended(sample=sample, answer=answer, text=text, fault=fault, attempts=attempts)
            telemetry.ended(self._listeners, ending)


def gave_up(operation: Operation) -> Cancelled:
    """The fault for a try whose caller has left."""
    return Cancelled(provider=operation.asked.provider, model=operation.asked.model)


def _estimate(asking: Asking) -> int:
    chosen = asking.max_tokens if asking.max_tokens != DEFAULT_MAX_TOKENS else None
    return estimated_tokens(asking.messages, asking.tools, chosen)


def _used(usage: Usage | None) -> int | None:
    if usage is None:
        return None
    total = usage.get("total_tokens")
    if total is None and ("prompt_tokens" in usage or "completion_tokens" in usage):
        return usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    return total


def _counts(usage: Usage) -> dict[str, int]:
    return {name: value for name, value in usage.items() if isinstance(value, int)}
