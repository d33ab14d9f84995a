"""Targets: a backend and model with breaker, rate limiter and health, and pools of targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy
from victor_fp.core.resilience.fallback import FallbackPolicy
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.shell.engine.backend import Backend
from victor_fp.shell.engine.in_flight import InFlight, Interruptible
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.store import Cell, Store
from victor_fp.shell.store.memory import MemoryCell, MemoryStore

if TYPE_CHECKING:
    from victor_fp.core.resilience.queue import QueuePolicy
    from victor_fp.core.resilience.rate_limit import Limits
    from victor_fp.core.telemetry.metrics import Metrics
    from victor_fp.shell.engine.budget_keeper import BudgetKeeper
    from victor_fp.shell.engine.rate_limiter import RateLimiter
    from victor_fp.shell.engine.stats import HealthGauge
    from victor_fp.shell.engine.telemetry import LogObserver, Observer

START_ALLOWANCE = 1.0
"""Seconds for the key lookup and the wait for a permit before the first attempt. Without it, the last attempt of an
operation without a deadline could be cut short."""


class ModelState(msgspec.Struct, kw_only=True, eq=False):
    """The state of one model at one target."""

    breaker: Cell[Breaker | None]
    limiter: RateLimiter | None


class Target(msgspec.Struct, kw_only=True, eq=False):
    """One backend and model that an operation may use."""

    backend: Backend
    model: str
    options: Mapping[str, Any] = {}
    """Override those of the caller."""
    timeout: float
    retries: RetryPolicy
    breaker: BreakerPolicy | None = None
    """None disables the breaker."""
    limits: Limits | None = None
    """None disables rate limit and queue."""
    queue: QueuePolicy | None = None
    """None is the default policy."""
    waits_for_breaker: bool = False
    """Whether a call waits for an open breaker, within its deadline, instead of failing."""
    health: HealthGauge | None = None
    """None if the health is not measured."""
    on_attempt: Callable[[Fault | None, float, float], None] | None = None
    """Called after each attempt with its fault, or None, its duration in seconds, and the time."""
    states: dict[str, ModelState] = {}
    """By model."""
    shared_state: ModelState | None = None
    """The state of all models, if they share one."""
    in_flight: InFlight | None = None
    """Counts operations of this target, if others also use its provider."""

    async def make_state(self, model: str, store: Store, runtime: Runtime) -> Result[ModelState, Fault]:
        """Create the state of a model, at its first use."""
        match outcome(await self.backend.compute_scope()):
            case Failure(fault):
                return Failure(fault)
            case Success(scope):
                made = self._make_state(f"{scope}:{model}", model, store, runtime)
                return Success(self.states.setdefault(model, made))

    def read_breaker(self) -> Breaker | None:
        """Return the breaker as last seen by this process."""
        state = self.shared_state or self.states.get(self.model)
        return self._make_breaker() if state is None else state.breaker.state

    def _make_state(self, name: str, model: str, store: Store, runtime: Runtime) -> ModelState:
        limiter: RateLimiter | None = None
        if self.limits is not None:
            from victor_fp.core.resilience.admission import Admission
            from victor_fp.core.resilience.queue import Queue, QueuePolicy
            from victor_fp.core.resilience.rate_limit import Limiter
            from victor_fp.shell.engine.rate_limiter import open_limiter

            fresh = Admission(
                limiter=Limiter(limits=self.limits),
                queue=Queue(policy=self.queue or QueuePolicy(), provider=self.backend.name, model=model),
            )
            limiter = open_limiter(f"limits:{name}", fresh, store, runtime)
        if self.breaker is None:
            return ModelState(breaker=MemoryCell(None, store.now), limiter=limiter)
        from victor_fp.shell.store.packing import CIRCUIT

        return ModelState(breaker=store.open_cell(f"breaker:{name}", self._make_breaker(), CIRCUIT), limiter=limiter)

    def _make_breaker(self) -> Breaker | None:
        return None if self.breaker is None else Breaker(policy=self.breaker)


class TargetPool:
    """The targets of a provider in order, and their shared state."""

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        policy: FallbackPolicy | None = None,
        store: Store | None = None,
        runtime: Runtime,
        metrics: Metrics | None = None,
        log: LogObserver | None = None,
        observers: Sequence[Observer] = (),
        budget: BudgetKeeper | None = None,
        in_flight: InFlight | None = None,
    ) -> None:
        """`policy` may be None for a single target; `metrics` None disables metrics, `log` None the log.

        `in_flight` may be that of another pool, whose operations are then interrupted together with those of this one.
        """
        self.targets = targets
        self.policy = policy
        self.is_single = len(targets) == 1 and (policy is None or policy.max_tries is None)
        """Whether a call needs no plan before its target has failed."""
        self.runtime = runtime
        self.store = store or MemoryStore(runtime)
        self.metrics = metrics
        self.log = log
        self.is_reported = metrics is not None or log is not None
        """Whether operations are reported even without observers."""
        self.observers = tuple(observers)  # an iterator would be exhausted by the first operation
        self.budget = budget
        """The budget shared by all targets."""
        self.in_flight = in_flight or InFlight()
        self.answered: dict[int, int] = {}
        """Number of successful operations by index of the target."""
        self.plan = tuple(fallback.FallbackTarget(provider=one.backend.name, model=one.model) for one in targets)
        """The plan of an operation without a model."""
        self.total_timeout = self.compute_total_timeout(None)
        """Seconds for an operation without a deadline: the sum over all targets, and `START_ALLOWANCE`."""

    def compute_total_timeout(self, timeout: float | None) -> float:
        """Return the seconds for an operation without a deadline, with the caller's timeout for each attempt."""
        return START_ALLOWANCE + sum(
            (timeout or target.timeout) * (target.retries.max_retries + 1) for target in self.targets
        )

    async def resolve(
        self,
        index: int,
        cause: Fault | None,  # noqa: ARG002  used by pools that choose targets dynamically
        operation: Interruptible,  # noqa: ARG002
    ) -> Result[Target, Fault]:
        """Return the target with this index; `cause` is the fault of the previous target."""
        return Success(self.targets[index])


def reset_breaker(breaker: Breaker | None, _: None, now: float) -> tuple[Breaker | None, None]:
    """Close a breaker, as a step of a cell."""
    return (None if breaker is None else circuit.reset(breaker, now)), None
