"""The door before a key: carries out who may send, and lets the others wait.

The machine in `core/resilience/admission.py` decides; here are the futures of those who wait and the one timer that
wakes them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from functools import partial
from itertools import count
from time import time
from typing import assert_never

from victor_fp.core.faults import Fault
from victor_fp.core.resilience import admission as admitting
from victor_fp.core.resilience.admission import (
    Admission,
    Arrived,
    Event,
    Finished,
    GaveUp,
    Grant,
    Order,
    Refuse,
    Unsent,
    Wake,
    Woken,
)
from victor_fp.core.resilience.cooldown import left
from victor_fp.core.resilience.queue import Priority
from victor_fp.core.resilience.rate_limit import Permit, stats
from victor_fp.core.resilience.ratelimit_headers import reported
from victor_fp.shell.runtime import Runtime
from victor_fp.shell.store import Cell, Store


class Door:
    """One key's rate limit and waiting line."""

    def __init__(self, cell: Cell[Admission], store: Store, runtime: Runtime) -> None:
        self._cell = cell
        self._store = store
        self._runtime = runtime
        self._tickets = count()
        self._waiting: dict[int, asyncio.Future[Grant | Refuse]] = {}
        self._answers: dict[int, Grant | Refuse] = {}
        """Answers to those who have not come back from asking."""
        self._timer: asyncio.Task[None] | None = None
        self._wakes_at = math.inf

    async def enter(self, priority: Priority, tokens: int, deadline: float) -> Permit | Fault:
        """Leave to send one request, or why there is none. `deadline` is a point of time on the store's clock."""
        ticket = next(self._tickets)
        try:
            await self._cell.change(
                partial(self._taken, Arrived(ticket=ticket, priority=priority, tokens=tokens, deadline=deadline)),
            )
            answer = self._answers.pop(ticket, None)
            refusal = self._store.refusal()
            if refusal is not None:
                self._gave_up(ticket, answer)
                return refusal
            if answer is None:
                future = self._waiting[ticket] = asyncio.get_running_loop().create_future()
                answer = await future
                del self._waiting[ticket]
        except asyncio.CancelledError:
            future_or_none = self._waiting.pop(ticket, None)
            told = future_or_none is not None and future_or_none.done() and not future_or_none.cancelled()
            self._gave_up(ticket, future_or_none.result() if told and future_or_none else self._answers.pop(ticket, None))
            raise
        return answer.permit if isinstance(answer, Grant) else answer.fault
