"""Actors of the simulation: its settings, the sites with their machines, and the callers."""

from __future__ import annotations

import math
from random import Random

import msgspec

from tests.core.resilience.simulation.scheduler import Actor
from tests.core.resilience.simulation.vendor import Vendor
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy
from victor_fp.core.resilience.health import Health
from victor_fp.core.resilience.queue import Priority, Queue, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limiter, Limits, Permit


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run depends on; the same scenario gives the same run."""

    seed: int
    hours: float = 1.0
    bursts_per_hour: int = 6
    calls_per_burst: int = 40
    vendors: int = 3
    concurrency: int = 8
    requests_per_minute: int = 30
    max_retries: int = 3
    max_tries: int = 6
    queue_size: int = 30
    max_wait: float = 90.0
    half_open_probes: int = 2


class Violation(AssertionError):
    """A law was broken."""


class Site:
    """One target: its vendor, and the machines in front of it."""

    def __init__(self, name: str, scenario: Scenario, *, generous: bool) -> None:
        limit = scenario.requests_per_minute
        self.name = name
        self.vendor = Vendor(name, scenario.seed, limit if generous else limit // 3, says=generous)
        self.breaker = Breaker(policy=BreakerPolicy(half_open_probes=scenario.half_open_probes))
        limits = Limits(requests_per_minute=limit, concurrency=scenario.concurrency, tokens_per_minute=100_000)
        queue = Queue(policy=QueuePolicy(max_size=scenario.queue_size, max_wait=scenario.max_wait), provider=name)
        self.admission = Admission(limiter=Limiter(limits=limits), queue=queue)
        self.health = Health()
        self.parked: dict[int, Actor] = {}
        self.granted: dict[int, Permit] = {}
        """Grants that are on their way to their callers."""
        self.running: set[int] = set()
        """Serial numbers of the permits that callers hold."""
        self.sent: list[float] = []
        """When requests of the last minute were sent."""
        self.wake = math.inf
        self.failures = 0
        """Requests that showed the vendor failing."""
        self.answered = 0
        """Requests that were answered."""
        self.tries: dict[int, circuit.BreakerPermit] = {}
        """The breaker's permits that callers hold."""
        self.quiet: tuple[float, float] = (math.inf, -math.inf)
        """Start and end of the vendor's last Retry-After."""


class Caller:
    """One call, with what must hold of it."""

    def __init__(self, number: int, scenario: Scenario, now: float) -> None:
        self.dice = Random(f"{scenario.seed}/{number}")
        self.number = number
        self.actor: Actor | None = None
        self.priority = self.dice.choice(list(Priority))
        self.stream = self.dice.random() < 0.5
        self.tokens = self.dice.randrange(100, 5000)
        self.deadline = now + self.dice.uniform(2.0, 240.0)
        self.committed = False
        self.sends: dict[str, int] = {}
        """Per site, the requests that cost a try."""
        self.seen: dict[str, int] = {}
        """Per site, how many calls it had answered when this one last looked."""
        self.not_before: dict[str, float] = {}
        """Per site, when its last Retry-After ends."""
        self.settled: fallback.SettlePlan | None = None
        self.plan: fallback.Plan | None = None
