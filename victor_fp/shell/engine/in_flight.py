"""Operations in flight by provider, so that a provider is closed after its last operation.

The counts are keyed by the identity of the provider: all managers of one provider share them, and the provider is not
modified.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from victor_fp.core.faults import Cancelled, Fault


class Interruptible(Protocol):
    """An operation that can be interrupted."""

    def interrupt(self, fault: Fault) -> None:
        """End it at once with this fault."""
        ...


class InFlight:
    """The operations of one provider or manager in flight, and the number of managers that hold the provider."""

    __slots__ = ("__weakref__", "holders", "operations", "waiting")

    def __init__(self) -> None:
        self.operations: set[Interruptible] = set()
        self.holders = 0
        """Managers that have this provider as the current one, or wait for operations on it."""
        self.waiting: list[Future[None]] = []
        """Of those that wait for a change, possibly in several threads."""

    @property
    def count(self) -> int:
        """The number of operations in flight."""
        return len(self.operations)

    def add(self, operation: Interruptible) -> None:
        """Add an operation that starts."""
        self.operations.add(operation)

    def discard(self, operation: Interruptible) -> None:
        """Remove an operation that has ended."""
        self.operations.discard(operation)
        if self.waiting:
            self.wake()

    async def wait_while(self, is_in_use: Callable[[], bool]) -> None:
        """Wait until the condition is false. It is checked again after each `wake` and each end of an operation."""
        while True:
            changed = Future[None]()
            self.waiting.append(changed)  # before the check: an operation may end in another thread
            if not is_in_use():
                return
            await asyncio.wrap_future(changed)

    def interrupt(self, message: str) -> None:
        """End all operations at once. They are no longer counted, even if they are not being read at the moment."""
        operations = list(self.operations)
        self.operations.clear()
        for operation in operations:
            operation.interrupt(Cancelled(message=message))
        self.wake()

    def wake(self) -> None:
        """Wake those that wait, to check their conditions."""
        while self.waiting:
            try:
                future = self.waiting.pop()
            except IndexError:  # another thread took the last one
                return
            if future.set_running_or_notify_cancel():
                future.set_result(None)


_BY_IDENTITY: dict[int, InFlight] = {}


def find_in_flight(provider: object) -> InFlight:
    """Return the operations of a provider: those counted by its engine, or those counted here."""
    own = getattr(provider, "in_flight", None)
    if isinstance(own, InFlight):
        return own
    found = _BY_IDENTITY.get(id(provider))
    if found is None:
        found = _BY_IDENTITY[id(provider)] = InFlight()
        try:
            weakref.finalize(provider, _BY_IDENTITY.pop, id(provider), None).atexit = False
        except TypeError:  # a class with slots and without __weakref__
            del _BY_IDENTITY[id(provider)]
    return found
