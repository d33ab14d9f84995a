"""One stream: carry out the machine's orders; once a piece of the answer is out, deliver it to its end.

Plain objects with `batch` and `aclose`, not nested generators: only the provider's own generator is known to the event
loop, so a loop that shuts down closes each stream once, from the outside in.
"""

from __future__ import annotations

from typing import assert_never

from returns.result import Failure, Success

from victor_fp.core.answers import Asked, placed
from victor_fp.core.faults import Fault
from victor_fp.core.protocols import Codec
from victor_fp.core.requests import ChatRequest, HttpRequest
from victor_fp.core.resilience.call import (
    Abandoned,
    Answered,
    Call,
    Committed,
    Deliver,
    Event,
    Failed,
    Order,
    Rested,
    Send,
    Settle,
    Wait,
    advance,
    begin,
)
from victor_fp.core.result import outcome
from victor_fp.core.tool_calling.hearing import hearing
from victor_fp.shell.call import attempts_as_dicts
from victor_fp.shell.line import Line
from victor_fp.shell.transport.protocol import prepare_model
from victor_fp.shell.trying import Batch, Try


class Streaming:
    """The answer as it comes, in batches. The last chunk of the last batch is final, or the batch has a fault.

    `timeout` (seconds) bounds each silence, connecting included. `deadline` bounds the whole stream where it is given;
    where not, the default one bounds the time to the first piece, since an answer that flows may take as long as it takes.
    Whoever makes one closes it.
    """

    def __init__(
        self, line: Line, request: ChatRequest, *, timeout: float | None = None, deadline: float | None = None
    ) -> None:
        self._line = line
        self._request = request
        self._timeout = timeout or line.timeout
        self._deadline = deadline
        self._call: Call | None = None
        self._order: Order | None = None
        self._speaker: Codec | None = None
        self._built: HttpRequest | None = None
        self._try: Try | None = None
        self._over = False

    async def batch(self) -> Batch | None:
        """The next batch; None when the stream is over."""
        if self._over:
            return None
        if self._order is None and (fault := await self._begun()) is not None:
            return self._last(fault)
        while True:
            match self._order:
                case Send() | Deliver() as order:
                    batch = await self._received(order)
                    if batch is not None:
                        return batch
                case Wait(seconds=seconds):
                    await self._line.runtime.sleep(seconds)
                    self._advanced(Rested())
                case Settle(fault=fault):
                    if self._try is not None:
                        await self._try.drained()
                    if fault is not None:
                        return self._last(fault)
                    self._over = True
                    return None
                case None:
                    return None
                case _:
                    assert_never(self._order)

    async def aclose(self) -> None:
        """Close the connection, and give back what the call held."""
        self._over = True
        self._advanced(Abandoned())
        await self._hung_up()

    async def _begun(self) -> Fault | None:
        line, request = self._line, self._request
        match outcome(await line.ready(request.model)):
            case Failure(fault):
                return fault
            case Success(speaker):
                self._speaker = hearing(speaker, request)
        match outcome(speaker.request(request)):
            case Failure(fault):
                return fault
            case Success(built):
                self._built = built
        if (unready := await prepare_model(line.transport, request.model)) is not None:
            return placed(Asked(endpoint=line.endpoint, model=request.model), unready)
        now = line.runtime.now()
        self._call, line.gate.breaker, self._order = begin(
            line.retries,
            line.gate.breaker,
            now,
            timeout=self._timeout,
            deadline=None if self._deadline is None else now + self._deadline,
            provider=line.endpoint.spec.name,
            model=request.model,
        )
        return None

    async def _received(self, order: Send | Deliver) -> Batch | None:
        """What the next read brings for the caller; None where the machine has another order first."""
        if self._try is None:
            self._try = await self._tried(order)
        batch = await self._try.batch()
        runtime = self._line.runtime
        if batch.chunks and isinstance(order, Send):
            self._advanced(Committed())
        if batch.fault is not None:
            await self._hung_up()
            self._advanced(Failed(batch.fault, runtime.luck()))
            return Batch(batch.chunks) if batch.chunks else None
        if batch.chunks and batch.chunks[-1].is_final:
            self._advanced(Answered(200))
            return self._with_attempts(batch)
        return batch

    async def _tried(self, order: Send | Deliver) -> Try:
        assert self._speaker is not None and self._built is not None  # noqa: PT018, S101  set before any order
        asked = Asked(endpoint=self._line.endpoint, model=self._request.model, adjustments=self._built.adjustments)
        moment = order.deadline if isinstance(order, Send) else None
        timeout = order.timeout if isinstance(order, Send) else self._timeout
        to_the_end = self._deadline is not None
        return Try(self._line, self._speaker, asked, self._built, timeout, moment, to_the_end=to_the_end)

    def _advanced(self, event: Event) -> None:
        """Tell the machine; an event that comes when the call has settled changes nothing."""
        if self._call is not None:
            gate = self._line.gate
            self._call, gate.breaker, self._order = advance(self._call, gate.breaker, event, self._line.runtime.now())

    def _with_attempts(self, batch: Batch) -> Batch:
        attempts = self._order.attempts if isinstance(self._order, Settle) else ()
        if len(attempts) < 2:
            return batch
        last = batch.chunks[-1]
        metadata = {**(last.metadata or {}), "attempts": attempts_as_dicts(attempts)}
        return Batch([*batch.chunks[:-1], last.model_copy(update={"metadata": metadata})])

    def _last(self, fault: Fault) -> Batch:
        self._over = True
        return Batch([], fault)

    async def _hung_up(self) -> None:
        current, self._try = self._try, None
        if current is not None:
            await current.aclose()
