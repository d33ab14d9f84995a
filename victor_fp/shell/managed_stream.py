"""One managed stream: plan, tries and leave to send; once a piece of the answer is out, its target is final."""

from __future__ import annotations

import asyncio
from typing import assert_never

import msgspec

from victor_fp.core.faults import Fault
from victor_fp.core.resilience import call as calling
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.call import Committed, Deliver, Failed, Refused, Rested, Send, Settle, Wait
from victor_fp.core.resilience.fallback import Ask
from victor_fp.core.resilience.rate_limit import Permit
from victor_fp.core.types import StreamChunk
from victor_fp.shell.call import SLACK, attempts_as_dicts
from victor_fp.shell.managed import Operation, Pool, gave_up
from victor_fp.shell.managed_source import Asking, Pieces, Prepared
from victor_fp.shell.managed_target import Place, Tries
from victor_fp.shell.transport.errors import timeout_fault
from victor_fp.shell.trying import Batch


class ManagedStream:
    """The answer as it comes, in batches. Whoever makes one closes it; nothing is sent before the first batch is asked for."""

    def __init__(self, pool: Pool, asking: Asking) -> None:
        self._pool = pool
        self._asking = asking
        self._operation: Operation | None = None
        self._plan: fallback.Plan | None = None
        self._order: fallback.Order | None = None
        self._tries: Tries | None = None
        self._place: Place | None = None
        self._prepared: Prepared | None = None
        self._permit: Permit | None = None
        self._pieces: Pieces | None = None
        self._done: Pieces | None = None
        """An answer that is over and still to be read to its end."""
        self._text: list[str] | None = [] if any(one.wants_content for one in pool.observers) else None
        self._final: StreamChunk | None = None
        self._told = False
        self._over = False

    async def batch(self) -> Batch | None:
        """The next batch; None when the stream is over."""
        if self._over:
            return None
        operation = self._operation
        if operation is None:
            operation = self._operation = Operation(self._pool, self._asking)
            self._plan, self._order = operation.begin()
        while True:
            match self._order:
                case Ask() | fallback.Deliver() as order:
                    batch = await self._asked(operation, order)
                    if batch is not None:
                        return batch
                case fallback.Settle(fault=fault):
                    return await self._settled(fault)
                case None:
                    return None
                case _:
                    assert_never(self._order)

    async def aclose(self) -> None:
        """Give back what is held, and close the connection."""
        operation, self._over = self._operation, True
        if operation is not None and self._plan is not None:
            committed = isinstance(self._order, fallback.Deliver)
            self._tried(operation, gave_up(operation))
            self._advance(fallback.Abandoned(() if self._tries is None else self._tries.abandon()))
            self._tell("left" if committed else "Cancelled", gave_up(operation))
        pieces, self._pieces, self._done = self._pieces or self._done, None, None
        if pieces is not None:
            await pieces.aclose()

    async def _asked(self, operation: Operation, order: Ask | fallback.Deliver) -> Batch | None:
        """What the present target brings; None where the plan has another order first."""
        if self._tries is None:
            if isinstance(order, Ask) and (fault := await self._opened(operation, order)) is not None:
                self._advance(fallback.Failed(fault))
            return None
        match self._tries.order:
            case Send() | Deliver() as sending:
                return await self._received(operation, self._tries, sending)
            case Wait(seconds=seconds):
                await self._pool.runtime.sleep(seconds)
                await self._tries.advance(Rested())
            case Settle(fault=fault, attempts=attempts):
                self._tries = None
                self._advance(fallback.Answered(attempts) if fault is None else fallback.Failed(fault))
            case _:
                assert_never(self._tries.order)
        return None

    async def _opened(self, operation: Operation, ask: Ask) -> Fault | None:
        """Begin with a target."""
        operation.place = ask.place
        target, model = self._pool.targets[ask.place], ask.target.model
        place = await target.place(model)
        if not isinstance(place, Place):
            return place
        prepared = await target.source.prepare(self._asking, model, operation.options_at(ask.place))
        if isinstance(prepared, msgspec.Struct):
            return prepared
        self._place, self._prepared = place, prepared
        self._tries = operation.tries(ask, place)
        await self._tries.begin()
        return None

    async def _received(self, operation: Operation, tries: Tries, order: Send | Deliver) -> Batch | None:
        """What the next read brings for the caller; None where the machines have another order first."""
        if (
            self._pieces is None
            and isinstance(order, Send)
            and (event := await self._sent(operation, order)) is not None
        ):
            await tries.advance(event)
            return None
        batch = await self._next(operation, order)
        if batch.chunks:
            operation.received()
            if isinstance(order, Send):
                await tries.advance(Committed())
                self._advance(fallback.Committed())
            if self._text is not None:
                self._text += [chunk.content for chunk in batch.chunks]
        if batch.fault is not None:
            self._tried(operation, batch.fault)
            await self._hung_up()
            await tries.advance(Failed(batch.fault, self._pool.runtime.luck()))
            return Batch(batch.chunks) if batch.chunks else None
        if batch.chunks and batch.chunks[-1].is_final:
            self._final = batch.chunks[-1]
            self._tried(operation, None)
            self._done, self._pieces = self._pieces, None
            settled = await tries.advance(calling.Answered(200))
            self._tries = None
            self._advance(fallback.Answered(settled.attempts if isinstance(settled, Settle) else ()))
            self._tell("ok", None)
            return self._with_attempts(batch)
        return batch

    async def _sent(self, operation: Operation, order: Send) -> Refused | None:
        """Leave to send, then the request; what stands in the way, if something does."""
        assert self._place is not None and self._prepared is not None  # noqa: PT018, S101  set before any order
        leave = await operation.enter(self._place, order)
        if leave is not None and not isinstance(leave, Permit):
            return Refused(leave)
        self._permit = leave
        now = operation.store.now()
        whole = operation.deadline - now if operation.bounded else None
        self._pieces = self._prepared.pieces(min(order.timeout, order.deadline - now), whole)
        return None

    async def _next(self, operation: Operation, order: Send | Deliver) -> Batch:
        """The next batch. Up to the first piece the target's deadline holds, whatever trickles in before it."""
        assert self._pieces is not None  # noqa: S101  set by what was sent
        if isinstance(order, Deliver):
            return await self._pieces.batch()
        left = max(0.0, order.deadline - operation.store.now())
        try:
            async with asyncio.timeout(left + 2 * SLACK):
                return await self._pieces.batch()
        except TimeoutError:
            return Batch([], timeout_fault("first_token", "opening", left))

    def _advance(self, event: fallback.Event) -> None:
        if self._plan is not None:
            self._plan, self._order = fallback.advance(self._plan, event, self._pool.store.now())

    def _tried(self, operation: Operation, fault: Fault | None) -> None:
        """Give the permit back, once."""
        permit, self._permit = self._permit, None
        if self._place is not None and self._prepared is not None and (self._pieces is not None or permit is not None):
            usage = None if self._final is None else self._final.usage
            operation.tried(self._place, permit, self._prepared, fault, usage)

    async def _hung_up(self) -> None:
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            await pieces.aclose()

    async def _settled(self, fault: Fault | None) -> Batch | None:
        self._over = True
        if fault is not None:
            self._tell(type(fault).__name__, fault)
            return Batch([], fault)
        if self._done is not None:
            await self._done.drained()
            self._done = None
        return None

    def _tell(self, ending: str, fault: Fault | None) -> None:
        """How it ended, to whom it concerns."""
        if self._operation is not None and self._plan is not None and not self._told:
            self._told = True
            text = None if self._text is None else "".join(self._text)
            self._operation.ended(ending, self._plan.attempts, fault=fault, answer=self._final, text=text)

    def _with_attempts(self, batch: Batch) -> Batch:
        attempts = () if self._plan is None else self._plan.attempts
        if len(attempts) < 2:
            return batch
        last = batch.chunks[-1]
        metadata = {**(last.metadata or {}), "attempts": attempts_as_dicts(attempts)}
        return Batch([*batch.chunks[:-1], last.model_copy(update={"metadata": metadata})])
