"""Many processes on one limit in virtual time: the machines of admission, lease and pool with a network between them."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from victor_fp.core.faults import Fault, RateLimited
from victor_fp.core.resilience import lease as leasing
from victor_fp.core.resilience.admission import (
    Admission,
    AdmissionEvent,
    Arrived,
    Finished,
    Grant,
    Refuse,
    Wake,
    Woken,
    advance,
)
from victor_fp.core.resilience.lease import Lease
from victor_fp.core.resilience.pool import Lent, Pool, lend
from victor_fp.core.resilience.queue import Queue, QueuePolicy
from victor_fp.core.resilience.rate_limit import Limiter, Limits, Loan, Permit

BEGIN = 1_000_000.0


@dataclass
class Process:
    """One process: `tasks` callers that send one call after the other."""

    name: str
    admission: Admission
    lease: Lease
    tasks: int
    latency: float
    """Seconds to the server, one way."""
    pause: float
    """Seconds between a caller's calls."""
    deadline: float
    sent: list[float] = field(default_factory=list)
    used: list[int] = field(default_factory=list)
    """Tokens of each request in `sent`."""
    refused: list[tuple[float, Fault]] = field(default_factory=list)
    waits: dict[int, float] = field(default_factory=dict)
    """When each call that waits arrived."""
    in_flight: int = 0
    scripts: int = 0
    is_dead: bool = False
    stopped_until: float = -math.inf
    wakes_at: float = math.inf
    asks_at: float = math.inf
    lost_until: float = -math.inf
    """Until when the server is out of this process's reach alone."""
    again_at: float = -math.inf
    """Until when the server is left alone after a loss."""


