"""A limit shared by many processes: each process sends under its own loan, which a background task renews.

Steps run immediately on the local state, so calls do not wait for the store. What is borrowed and when, and what
happens while the store is unreachable, is decided in core/resilience/lease.py.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable
from secrets import token_hex
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from victor_fp.core.resilience import lease as leasing
from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.lease import Lease
from victor_fp.core.resilience.pool import Borrow
from victor_fp.core.resilience.rate_limit import Loan
from victor_fp.shell.store import Step

if TYPE_CHECKING:
    from victor_fp.shell.engine.rate_limiter import RateLimiter
    from victor_fp.shell.store.shared import SharedStore

E = TypeVar("E")
R = TypeVar("R")


class LeasedCell:
    """The admission of one key in this process, under a loan from the shared pool."""

    def __init__(self, store: SharedStore, name: str, fresh: Admission) -> None:
        self.state = replace(fresh, limiter=replace(fresh.limiter, loan=Loan()))
        self.limiter: RateLimiter | None = None
        self._lease = Lease(is_closed=store.is_closed)
        self._store = store
        self._name = name
        self._identity = token_hex(4)
        self._process = os.getpid()
        self._timer: asyncio.Task[None] | None = None
        self._wakes_at = math.inf
        self._loop: asyncio.AbstractEventLoop | None = None

    async def change(self, step: Step[Admission, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step. Nothing is awaited."""
        self.post(step, event, then)

    def post(self, step: Step[Admission, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step."""
        self.state, answer = step(self.state, event, self._store.now())
        then(answer)
        self._plan()

    def _plan(self) -> None:
        """Set the timer for the next renewal."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # tasks of another loop ended with it
            self._loop, self._timer, self._wakes_at = loop, None, math.inf
            self._lease = replace(self._lease, asked=None, due=math.inf)
            if self._process != os.getpid():  # a fork: the loan belongs to the parent
                self._process, self._lease = os.getpid(), Lease(is_closed=self._store.is_closed)
                self.state = replace(self.state, limiter=replace(self.state.limiter, loan=Loan(), under_way=()))
        self._lease = leasing.plan(self._lease, self.state, self._store.now(), self._store.draw_random())
        due = self._lease.due
        if due < math.inf and due != self._wakes_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._wakes_at = loop.create_task(self._wait(due)), due

    async def _wait(self, due: float) -> None:
        seconds = due - self._store.now()
        if seconds > 0:
            await self._store.sleep(seconds)
        self._timer, self._wakes_at = None, math.inf
        # The request counts as in flight from here on; otherwise a step before the task starts would ask again.
        self._lease, borrow = leasing.ask(self._lease, self.state, self._identify(), self._store.now())
        self._store.keep(asyncio.get_running_loop().create_task(self._renew(borrow)))

    async def _renew(self, borrow: Borrow) -> None:
        """Send the request to the pool, apply the response, and wake the limiter."""
        lent = await self._store.lend(self._name, borrow) if self._store.may_ask() else None
        now, random = self._store.now(), self._store.draw_random()
        self._lease, self.state = leasing.receive(self._lease, self.state, lent, now, random)
        if self.limiter is None:
            self._plan()
        else:
            self.limiter.wake()  # a step, after which the next renewal is planned

    def _identify(self) -> str:
        """Return the name of this process in the pool; it changes with a fork."""
        return f"{self._identity}{os.getpid():x}"

    async def release(self) -> None:
        """Return the unused part of the loan."""
        if asyncio.get_running_loop() is not self._loop:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._wakes_at = None, math.inf
        name, now = self._identify(), self._store.now()
        self._lease, self.state, borrow = leasing.give_back(self._lease, self.state, name, now)
        if borrow is not None and self._store.may_ask():
            await self._store.lend(self._name, borrow)
