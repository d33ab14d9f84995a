"""A target: one source and model with the breaker, the rate limit and the health that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from returns.result import Failure, Success

from victor_fp.core.faults import Attempt, Fault
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import call as calling
from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy, verdict_of
from victor_fp.core.resilience.call import Call, Event, Order
from victor_fp.core.resilience.health import Health, observed
from victor_fp.core.resilience.queue import Queue, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limiter, Limits
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.shell.managed_door import Door
from victor_fp.shell.managed_source import Source
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.store import Cell, Store
from victor_fp.shell.store.memory import MemoryCell
from victor_fp.shell.store.packing import CIRCUIT, LIMITS


@dataclass(kw_only=True)
class Place:
    """What one (place, key, model) has to itself."""

    breaker: Cell[Breaker | None]
    door: Door | None


@dataclass(kw_only=True)
class Target:
    """One of the places that a managed provider may ask."""

    source: Source
    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    """Asked differently here, over what the caller asks."""
    timeout: float
    retries: RetryPolicy
    breaker: BreakerPolicy | None
    """None is no breaker."""
    wait_when_open: bool = False
    """Calls wait for an open circuit inside their deadline."""
    limits: Limits | None
    """None is no rate limit and no line."""
    queue: QueuePolicy
    store: Store
    runtime: Runtime
    health: Health = field(default_factory=Health)
    places: dict[str, Place] = field(default_factory=dict)
    """By model."""

    async def place(self, model: str) -> Place | Fault:
        """The place for a model, made when it is first asked."""
        found = self.places.get(model)
        if found is not None:
            return found
        match outcome(await self.source.scope()):
            case Failure(fault):
                return fault
            case Success(scope):
                return self.places.setdefault(model, self._made(f"{scope}:{model}", model))

    def observe(self, fault: Fault | None, seconds: float) -> None:
        """Learn from a try."""
        self.health = observed(self.health, verdict_of(fault), seconds, self.store.now())

    def circuit(self) -> Breaker | None:
        """The breaker as it stands."""
        place = self.places.get(self.model)
        return place.breaker.state if place is not None else self._fresh()

    def close(self) -> None:
        """Send away who waits."""
        for place in self.places.values():
            if place.door is not None:
                place.door.close()

    def _made(self, name: str, model: str) -> Place:
        door: Door | None = None
        if self.limits is not None:
            fresh = Admission(
                limiter=Limiter(limits=self.limits),
                queue=Queue(policy=self.queue, provider=self.source.name, model=model),
            )
            door = Door(self.store.cell(f"limits:{name}", fresh, LIMITS), self.store, self.runtime)
        if self.breaker is None:
            return Place(breaker=MemoryCell(None, self.store.now), door=door)
        return Place(breaker=self.store.cell(f"breaker:{name}", self._fresh(), CIRCUIT), door=door)

    def _fresh(self) -> Breaker | None:
        return None if self.breaker is None else Breaker(policy=self.breaker)


class Tries:
    """The machine of one call, over a breaker that lives in a cell. `order` is what to do now."""

    __slots__ = ("_began", "_call", "_cell", "order")

    def __init__(
        self,
        cell: Cell[Breaker | None],
        policy: RetryPolicy,
        *,
        timeout: float,
        deadline: float,
        provider: str,
        model: str,
        wait_when_open: bool = False,
    ) -> None:
        self._cell = cell
        self._call: Call | None = None
        self._began = (policy, timeout, deadline, provider, model, wait_when_open)
        self.order: Order = calling.Deliver()

    async def begin(self) -> Order:
        """Ask for the first try."""
        await self._cell.change(self._begin, self._took)
        return self.order

    async def advance(self, event: Event) -> Order:
        """Report what came of the last order."""
        await self._cell.change(lambda breaker, now: self._advance(event, breaker, now), self._took)
        return self.order

    def abandon(self) -> tuple[Attempt, ...]:
        """Give up a call that has not settled; the tries that are known of."""
        if self._call is None or not isinstance(self.order, calling.Settle):
            event = calling.Abandoned()
            self._cell.post(lambda breaker, now: self._advance(event, breaker, now), self._took)
        return self.order.attempts if isinstance(self.order, calling.Settle) else ()

    def _begin(self, breaker: Breaker | None, now: float) -> tuple[Breaker | None, tuple[Call | None, Order]]:
        policy, timeout, deadline, provider, model, wait_when_open = self._began
        call, breaker, order = calling.begin(
            policy,
            breaker,
            now,
            timeout=timeout,
            deadline=deadline,
            provider=provider,
            model=model,
            wait_when_open=wait_when_open,
        )
        return breaker, (call, order)

    def _advance(
        self, event: Event, breaker: Breaker | None, now: float
    ) -> tuple[Breaker | None, tuple[Call | None, Order]]:
        if self._call is None:
            return breaker, (None, self.order)
        call, breaker, order = calling.advance(self._call, breaker, event, now)
        return breaker, (call, order)

    def _took(self, step: tuple[Call | None, Order]) -> None:
        self._call, self.order = step


def reset(breaker: Breaker | None, now: float) -> tuple[Breaker | None, None]:
    """Closed by hand, as a step."""
    return (None if breaker is None else circuit.reset(breaker, now)), None
