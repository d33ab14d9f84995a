"""State shared by many processes: each step is taken on a copy and put in place only if no other process was faster.

A value is swapped for another only where it is still the one the step was taken on; else the step is taken again on the
newer one, which pure steps allow. Steps of one process that wait are combined into one swap. A step that changes nothing
shared needs none, and is taken at once; the shared value is then looked at in the background, once in its freshness. Times
are those of the store's server, so that hosts' clocks need not agree.

Where the server is out of reach, each process goes on with its own last copy. With `on_loss="open"` calls go on under the
limits that leased.py describes; with "closed" nothing is sent until it is back. After a loss no call waits for it: about
once a second it is asked in the background whether it is back. Then its state counts, and what was done meanwhile is
forgotten; where it has lost its state, the first process to come brings its copy.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from functools import partial
from time import time
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from victor_fp.core.faults import ConnectionFailed, Fault
from victor_fp.core.resilience.admission import Admission
from victor_fp.core.resilience.pool import Borrow, Lent
from victor_fp.shell.engine.telemetry import LOGGER
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Packing, Step
from victor_fp.shell.store.leased import LeasedCell

S = TypeVar("S")
R = TypeVar("R")

OnLoss: TypeAlias = Literal["open", "closed"]

AGAIN = 1.0
"""Seconds for which a server that was out of reach is left alone at most; a renewed loan asks after half to three quarters."""
UNKNOWN = b"\x01"
"""No packed state is this: swapping it for itself reports what there is."""
_DRIFT = 0.02
"""Seconds, besides half of the round trip, by which the difference of two clocks may change before it is measured anew."""
_ATTEMPTS = 50
"""Swaps that one step may lose to others before it is taken on this process's copy alone."""


class Swapped(msgspec.Struct, frozen=True):
    """What came of a swap."""

    done: bool
    current: bytes
    """What is there instead, where it was not done; empty where nothing is."""
    at: float
    """Seconds since 1970 by the clock of the server."""


A = TypeVar("A", Swapped, Lent)


