"""The circuit breaker of a provider in the object API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import time
from typing import Any, TypeVar

from victor_fp.core.faults import CircuitOpen
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience.breaker import Breaker, BreakerPolicy, BreakerVerdict, Rejected
from victor_fp.providers.errors import error_from, judge_error, judge_value
from victor_fp.shell.runtime import SYSTEM, Runtime
from victor_fp.shell.store.memory import MemoryCell

T = TypeVar("T")

_GUARDED: ContextVar[CircuitGuarded | None] = ContextVar("_GUARDED", default=None)
"""The provider whose method runs within an attempt that the engine's breaker has admitted."""


class CircuitGuarded(ABC):
    """Holds one breaker. A threshold of None disables it."""

    def __init__(self, *, threshold: int | None, recovery: float) -> None:
        self._runtime: Runtime = SYSTEM
        breaker: Breaker | None = None
        if threshold is not None:
            breaker = Breaker(policy=BreakerPolicy(failure_threshold=threshold, recovery_timeout=recovery))
        self._breaker_cell: MemoryCell[Breaker | None] = MemoryCell(breaker, self._runtime.now)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the breaker in its statistics."""

    def is_circuit_open(self) -> bool:
        """Return whether the circuit breaker is open."""
        breaker = self._breaker_cell.state
        return breaker is not None and circuit.is_open(breaker, self._runtime.now())

    def get_circuit_breaker_stats(self) -> dict[str, Any] | None:
        """Return the breaker's statistics as `CircuitBreakerStats`; None if it is disabled."""
        breaker = self._breaker_cell.state
        return None if breaker is None else {**circuit.build_stats(breaker, self.name, self._runtime.now(), time())}

    def reset_circuit_breaker(self) -> None:
        """Close the breaker."""
        breaker = self._breaker_cell.state
        if breaker is not None:
            self._breaker_cell.state = circuit.reset(breaker, self._runtime.now())

    async def _execute_with_circuit_breaker(self, func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Await `func(*args, **kwargs)` if the breaker admits it, and record the outcome.

        An exception is recorded as its fault; a returned HTTP response with status 429, or 500 and above, is recorded
        as a failure. Raises CircuitOpenError while the breaker is open. Within an attempt of the engine, which has a
        breaker for the whole call, the function is only awaited.
        """
        breaker = self._breaker_cell.state
        if breaker is None or _GUARDED.get() is self:
            return await func(*args, **kwargs)
        self._breaker_cell.state, leave = circuit.admit(breaker, self._runtime.now())
        if isinstance(leave, Rejected):
            message = (
                "the circuit breaker is open after repeated failures of the server; retry after the recovery timeout"
            )
            fault = CircuitOpen(provider=self.name, message=message, retry_after=leave.retry_after)
            raise error_from(fault)
        verdict: BreakerVerdict = "cancelled"
        try:
            value = await func(*args, **kwargs)
            verdict = judge_value(value)
            return value
        except Exception as error:
            verdict = judge_error(error)
            raise
        finally:
            breaker = self._breaker_cell.state
            if breaker is not None:
                self._breaker_cell.state = circuit.record(breaker, leave, verdict, self._runtime.now())


@contextmanager
def replace_breaker(provider: CircuitGuarded) -> Iterator[None]:
    """Suspend a provider's own breaker: one of the engine counts the call, and two would count it twice."""
    token = _GUARDED.set(provider)
    try:
        yield
    finally:
        _GUARDED.reset(token)
