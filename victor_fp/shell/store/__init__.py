"""Where the state of limits, cooldowns and breakers lives: behind one small Protocol, in this process or shared by many.

A cell holds one state. A step is a pure function `(state, now) -> (state, answer)`, and `change` makes steps one after
another, each on the state that the one before left, in this process and, where the store is shared, in all of them. A
store never raises for what a network can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from victor_fp.core.faults import Fault

if TYPE_CHECKING:
    from victor_fp.core.resilience.admission import Admission

S = TypeVar("S")
R = TypeVar("R")

Step: TypeAlias = Callable[[S, float], tuple[S, R]]


class Cell(Protocol[S]):
    """One state. Steps on it are atomic."""

    @property
    def state(self) -> S:
        """The state as this process last saw it."""
        ...

    async def change(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        """Take a step, tell `then` its answer, and return.

        A step may be tried several times before it counts, so it must be pure. `then` hears the answer before the next
        step is taken, and also where the caller is cancelled meanwhile: what was taken can always be given back.
        """
        ...

    def post(self, step: Step[S, R], then: Callable[[R], None]) -> None:
        """The same without waiting for it, in its turn: where there is nothing to wait for, or no way to."""
        ...


class LimitsCell(Cell["Admission"], Protocol):
    """The admission of one key, which something besides its own steps may change: a loan that was renewed or has ended."""

    def watch(self, step: Step[Admission, R], then: Callable[[R], None]) -> None:
        """Take this step, too, whenever that happens."""
        ...


class Packing(Protocol[S]):
    """How a state goes to other processes and comes back."""

    def get_freshness(self, state: S) -> float:
        """Seconds for which a shared value counts as seen: a step that changes nothing shared is not sent within them."""
        ...

    def pack(self, state: S) -> bytes:
        """What of a state is shared."""
        ...

    def unpack(self, packed: bytes, mine: S) -> S | None:
        """A state made of what is shared and of what is this process's own; None where it cannot be read."""
        ...


class Store(Protocol):
    """Cells by name, and the clock that their states are timed by."""

    @property
    def poll(self) -> float:
        """Seconds after which it makes sense to look again at a state that others change; infinite where nobody does."""
        ...

    def now(self) -> float:
        """Seconds on the clock of this store's states."""
        ...

    def open_cell(self, name: str, fresh: S, packing: Packing[S]) -> Cell[S]:
        """The cell with this name; `fresh` is its state where it has none yet."""
        ...

    def open_limits(self, name: str, fresh: Admission) -> LimitsCell:
        """The admission of the key with this name, under a limit that all who use the store share."""
        ...

    def find_refusal(self) -> Fault | None:
        """Why nothing may be sent now: the shared state is out of reach, and the store was told to fail closed."""
        ...

    async def open(self) -> None:
        """Get in touch, so that the first call need not."""
        ...

    async def drain(self) -> None:
        """Wait for the steps that were posted."""
        ...

    async def aclose(self) -> None:
        """Drain, and close connections."""
        ...
