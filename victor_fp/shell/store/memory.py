"""State in this process: every step runs immediately, and nothing is awaited."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from victor_fp.core.faults import Fault
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store import Packing, Step

if TYPE_CHECKING:
    from victor_fp.core.resilience.admission import Admission
    from victor_fp.shell.engine.rate_limiter import RateLimiter

S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R")


class MemoryCell(Generic[S]):
    """One state in memory."""

    __slots__ = ("_now", "state")

    def __init__(self, state: S, now: Callable[[], float]) -> None:
        self.state: S = state
        self._now = now

    async def change(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step. Nothing is awaited."""
        self.state, answer = step(self.state, event, self._now())
        then(answer)

    def post(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step."""
        self.state, answer = step(self.state, event, self._now())
        then(answer)


class MemoryLimits(MemoryCell["Admission"]):
    """The admission of one key in memory; only its own steps change it."""

    __slots__ = ("limiter",)

    def __init__(self, state: Admission, now: Callable[[], float]) -> None:
        super().__init__(state, now)
        self.limiter: RateLimiter | None = None


class MemoryStore:
    """Cells in memory. Pass one store to several providers to share limits and breakers between them.

    A store belongs to one thread; event loops of that thread may use it one after the other.
    """

    poll = math.inf

    def __init__(self, runtime: Runtime = SYSTEM) -> None:
        self.now = runtime.now
        # Cells of different types by name; `open_cell` returns each with the type it was created with.
        self._cells: dict[str, MemoryCell[Any]] = {}

    def open_cell(self, name: str, fresh: S, packing: Packing[S]) -> MemoryCell[S]:  # noqa: ARG002  nothing is packed
        """Return the cell with this name."""
        found = self._cells.get(name)
        if found is None:
            found = self._cells[name] = MemoryCell(fresh, self.now)
        return found

    def open_limits(self, name: str, fresh: Admission) -> MemoryLimits:
        """Return the admission of the key with this name."""
        found = self._cells.get(name)
        if not isinstance(found, MemoryLimits):
            found = self._cells[name] = MemoryLimits(fresh, self.now)
        return found

    def find_refusal(self) -> Fault | None:
        """Return None: memory is always reachable."""
        return None

    async def open(self) -> None:
        """Do nothing: there is no connection."""

    async def drain(self) -> None:
        """Do nothing: posted steps run immediately."""

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