class SharedLimit:
    """The world: advance it with `run`."""

    def __init__(
        self,
        limits: Limits,
        *,
        processes: int,
        tasks: int,
        seed: int = 1,
        duration: float = 0.3,
        pause: float = 0.0,
        deadline: float = math.inf,
        is_closed: bool = False,
    ) -> None:
        self.luck = random.Random(seed)
        self.now = BEGIN
        self.duration = duration
        self.use: Callable[[], int] = lambda: 100
        """Returns the tokens that the next call uses; the estimate is 100."""
        self.pool: Pool | None = None
        self.lost_until = -math.inf
        self.timeout = 0.5
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = itertools.count()
        self._tickets = itertools.count()
        queue = Queue(policy=QueuePolicy(max_size=10**6, max_wait=10**6), provider="p", model="m")
        fresh = Admission(limiter=Limiter(limits=limits, loan=Loan()), queue=queue)
        self.limits = limits
        self.processes = [
            Process(f"{index:04x}", fresh, Lease(is_closed=is_closed), tasks, 0.0005, pause, deadline)
            for index in range(processes)
        ]
        for process in self.processes:
            self.add_tasks(process, tasks)

    def add_tasks(self, process: Process, count: int) -> None:
        """Start further callers in a process."""
        for _ in range(count):
            self.schedule(self.luck.random() * 0.5, process, self._start_call)

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, act = heapq.heappop(self._events)
            act()
        self.now = end

    def schedule(self, seconds: float, process: Process, act: Callable[[Process], None]) -> None:
        """Do something in a process after some time; later where it is stopped, never where it is dead."""

        def run_in_time() -> None:
            if process.is_dead:
                return
            if self.now < process.stopped_until:
                heapq.heappush(self._events, (process.stopped_until, next(self._serials), run_in_time))
                return
            act(process)

        heapq.heappush(self._events, (self.now + seconds, next(self._serials), run_in_time))

    def limit(self, process: Process, seconds: float) -> None:
        """The vendor refuses a request of this process and names a time."""
        permit = process.admission.limiter.under_way[0]
        self._step(process, Finished(permit=permit, fault=RateLimited(message="slow down", retry_after=seconds)))

    @property
    def sent(self) -> list[float]:
        """When requests reached the vendor."""
        return sorted(itertools.chain.from_iterable(process.sent for process in self.processes))

    @property
    def tokens(self) -> list[tuple[float, int]]:
        """When requests reached the vendor, and the tokens that each used."""
        return sorted(itertools.chain.from_iterable(zip(one.sent, one.used, strict=True) for one in self.processes))

    @property
    def in_flight(self) -> int:
        """Requests at the vendor, those of stopped processes included."""
        return sum(process.in_flight for process in self.processes if not process.is_dead)

    @property
    def scripts(self) -> int:
        """What the server ran."""
        return sum(process.scripts for process in self.processes)

    def _start_call(self, process: Process) -> None:
        ticket = next(self._tickets)
        process.waits[ticket] = self.now
        self._step(process, Arrived(ticket=ticket, tokens=100, deadline=self.now + process.deadline))

    def _step(self, process: Process, event: AdmissionEvent) -> None:
        process.admission, orders = advance(process.admission, event, self.now)
        for order in orders:
            match order:
                case Grant(ticket, permit):
                    del process.waits[ticket]
                    self._send(process, permit)
                case Refuse(ticket, fault):
                    process.refused.append((self.now - process.waits.pop(ticket), fault))
                    self.schedule(0.05, process, self._start_call)
                case Wake(at):
                    if at < process.wakes_at:
                        process.wakes_at = at
                        self.schedule(max(0.0, at - self.now), process, self._wake)
        self._plan(process)

    def _send(self, process: Process, permit: Permit) -> None:
        used = self.use()
        process.sent.append(self.now)
        process.used.append(used)
        process.in_flight += 1

        def finish(process: Process) -> None:
            process.in_flight -= 1
            self._step(process, Finished(permit=permit, used=used))
            self.schedule(process.pause * 2 * self.luck.random(), process, self._start_call)

        self.schedule(self.duration * (0.5 + self.luck.random()), process, finish)

    def _wake(self, process: Process) -> None:
        process.wakes_at = math.inf
        self._step(process, Woken())

    def _plan(self, process: Process) -> None:
        process.lease = leasing.plan(process.lease, process.admission, self.now, self.luck.random())
        due = process.lease.due
        if due < math.inf and due != process.asks_at:
            process.asks_at = due
            self.schedule(max(0.0, due - self.now), process, self._ask)

    def _ask(self, process: Process) -> None:
        if process.lease.asked is not None or self.now < process.lease.due:
            return
        process.asks_at = math.inf
        process.lease, borrow = leasing.ask(process.lease, process.admission, process.name, self.now)
        if self.now < process.again_at:
            self._receive(process, None)
            return
        if self.now < max(self.lost_until, process.lost_until):
            process.again_at = self.now + self.timeout + 0.5 + 0.25 * self.luck.random()
            self.schedule(self.timeout, process, lambda one: self._receive(one, None))
            return

        def serve() -> None:
            process.scripts += 1
            self.pool, lent = lend(self.pool, borrow, self.now)
            self.schedule(process.latency, process, lambda one: self._receive(one, lent))

        heapq.heappush(self._events, (self.now + process.latency, next(self._serials), serve))

    def _receive(self, process: Process, lent: Lent | None) -> None:
        luck = self.luck.random()
        process.lease, process.admission = leasing.receive(process.lease, process.admission, lent, self.now, luck)
        self._step(process, Woken())


def count_most_requests(sent: list[float], seconds: float) -> int:
    """The most requests in any time so long."""
    return max((bisect_right(sent, moment + seconds) - index for index, moment in enumerate(sent)), default=0)


def count_most_tokens(tokens: list[tuple[float, int]], seconds: float) -> int:
    """The most tokens in any time so long."""
    most = total = first = 0
    for moment, used in tokens:
        total += used
        while tokens[first][0] < moment - seconds:
            total -= tokens[first][1]
            first += 1
        most = max(most, total)
    return most


def compute_allowance(per_minute: int, seconds: float) -> float:
    """How many requests may be sent in any time so long: evenly, a minute takes 61.6 s, and each may be a second late.

    These are figures of docs/many-processes.md, and not those of the pool, which is what they are compared with.
    """
    return (seconds + 1.0) * per_minute / 61.6 + 1


def count_shares(world: SharedLimit) -> list[int]:
    """Requests of each process."""
    counts = Counter({process.name: len(process.sent) for process in world.processes})
    return sorted(counts.values())
