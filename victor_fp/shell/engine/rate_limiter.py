"""The rate limiter of one API key: grants permits to send, and holds the other calls in a queue.

The machine in `core/resilience/admission.py` makes the decisions; this module holds the futures of waiting calls and
the timer that wakes them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from itertools import count
from time import time
from typing import assert_never

from victor_fp.core.faults import Fault
from victor_fp.core.resilience.admission import (
    Admission,
    AdmissionEvent,
    AdmissionOrder,
    Arrived,
    Finished,
    GaveUp,
    Grant,
    Refuse,
    Unsent,
    Wake,
    Woken,
    advance,
)
from victor_fp.core.resilience.cooldown import compute_time_left
from victor_fp.core.resilience.rate_limit import Permit, build_stats, may_limit_tokens
from victor_fp.core.resilience.ratelimit_headers import NOTHING, read_budgets
from victor_fp.core.telemetry.stats import QueueStats
from victor_fp.core.types import DEFAULT_MAX_TOKENS, Usage
from victor_fp.core.usage.token_estimates import estimate_text_tokens, estimate_tokens
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.store import LimitsCell, Store


class RateLimiter:
    """The rate limit and the queue of one key. Times are in the store's clock."""

    def __init__(self, cell: LimitsCell, store: Store, runtime: Runtime) -> None:
        self._cell = cell
        self._store = store
        self._runtime = runtime
        self._tickets = count()
        self._waiting: dict[int, asyncio.Future[Grant | Refuse]] = {}
        self._answers: dict[int, Grant | Refuse] = {}
        """Orders for calls that do not wait yet."""
        self._timer: asyncio.Task[None] | None = None
        self._wakes_at = math.inf

    async def acquire(self, spec: CallSpec, deadline: float) -> Permit | Fault:
        """Acquire a permit for one request, or return why there is none. A cancelled call leaves the queue at once."""
        ticket = next(self._tickets)
        tokens = _estimate_tokens(spec) if may_limit_tokens(self._cell.state.limiter) else 0
        arrived = Arrived(ticket=ticket, priority=spec.priority, tokens=tokens, deadline=deadline)
        self._cell.post(advance, arrived, self._carry_out)
        answer = self._answers.pop(ticket, None)
        refusal = self._store.find_refusal()
        if refusal is not None:
            self._give_up(ticket, answer)
            return refusal
        if answer is None:
            future = self._waiting[ticket] = asyncio.get_running_loop().create_future()
            try:
                answer = await future
            except BaseException:
                self._give_up(ticket, future.result() if future.done() and not future.cancelled() else None)
                raise
            finally:
                del self._waiting[ticket]
        return answer.permit if isinstance(answer, Grant) else answer.fault

    def release(self, permit: Permit, fault: Fault | None, usage: Usage | None, headers: Mapping[str, str]) -> None:
        """Release the permit of a finished request, with its fault, its usage and its response headers."""
        budgets = read_budgets(headers, time()) if "ratelimit" in " ".join(headers) else NOTHING
        used = None if usage is None else _count_tokens(usage)
        finished = Finished(permit=permit, fault=fault, used=used, reported=budgets)
        self._cell.post(advance, finished, self._carry_out)

    def withdraw(self, permit: Permit) -> None:
        """Return the permit of a request that was not sent."""
        self._post(Unsent(permit))

    def wake(self) -> None:
        """Evaluate the queue again."""
        self._post(Woken())

    def build_stats(self) -> QueueStats:
        """Return statistics of rate limit and queue."""
        state, now = self._cell.state, self._store.now()
        return {
            **build_stats(state.limiter, now),
            "waiting": len(state.queue.entries),
            "cooldown": compute_time_left(state.cooldown, now),
        }

    def _post(self, event: AdmissionEvent) -> None:
        self._cell.post(advance, event, self._carry_out)

    def _give_up(self, ticket: int, answer: Grant | Refuse | None) -> None:
        """Leave the queue, or return the permit that was granted meanwhile."""
        if isinstance(answer, Grant):
            self.withdraw(answer.permit)
        elif answer is None:
            self._post(GaveUp(ticket))

    def _carry_out(self, orders: tuple[AdmissionOrder, ...]) -> None:
        for order in orders:
            match order:
                case Wake(at=at):
                    self._wake_at(at)
                case Grant(ticket=ticket) | Refuse(ticket=ticket):
                    future = self._waiting.get(ticket)
                    if future is None:
                        self._answers[ticket] = order
                    elif not future.done():
                        future.set_result(order)
                    elif isinstance(order, Grant):  # the call was cancelled
                        self.withdraw(order.permit)
                case _:
                    assert_never(order)
        if self._timer is not None and not self._cell.state.queue.entries:
            self._timer.cancel()
            self._timer, self._wakes_at = None, math.inf

    def _wake_at(self, at: float) -> None:
        """Evaluate the queue again at this time. An early wake is harmless."""
        if self._timer is not None and not self._timer.done() and self._wakes_at <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = at
        self._timer = asyncio.get_running_loop().create_task(self._fire(at))

    async def _fire(self, at: float) -> None:
        await self._runtime.sleep(max(0.0, at - self._store.now()))
        self._timer, self._wakes_at = None, math.inf
        self.wake()


def open_limiter(name: str, fresh: Admission, store: Store, runtime: Runtime) -> RateLimiter:
    """Return the limiter of the key with this name, which all providers with the same store share."""
    cell = store.open_limits(name, fresh)
    if cell.limiter is None:
        cell.limiter = RateLimiter(cell, store, runtime)
    return cell.limiter


def _estimate_tokens(spec: CallSpec) -> int:
    if spec.texts:
        return estimate_text_tokens((*spec.texts, spec.query))
    return estimate_tokens(
        spec.messages, spec.tools, None if spec.max_tokens == DEFAULT_MAX_TOKENS else spec.max_tokens
    )


def _count_tokens(usage: Usage) -> int | None:
    total = usage.get("total_tokens")
    if total is None and ("prompt_tokens" in usage or "completion_tokens" in usage):
        return usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    return total