class StateServer(Protocol):
    """Where values are kept. Each of its steps is atomic; None means that it is out of reach."""

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """Put `wanted` in place of `expected` (empty: nothing is there)."""
        ...

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        """Take the step `victor_fp.core.resilience.pool.lend` on the pool of this name, by the server's clock."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class SharedCell(Generic[S]):
    """One shared state, and this process's copy of it."""

    def __init__(self, store: SharedStore, name: str, state: S, packing: Packing[S]) -> None:
        self.state: S = state
        self._store = store
        self._name = name
        self._packing = packing
        self._seen: bytes | None = None
        """The shared value as it was last seen."""
        self._looked = -math.inf
        """When this process last saw it, by the store's clock."""
        self._waiting: list[_Waiting[S]] = []
        self._worker: asyncio.Task[None] | None = None
        self._look: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def change(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        """Take a step in its turn. It goes on where the caller is cancelled."""
        if not self._take_alone(step, then):
            await asyncio.shield(self._add_waiting(step, then))

    def post(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        """Take a step in its turn, soon."""
        if not self._take_alone(step, then):
            self._add_waiting(step, then)

    def _take_alone(self, step: Step[S, R], then: Callable[[R], None]) -> bool:
        """Take a step at once where it changes nothing shared, or the server is out of reach; whether it was taken."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # What was under way in another loop ended with it.
            self._loop, self._worker, self._look, self._waiting = loop, None, None, []
        if self._waiting or (self._worker is not None and not self._worker.done()):
            return False
        in_reach = self._store.is_in_reach()
        if in_reach and (self._seen is None or self._packing.get_freshness(self.state) <= 0):
            return False
        now = self._store.now()
        state, answer = step(self.state, now)
        if in_reach and self._packing.pack(state) != self._seen:
            return False
        self.state = state
        then(answer)
        if (
            in_reach
            and now - self._looked >= self._packing.get_freshness(state)
            and (self._look is None or self._look.done())
        ):
            self._look = self._store.keep(loop.create_task(self._look_again()))
        return True

    async def _look_again(self) -> None:
        """See what others have done, while this process's steps go on."""
        seen = self._seen
        if seen is None:
            return
        asked_at = self._store.now()
        swapped = await self._store.swap(self._name, seen, seen)
        if swapped is None or self._seen is not seen:
            return
        self._looked = asked_at
        if not swapped.done:
            self._seen = swapped.current
            self.state = self._packing.unpack(swapped.current, self.state) or self.state

    def _add_waiting(self, step: Step[S, R], then: Callable[[R], None]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        waiting: _Waiting[S] = _Waiting(partial(_run, step), then, loop.create_future())
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = self._store.keep(loop.create_task(self._serve()))
        return waiting.done

    async def _serve(self) -> None:
        """Take the steps that wait, all of one moment in one swap."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            answers = await self._put(batch) if self._store.is_in_reach() else None
            if answers is None:
                self.state, answers = _take_all(batch, self.state, self._store.now())
            for waiting, answer in zip(batch, answers, strict=True):
                waiting.then(answer)
                if not waiting.done.done():
                    waiting.done.set_result(None)

    async def _put(self, batch: list[_Waiting[S]]) -> list[Any] | None:
        """Take the steps until they count; None where they could not."""
        for attempt in range(_ATTEMPTS):
            state, expected, wanted = self.state, self._seen, UNKNOWN
            answers: list[Any] = []
            asked_at = self._store.now()
            if expected is not None:
                state, answers = _take_all(batch, self.state, asked_at)
                wanted = self._packing.pack(state)
                if wanted == expected and asked_at - self._looked < self._packing.get_freshness(state):
                    self.state = state  # nothing that is shared has changed, and others were looked at just now
                    return answers
            swapped = await self._store.swap(self._name, UNKNOWN if expected is None else expected, wanted)
            if swapped is None:
                return None
            self._looked = asked_at
            if swapped.done and expected is not None:
                self.state, self._seen = state, wanted
                return answers
            self._seen = UNKNOWN if swapped.done else swapped.current
            self.state = self._packing.unpack(self._seen, self.state) or self.state
            if attempt > 1:
                await self._store.sleep(0.002 * 2 ** min(attempt, 6) * self._store.draw_random())
        return None


class _Waiting(Generic[S]):
    """A step that waits for its turn."""

    __slots__ = ("done", "step", "then")

    def __init__(
        self, step: Callable[[S, float], tuple[S, Any]], then: Callable[[Any], None], done: asyncio.Future[None]
    ) -> None:
        self.step = step
        self.then = then
        self.done = done


def _run(step: Step[S, R], state: S, now: float) -> tuple[S, Any]:
    return step(state, now)


def _take_all(batch: list[_Waiting[S]], state: S, now: float) -> tuple[S, list[Any]]:
    """The state after all steps of a batch, and their answers."""
    answers: list[Any] = []
    for waiting in batch:
        state, answer = waiting.step(state, now)
        answers.append(answer)
    return state, answers


class SharedStore:
    """Cells whose states are shared through a server."""

    def __init__(
        self,
        server: StateServer,
        *,
        on_loss: OnLoss = "open",
        timeout: float = 0.5,
        poll: float = 1.0,
        runtime: Runtime = SYSTEM,
    ) -> None:
        """`timeout` (seconds) bounds one question to the server. Who waits for room in a budget looks again each `poll` seconds."""
        self.poll = poll
        self._server: StateServer = server
        self._on_loss = on_loss
        self._timeout = timeout
        self._runtime = runtime
        self._ahead = time() - runtime.now()
        """By how much the server's clock is ahead of the runtime's: at first a guess, that all hosts agree."""
        self._measured = False
        self._lost = False
        self._again_at = 0.0
        self._cells: dict[str, SharedCell[Any]] = {}
        self._limits: dict[str, LeasedCell] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Seconds since 1970 by the clock of the server."""
        return self._runtime.now() + self._ahead

    def open_cell(self, name: str, fresh: S, packing: Packing[S]) -> SharedCell[S]:
        """The cell with this name."""
        found = self._cells.get(name)
        if found is None:
            found = self._cells[name] = SharedCell(self, name, fresh, packing)
        return found

    def open_limits(self, name: str, fresh: Admission) -> LeasedCell:
        """The admission of the key with this name, under loans out of its pool."""
        found = self._limits.get(name)
        if found is None:
            found = self._limits[name] = LeasedCell(self, name, fresh)
        return found

    def draw_random(self) -> float:
        """A random number in [0, 1)."""
        return self._runtime.draw_random()

    async def sleep(self, seconds: float) -> None:
        """Rest."""
        await self._runtime.sleep(seconds)

    @property
    def is_closed(self) -> bool:
        """Whether nothing may be sent while the server is out of reach."""
        return self._on_loss == "closed"

    def find_refusal(self) -> Fault | None:
        """Why nothing may be sent, after a loss, where the store was told to fail closed."""
        if not self._lost or self._on_loss == "open":
            return None
        message = "the shared store of limits is out of reach, and is set to fail closed"
        return ConnectionFailed(message=message, phase="pool", retry_after=AGAIN)

    async def open(self) -> None:
        """Ask the server for the time, so that the first call is timed by it already."""
        await self.swap("clock", UNKNOWN, UNKNOWN)

    async def drain(self) -> None:
        """Wait for the steps that are under way."""
        loop = asyncio.get_running_loop()
        while tasks := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(tasks)

    async def aclose(self) -> None:
        """Give loans back, drain, and close connections."""
        await self.drain()  # a loan that is under way would come after it was given back
        for cell in self._limits.values():
            await cell.release()
        await self.drain()
        await self._server.aclose()

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """One swap; what it shows of the server's clock and reach counts."""
        return await self._ask(self._server.swap(name, expected, wanted))

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        """The same for a step of a pool."""
        return await self._ask(self._server.lend(name, borrow))

    async def _ask(self, question: Coroutine[Any, Any, A | None]) -> A | None:
        """Bounded in time. An answer sets the clock; none counts as a loss."""
        began = self._runtime.now()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await question
        except TimeoutError:
            answer = None
        if answer is None:
            self._note_loss()
            return None
        ended = self._runtime.now()
        ahead = answer.at - (began + ended) / 2
        if not self._measured or abs(ahead - self._ahead) > (ended - began) / 2 + _DRIFT:
            self._ahead, self._measured = ahead, True
        self._find()
        return answer

    def may_ask(self) -> bool:
        """Whether it makes sense to ask, for what nobody waits for."""
        return not self._lost or self._runtime.now() >= self._again_at

    def is_in_reach(self) -> bool:
        """The same for what a call waits for: after a loss a question in the background shows first that it does."""
        if self._lost and self.may_ask():
            self._again_at = self._runtime.now() + self._timeout + AGAIN
            self.keep(asyncio.get_running_loop().create_task(self.open()))
        return not self._lost

    def _find(self) -> None:
        if self._lost:
            self._lost = False
            logging.getLogger(LOGGER).info("the shared store of limits is back")

    def keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Hold a step that is under way."""
        self._tasks.add(task)
        task.add_done_callback(partial(_let_go, self._tasks))
        return task

    def _note_loss(self) -> None:
        if not self._lost:
            said = "calls go on under this process's own limits" if self._on_loss == "open" else "calls are refused"
            logging.getLogger(LOGGER).warning("the shared store of limits is out of reach: %s", said)
        self._lost = True
        self._again_at = self._runtime.now() + AGAIN * (0.5 + 0.25 * self._runtime.draw_random())


def _let_go(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.discard(task)
