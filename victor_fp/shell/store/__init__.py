"""Stores for the state of limits, cooldowns and breakers: protocols for a store in memory or one shared by processes.

A cell holds one state. A step is a pure function `(state, event, now) -> (state, answer)`. Steps on a cell run one after
another, each on the state that the previous step returned, in this process and, if the store is shared, across all
processes. A store does not raise on network errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from victor_fp.core.faults import Fault

if TYPE_CHECKING:
    from victor_fp.core.resilience.admission import Admission
    from victor_fp.shell.engine.rate_limiter import RateLimiter

S = TypeVar("S")
E = TypeVar("E")
R = TypeVar("R")

Step: TypeAlias = Callable[[S, E, float], tuple[S, R]]


class Cell(Protocol[S]):
    """One state. Steps on it are atomic."""

    @property
    def state(self) -> S:
        """The latest state that this process has seen."""
        ...

    async def change(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> None:
        """Run a step on an event, call `then` with its answer, and return.

        A step must be pure, because it may run several times before its result is stored. `then` is called before the
        next step runs, also if the caller is cancelled meanwhile, so that a permit can always be returned.
        """
        ...

    def post(self, step: Step[S, E, R], event: E, then: Callable[[R], None]) -> None:
        """Like `change`, without waiting for the step: for callers that need no result or cannot wait."""
        ...


class LimitsCell(Cell["Admission"], Protocol):
    """The admission of one key. Steps run at once; the state also changes when a loan is renewed or expires."""

    limiter: RateLimiter | None
    """Answers the calls of all users of the cell in this process, since one call's end may admit another's. The cell
    wakes it after every change that is not a step."""


class Packing(Protocol[S]):
    """Serialization of a state for other processes."""

    def get_freshness(self, state: S) -> float:
        """Return the seconds for which a shared value counts as current.

        Within them, a step that changes nothing shared is not sent to the server.
        """
        ...

    def pack(self, state: S) -> bytes:
        """Serialize the shared part of a state.

        If `merge_changes` keeps changes, different changes of a state must not have the same serialization: it shows whether a
        change was stored whose response was lost.
        """
        ...

    def unpack(self, packed: bytes, mine: S) -> S | None:
        """Combine a packed shared part with the local part of `mine`; None if it cannot be read."""
        ...

    def merge_changes(self, shared: S, base: S, mine: S) -> S:
        """Return the state after `shared`, given the changes from `base` to `mine` that it lacks.

        They were made while the server was unreachable; `shared` drops them.
        """
        ...


class Store(Protocol):
    """Cells by name, and the clock of their states."""

    @property
    def poll(self) -> float:
        """Seconds after which to check a state for changes by other processes; infinite if the store is not shared."""
        ...

    def now(self) -> float:
        """Return the time on this store's clock, in seconds."""
        ...

    def open_cell(self, name: str, fresh: S, packing: Packing[S]) -> Cell[S]:
        """Return the cell with this name; `fresh` is its initial state."""
        ...

    def open_limits(self, name: str, fresh: Admission) -> LimitsCell:
        """Return the admission of the key with this name, under a limit that all users of the store share."""
        ...

    def find_refusal(self) -> Fault | None:
        """Return the fault for calls that must be refused: the store is unreachable and configured to fail closed."""
        ...

    async def open(self) -> None:
        """Connect, so that the first call need not."""
        ...

    async def drain(self) -> None:
        """Wait for posted steps."""
        ...

    async def aclose(self) -> None:
        """Drain, and close connections."""
        ...
