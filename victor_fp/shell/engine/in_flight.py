"""Operations in flight, by the provider that they use: so that a provider is closed when the last one is over.

A count belongs to a provider and is found by the provider's identity. All managers over one provider share it, and nothing
is changed about the provider itself.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from functools import partial
from typing import Protocol

from victor_fp.core.faults import Cancelled, Fault


class Interruptible(Protocol):
    """An operation that can be ended from outside."""

    def interrupt(self, fault: Fault) -> None:
        """End it at once with this fault."""
        ...


class InFlight:
    """The operations of one provider that are not over, and how many hold the provider to use it again."""

    __slots__ = ("__weakref__", "_idle", "holders", "operations")

    def __init__(self) -> None:
        self.operations: set[Interruptible] = set()
        self.holders = 0
        """Managers that have this provider as their current one, or wait for its last operation."""
        self._idle: list[Callable[[], object]] = []

    @property
    def count(self) -> int:
        """How many operations are not over."""
        return len(self.operations)

    def add(self, operation: Interruptible) -> None:
        """An operation begins."""
        self.operations.add(operation)

    def discard(self, operation: Interruptible) -> None:
        """An operation is over."""
        self.operations.discard(operation)
        if self._idle and not self.operations:
            self._wake()

    async def wait_idle(self) -> None:
        """Wait until nothing is in flight."""
        while self.operations:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            self._idle.append(partial(_resolve_in, loop, future))
            await future

    def interrupt(self, message: str) -> None:
        """End every operation at once. They no longer count, even where nobody reads them at the moment."""
        operations = list(self.operations)
        self.operations.clear()
        for operation in operations:
            operation.interrupt(Cancelled(message=message))
        self._wake()

    def _wake(self) -> None:
        waiting, self._idle = self._idle, []
        for wake in waiting:
            wake()


def _resolve_in(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_BY_IDENTITY: dict[int, InFlight] = {}


def find_in_flight(provider: object) -> InFlight:
    """The operations of a provider: those that its own engine counts, or those that are counted for it here."""
    own = getattr(provider, "in_flight", None)
    if isinstance(own, InFlight):
        return own
    found = _BY_IDENTITY.get(id(provider))
    if found is None:
        found = _BY_IDENTITY[id(provider)] = InFlight()
        try:
            weakref.finalize(provider, _BY_IDENTITY.pop, id(provider), None).atexit = False
        except TypeError:  # a class with slots and no place for weak references
            del _BY_IDENTITY[id(provider)]
    return found
