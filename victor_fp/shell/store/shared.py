"""State shared by many processes: each step runs on a local copy, and its result is stored by compare-and-swap.

A swap replaces a value only if it is still the one that the step ran on; otherwise the step runs again on the newer
value. The waiting steps of a process are combined into one swap. A step that changes nothing shared needs no swap and
runs immediately; the shared value is then refreshed in the background, at most once per freshness period. Times are
those of the server, so that the clocks of the hosts need not agree.

While the server is unreachable, each process continues with its last copy. With `on_loss="open"` calls continue under
the limits that leased.py describes; with "closed" nothing is sent until the server is reachable again. Calls do not wait
for an unreachable server: about once a second it is checked in the background. When it is reachable again, its state
applies, and the packing decides what becomes of local changes made meanwhile: those of budgets are added, as one
difference to the last state that was shared; those of breakers are dropped if others have changed the state. If the
server has lost its state, the first process stores its copy. A swap without a response may have been done; if other
processes have then changed the value, its changes are added again, so that nothing spent is forgotten.
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
from victor_fp.core.resilience.lease import UNREACHABLE
from victor_fp.core.resilience.pool import Borrow, Lent
from victor_fp.shell.runtime import LOGGER, SYSTEM, Runtime
from victor_fp.shell.store import Packing, Step
from victor_fp.shell.store.leased import LeasedCell

S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R")

OnLoss: TypeAlias = Literal["open", "closed"]
"""Whether calls go on with limits of the process, or fail, while the store cannot be reached."""

AGAIN = 1.0
"""Maximum seconds between two checks of an unreachable server; the renewal of a loan checks after 0.5 to 0.75 of it."""
UNKNOWN = b"\x01"
"""A value that cannot be a packed state: swapping it for itself returns the current value."""
_DRIFT = 0.02
"""Seconds, in addition to half of the round trip, by which the clock offset may change before it is measured again."""
_ATTEMPTS = 50
"""Number of swaps that a step may lose to other processes before it runs on the local copy alone."""


class Swapped(msgspec.Struct, frozen=True):
    """The result of a swap."""

    done: bool
    current: bytes
    """The current value if the swap was not done; empty if there is none."""
    at: float
    """Unix time on the clock of the server, in seconds."""


A = TypeVar("A", Swapped, Lent)


class StateServer(Protocol):
    """A server for shared values. Each operation is atomic; None means that the server is unreachable."""

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """Replace `expected` (empty: no value) with `wanted`."""
        ...

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        """Run `victor_fp.core.resilience.pool.lend` on the pool of this name, with the clock of the server."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class SharedCell(Generic[S]):
    """One shared state, and the local copy of it."""

    def __init__(self, store: SharedStore, name: str, state: S, packing: Packing[S]) -> None:
        self.state: S = state
        self._store = store
        self._name = name
        self._packing = packing
        self._fresh = packing.pack(state)
        self._seen: bytes | None = None
        """The last shared value that was read; empty if there was none, which means the fresh state."""
        self._base: S = state
        """The last state that was shared; the local state differs from it by steps that the server has not seen."""
        self._unanswered: tuple[bytes, S] | None = None
        """The value and state of a swap that the server did not respond to."""
        self._looked = -math.inf
        """Time of that read, in the clock of the store."""
        self._waiting: list[_Waiting[S]] = []
        self._worker: asyncio.Task[None] | None = None
        self._look: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def change(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step in its turn. The step continues if the caller is cancelled."""
        if not self._run_locally(step, event, then):
            await asyncio.shield(self._add_waiting(step, event, then))

    def post(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step in its turn, without waiting for it."""
        if not self._run_locally(step, event, then):
            self._add_waiting(step, event, then)

    def _run_locally(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> bool:
        """Run a step at once if it changes nothing shared, or the server is unreachable; return whether it was run."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Tasks of another loop ended with it.
            self._loop, self._worker, self._look, self._waiting = loop, None, None, []
        if self._waiting or (self._worker is not None and not self._worker.done()):
            return False
        in_reach = self._store.is_in_reach()
        if in_reach and (self._seen is None or self._packing.get_freshness(self.state) <= 0):
            return False
        now = self._store.now()
        state, answer = step(self.state, event, now)
        if in_reach and self._packing.pack(state) != (self._seen or self._fresh):
            return False
        self.state = state
        then(answer)
        if (
            in_reach
            and now - self._looked >= self._packing.get_freshness(state)
            and (self._look is None or self._look.done())
        ):
            self._look = self._store.keep(loop.create_task(self._refresh()))
        return True

    async def _refresh(self) -> None:
        """Read the shared value, while steps continue locally."""
        seen = self._seen
        if seen is None:
            return
        asked_at = self._store.now()
        swapped = await self._store.swap(self._name, seen, seen)
        if swapped is None or self._seen is not seen:
            return
        self._looked = asked_at
        if not swapped.done:
            self._adopt(swapped.current)

    def _adopt(self, current: bytes) -> None:
        """Continue from the value of the server, with the local changes that it lacks."""
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None and unanswered[0] == current:
            self._base = unanswered[1]
        self._seen = current
        shared = self._packing.unpack(current, self.state)
        if shared is not None:
            self.state, self._base = self._packing.merge_changes(shared, self._base, self.state), shared

    @property
    def is_unshared(self) -> bool:
        """Whether there are local changes that the server has not seen."""
        return self._packing.pack(self.state) != self._packing.pack(self._base)

    def store_changes(self) -> None:
        """Store the local changes that the server has not seen; those of another event loop wait for its next step."""
        if self._loop is asyncio.get_running_loop() and self.is_unshared:
            self.post(_change_nothing, None, _ignore)

    def _add_waiting(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        waiting: _Waiting[S] = _Waiting(step, event, then, loop.create_future())
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = self._store.keep(loop.create_task(self._serve()))
        return waiting.done

    async def _serve(self) -> None:
        """Run the waiting steps; all that wait at the same time share one swap."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            answers = await self._put(batch) if self._store.is_in_reach() else None
            if answers is None:
                self.state, answers = _run_all(batch, self.state, self._store.now())
            for waiting, answer in zip(batch, answers, strict=True):
                waiting.then(answer)
                if not waiting.done.done():
                    waiting.done.set_result(None)

    async def _put(self, batch: list[_Waiting[S]]) -> list[Any] | None:
        """Run the steps until their swap succeeds, and return their answers; None if it could not."""
        for attempt in range(_ATTEMPTS):
            # After a swap without a response, the value shows whether it was done.
            state, expected, wanted = self.state, self._seen if self._unanswered is None else None, UNKNOWN
            answers: list[Any] = []
            asked_at = self._store.now()
            if expected is not None:
                state, answers = _run_all(batch, self.state, asked_at)
                wanted = self._packing.pack(state)
                if not expected and wanted == self._fresh:
                    wanted = expected
                if wanted == expected and asked_at - self._looked < self._packing.get_freshness(state):
                    self.state = state  # nothing shared has changed, and the shared value was read recently
                    return answers
            swapped = await self._store.swap(self._name, UNKNOWN if expected is None else expected, wanted)
            if swapped is None:
                if expected is not None:
                    self._unanswered = wanted, state
                return None
            self._looked = asked_at
            if swapped.done and expected is not None:
                self.state, self._seen, self._base = state, wanted, state
                return answers
            self._adopt(UNKNOWN if swapped.done else swapped.current)
            if attempt > 1:
                await self._store.sleep(0.002 * 2 ** min(attempt, 6) * self._store.draw_random())
        return None


class _Waiting(Generic[S]):
    """A waiting step."""

    __slots__ = ("done", "event", "step", "then")

    def __init__(
        self, step: Step[S, Any, Any], event: object, then: Callable[[Any], None], done: asyncio.Future[None]
    ) -> None:
        self.step = step
        self.event = event
        self.then = then
        self.done = done


def _run_all(batch: list[_Waiting[S]], state: S, now: float) -> tuple[S, list[Any]]:
    """Run all steps of a batch; return the state and the answers."""
    answers: list[Any] = []
    for waiting in batch:
        state, answer = waiting.step(state, waiting.event, now)
        answers.append(answer)
    return state, answers


def _change_nothing(state: S, _: None, __: float) -> tuple[S, None]:
    """Leave a state as it is, as a step."""
    return state, None


def _ignore(_: None) -> None:
    """Ignore the result of a step."""


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
        """`timeout` (seconds) bounds one request to the server. A call that waits for a budget checks it every `poll` seconds."""
        self.poll = poll
        self._server: StateServer = server
        self._on_loss = on_loss
        self._timeout = timeout
        self._runtime = runtime
        self._ahead = time() - runtime.now()
        """Offset of the server's clock to that of the runtime; until it is measured, the clocks are assumed to agree."""
        self._measured = False
        self._lost = False
        self._again_at = 0.0
        self._cells: dict[str, SharedCell[Any]] = {}
        self._limits: dict[str, LeasedCell] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Return the Unix time on the clock of the server, in seconds."""
        return self._runtime.now() + self._ahead

    def open_cell(self, name: str, fresh: S, packing: Packing[S]) -> SharedCell[S]:
        """Return the cell with this name."""
        found = self._cells.get(name)
        if found is None:
            found = self._cells[name] = SharedCell(self, name, fresh, packing)
        return found

    def open_limits(self, name: str, fresh: Admission) -> LeasedCell:
        """Return the admission of the key with this name, under loans from its pool."""
        found = self._limits.get(name)
        if found is None:
            found = self._limits[name] = LeasedCell(self, name, fresh)
        return found

    def draw_random(self) -> float:
        """Return a random number in [0, 1)."""
        return self._runtime.draw_random()

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._runtime.sleep(seconds)

    @property
    def is_closed(self) -> bool:
        """Whether calls are refused while the server is unreachable."""
        return self._on_loss == "closed"

    def find_refusal(self) -> Fault | None:
        """Return a fault if the server is unreachable and the store is configured to fail closed."""
        if not self._lost or self._on_loss == "open":
            return None
        return ConnectionFailed(message=UNREACHABLE, phase="pool", retry_after=AGAIN)

    async def open(self) -> None:
        """Read the clock of the server, so that the first call uses it already."""
        await self.swap("clock", UNKNOWN, UNKNOWN)

    async def drain(self) -> None:
        """Wait for the steps that are in progress."""
        loop = asyncio.get_running_loop()
        while tasks := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(tasks)

    async def aclose(self) -> None:
        """Return loans, store what the server has not seen, drain, and close connections."""
        if any(cell.is_unshared for cell in self._cells.values()):
            await self.open()
            for opened in self._cells.values():
                opened.store_changes()
        await self.drain()  # a renewal in flight would arrive after the loan was returned
        for cell in self._limits.values():
            await cell.release()
        await self.drain()
        await self._server.aclose()

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """Swap a value on the server."""
        return await self._ask(self._server.swap(name, expected, wanted))

    async def lend(self, name: str, borrow: Borrow) -> Lent | None:
        """Borrow from a pool on the server."""
        return await self._ask(self._server.lend(name, borrow))

    async def _ask(self, request: Coroutine[Any, Any, A | None]) -> A | None:
        """Await a request with a timeout. A response updates the clock offset; none marks the server as unreachable."""
        began = self._runtime.now()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await request
        except TimeoutError:
            answer = None
        if answer is None:
            self._note_loss()
            return None
        ended = self._runtime.now()
        ahead = answer.at - (began + ended) / 2
        if not self._measured or abs(ahead - self._ahead) > (ended - began) / 2 + _DRIFT:
            self._ahead, self._measured = ahead, True
        self._note_reachable()
        return answer

    def may_ask(self) -> bool:
        """Return whether a background request should be sent now."""
        return not self._lost or self._runtime.now() >= self._again_at

    def is_in_reach(self) -> bool:
        """Return whether a call may wait for the server; after a loss, a background check has to succeed first."""
        if self._lost and self.may_ask():
            self._again_at = self._runtime.now() + self._timeout + AGAIN
            self.keep(asyncio.get_running_loop().create_task(self.open()))
        return not self._lost

    def _note_reachable(self) -> None:
        if self._lost:
            self._lost = False
            logging.getLogger(LOGGER).info("the shared store of limits is reachable again")
            for cell in self._cells.values():
                cell.store_changes()

    def keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Keep a reference to a task until it ends."""
        self._tasks.add(task)
        task.add_done_callback(partial(_let_go, self._tasks))
        return task

    def _note_loss(self) -> None:
        if not self._lost:
            effect = "calls continue under local limits" if self._on_loss == "open" else "calls are refused"
            logging.getLogger(LOGGER).warning("the shared store of limits is unreachable: %s", effect)
        self._lost = True
        self._again_at = self._runtime.now() + AGAIN * (0.5 + 0.25 * self._runtime.draw_random())


def _let_go(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.discard(task)
