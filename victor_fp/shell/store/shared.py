"""State shared by many processes: each step is taken on a copy and put in place only if nobody was faster.

A value is swapped for another only where it is still the one the step was taken on; else the step is taken again on the
newer one, which pure steps allow. Times are those of the place where the values are kept, so that hosts' clocks need not
agree.

Where that place is out of reach, each process goes on with its own last copy. With `on_loss="open"` calls go on under limits
that each process keeps for itself; with "closed" nothing is sent until it is back. After a loss it is left alone for a
second, so that nobody waits for it again and again. When it is back its state counts, and what was taken meanwhile is
forgotten; where it has lost its state, the first to come brings its copy.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from functools import partial
from time import time
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from victor_fp.core.faults import ConnectionFailed, Fault
from victor_fp.shell.engine.telemetry import LOGGER
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Packing, Step

S = TypeVar("S")
R = TypeVar("R")

OnLoss: TypeAlias = Literal["open", "closed"]

AGAIN = 1.0
"""Seconds for which a place that was out of reach is left alone."""
_DRIFT = 0.25
"""Seconds by which two clocks may part before the difference is taken anew; less is the way there and back."""
_UNKNOWN = b"\x01"
"""No packed state is this: swapping it for itself reports what there is."""


class Swapped(msgspec.Struct, frozen=True):
    """What came of a swap."""

    done: bool
    current: bytes
    """What is there instead, where it was not done; empty where nothing is."""
    at: float
    """Seconds since 1970 by the clock of the place."""


class Swapper(Protocol):
    """Where values are kept, and swapped in one go."""

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """Put `wanted` in place of `expected` (empty: nothing is there); None where the place is out of reach."""
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
        """When this process last saw the shared value, by the store's clock."""
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def change(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        """Take a step in its turn. It goes on where the caller is cancelled."""
        await asyncio.shield(self._start_step(step, then))

    def post(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        """Take a step in its turn, soon."""
        self._start_step(step, then)

    def _start_step(self, step: Step[S, R], then: Callable[[R], None]) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Turns that were taken in another loop ended with it.
            self._loop, self._turn = loop, asyncio.Lock()
        return self._store.keep(loop.create_task(self._take_step(step, then)))

    async def _take_step(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        async with self._turn:
            answer: list[R] = []
            if self._store.is_in_reach() and await self._put(step, answer):
                self._store.note_success()
            else:
                self.state, alone = step(self.state, self._store.now())
                answer[:] = [alone]
            then(answer[-1])

    async def _put(self, step: Step[S, R], answer: list[R]) -> bool:
        """Take the step until it counts; whether it could."""
        while True:
            state, expected, wanted = self.state, self._seen, _UNKNOWN
            if expected is not None:
                state, given = step(self.state, self._store.now())
                answer[:] = [given]
                wanted = self._packing.pack(state)
                if wanted == expected and self._store.now() - self._looked < self._packing.get_freshness(state):
                    self.state = state  # nothing that is shared has changed, and others were looked at just now
                    return True
            asked_at = self._store.now()
            swapped = await self._store.swap(self._name, _UNKNOWN if expected is None else expected, wanted)
            if swapped is None:
                return False
            self._looked = asked_at
            if swapped.done and expected is not None:
                self.state, self._seen = state, wanted
                return True
            self._seen = _UNKNOWN if swapped.done else swapped.current
            self.state = self._packing.unpack(self._seen, self.state) or self.state


class SharedStore:
    """Cells whose states are shared through a swapper."""

    def __init__(
        self,
        swapper: Swapper,
        *,
        on_loss: OnLoss = "open",
        timeout: float = 0.5,
        poll: float = 0.1,
        runtime: Runtime = SYSTEM,
    ) -> None:
        """`timeout` (seconds) bounds one swap. Those who wait look again each `poll` seconds at what others give back."""
        self.poll = poll
        self._swapper = swapper
        self._on_loss = on_loss
        self._timeout = timeout
        self._runtime = runtime
        self._ahead = time() - runtime.now()
        """By how much the place's clock is ahead of the runtime's: at first a guess, that all hosts agree."""
        self._measured = False
        self._lost = False
        self._again_at = 0.0
        self._cells: dict[str, SharedCell[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Seconds since 1970 by the clock of the place."""
        return self._runtime.now() + self._ahead

    def open_cell(self, name: str, fresh: S, packing: Packing[S]) -> SharedCell[S]:
        """The cell with this name."""
        found = self._cells.get(name)
        if found is None:
            found = self._cells[name] = SharedCell(self, name, fresh, packing)
        return found

    def find_refusal(self) -> Fault | None:
        """Why nothing may be sent, after a loss, where the store was told to fail closed."""
        if not self._lost or self._on_loss == "open":
            return None
        message = "the shared store of limits is out of reach, and is set to fail closed"
        return ConnectionFailed(message=message, phase="pool", retry_after=AGAIN)

    async def open(self) -> None:
        """Ask the place for the time, so that the first call is timed by it already."""
        await self.swap("clock", _UNKNOWN, _UNKNOWN)

    async def drain(self) -> None:
        """Wait for the steps that are under way."""
        loop = asyncio.get_running_loop()
        while tasks := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(tasks)

    async def aclose(self) -> None:
        """Drain, and close connections."""
        await self.drain()
        await self._swapper.aclose()

    async def swap(self, name: str, expected: bytes, wanted: bytes) -> Swapped | None:
        """One swap, bounded in time; it sets the clock, and a failure counts as a loss."""
        began = self._runtime.now()
        try:
            async with asyncio.timeout(self._timeout):
                swapped = await self._swapper.swap(name, expected, wanted)
        except TimeoutError:
            swapped = None
        if swapped is None:
            self._note_loss()
            return None
        ahead = swapped.at - (began + self._runtime.now()) / 2
        if not self._measured or abs(ahead - self._ahead) > _DRIFT:
            self._ahead, self._measured = ahead, True
        return swapped

    def is_in_reach(self) -> bool:
        """Whether it makes sense to try."""
        return not self._lost or self._runtime.now() >= self._again_at

    def note_success(self) -> None:
        """A step counted."""
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
        self._again_at = self._runtime.now() + AGAIN


def _let_go(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    tasks.discard(task)
