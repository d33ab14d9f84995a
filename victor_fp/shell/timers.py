"""Timeouts of which most never expire, all served by one timer of the event loop.

`asyncio.timeout` adds a handle to the loop's heap for each use, where it stays after it is cancelled, and copies the
context. With many calls at once, that costs more than the state machines of the calls.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Any, Protocol
from weakref import ReferenceType, WeakKeyDictionary, ref

import msgspec


class Expiring(Protocol):
    """Something that expires at a time of the loop's clock."""

    due: float

    def expire(self) -> None:
        """Handle that the time has come. It has been removed from the timers."""
        ...


class Timers:
    """What expires in one event loop, and the times at which the loop checks it.

    Removing something leaves the checks as they are: a check without anything due is cheap, and there are few, as each is
    earlier than all that were set before it.
    """

    __slots__ = ("__weakref__", "checks", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[Expiring, None] = {}
        self.checks: list[float] = []
        """The times, latest first."""

    def check_at(self, due: float, loop: asyncio.AbstractEventLoop) -> None:
        """Check at this time, unless there is an earlier check, which then sets the next one."""
        if not self.checks or due < self.checks[-1]:
            self.checks.append(due)
            loop.call_at(due, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self.checks.pop()
        now = loop.time()
        try:
            for expired in [expiring for expiring in self.waiting if expiring.due <= now]:
                self.waiting.pop(expired, None)
                expired.expire()
        finally:
            if self.waiting:
                self.check_at(min(expiring.due for expiring in self.waiting), loop)


_TIMERS: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[Timers]] = WeakKeyDictionary()
"""Weak references, so that a loop that is closed is not kept alive by what waits in it. Its checks hold the timers."""


def get_timers(loop: asyncio.AbstractEventLoop) -> Timers:
    """Return the timers of a loop."""
    reference = _TIMERS.get(loop)
    timers = None if reference is None else reference()
    if timers is None:
        timers = Timers()
        _TIMERS[loop] = ref(timers)
    return timers


class TimeLimit(msgspec.Struct, eq=False):
    """A context manager that cancels its body after some seconds, and then raises TimeoutError, as `asyncio.timeout`."""

    _seconds: float
    due: float = math.inf
    _has_expired: bool = False
    _cancelling: int = 0
    """Number of cancellations of the task before."""
    _task: asyncio.Task[Any] | None = None
    _timers: Timers | None = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a time limit requires a task")
        self._cancelling = task.cancelling()
        self.due = due = loop.time() + self._seconds
        self._timers = timers = get_timers(loop)
        timers.waiting[self] = None
        # `check_at` makes the same comparison; made here, it saves most of its calls.
        if not timers.checks or due < timers.checks[-1]:
            timers.check_at(due, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timers is not None:
            self._timers.waiting.pop(self, None)
        # If others have cancelled the task as well, that is not a timeout.
        if (
            self._has_expired
            and self._task is not None
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel the body."""
        self._has_expired = True
        if self._task is not None:
            self._task.cancel()
