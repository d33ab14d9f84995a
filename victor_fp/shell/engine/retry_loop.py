"""The retry machine of one call at one target, with a breaker in a cell, which may be shared by several processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import DeadlineExceeded
from victor_fp.core.resilience.breaker import Breaker
from victor_fp.core.resilience.call import (
    Abandoned,
    CallEvent,
    CallOrder,
    CallState,
    CallStep,
    Committed,
    Refused,
    Settle,
    Succeeded,
    advance,
    begin,
)
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.shell.store import Cell

_Begin: TypeAlias = "partial[CallStep]"
"""Starts the call, given the breaker and the time."""


class RetryLoop:
    """Reports events to the machine; `order` is the current order.

    With a shared store a change of the breaker needs a round trip. It is awaited only if the next order depends on the
    breaker: before an attempt, and after a failed one.
    """

    __slots__ = ("_arrived", "_call", "_cell", "_is_over", "_model", "_provider", "deadline", "now", "order")

    def __init__(
        self,
        cell: Cell[Breaker | None],
        policy: RetryPolicy,
        *,
        timeout: float,
        deadline: float | None,
        began: float,
        provider: str,
        model: str,
        waits_for_breaker: bool = False,
        now: Callable[[], float],
    ) -> None:
        """Request the first attempt. Its order may be pending."""
        self._cell = cell
        self.now = now
        self.deadline = deadline
        self._provider = provider
        self._model = model
        self._call: CallState | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._is_over = False
        self.order: CallOrder | None = None
        """None while the store is asked for the state of the breaker."""
        begin_call: _Begin = partial(
            begin, policy, timeout=timeout, deadline=deadline, provider=provider, model=model,
            began=began, wait_when_open=waits_for_breaker,
        )  # fmt: skip
        cell.post(self._step, begin_call, self._apply)

    @property
    def records(self) -> tuple[AttemptRecord, ...]:
        """The attempts, after the call has settled."""
        return self.order.attempts if isinstance(self.order, Settle) else ()

    async def advance(self, event: CallEvent) -> None:
        """Report the outcome of the last order, and wait for the next one."""
        self.order = None
        self._cell.post(self._step, event, self._apply)
        await self.wait()

    async def wait(self) -> None:
        """Wait for a pending order, not past the deadline."""
        while self.order is None:
            self._arrived = asyncio.get_running_loop().create_future()
            left = None if self.deadline is None else max(0.0, self.deadline - self.now())
            try:
                async with asyncio.timeout(left):
                    await self._arrived
            except TimeoutError:
                if self.order is None:
                    message = "the deadline passed while the shared store was asked for the state of the breaker"
                    fault = DeadlineExceeded(provider=self._provider, model=self._model, message=message)
                    self.finish(Refused(fault), self.now())

    def commit(self) -> None:
        """Record that content is about to be delivered to the caller. The breaker is not involved."""
        if self._call is not None:
            self._call, _, self.order = advance(self._call, self._cell.state, Committed(), self.now())

    def finish(self, event: Succeeded | Refused | Abandoned, now: float) -> None:
        """Report the end of the call. The change of the breaker is not awaited."""
        if self._is_over or isinstance(self.order, Settle):
            return
        self.order = None
        self._cell.post(self._step, event, self._apply)
        if self.order is None:
            self._is_over = True
            self.order = Settle(event.fault if isinstance(event, Refused) else None, ())
            if self._call is not None:
                _, _, self.order = advance(self._call, self._cell.state, event, now)

    def _step(
        self, breaker: Breaker | None, event: CallEvent | _Begin, now: float
    ) -> tuple[Breaker | None, CallState | None]:
        """Run one step of the cell. Steps run in order, so the call is that of the previous step."""
        if isinstance(event, partial):
            call, breaker, _ = event(breaker, now)
        elif self._call is not None:
            call, breaker, _ = advance(self._call, breaker, event, now)
        else:
            return breaker, None
        return breaker, call

    def _apply(self, call: CallState | None) -> None:
        if call is None:
            return
        self._call = call
        if not self._is_over:
            self.order = call.order
            if self._arrived is not None and not self._arrived.done():
                self._arrived.set_result(None)
