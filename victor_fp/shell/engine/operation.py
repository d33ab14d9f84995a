"""The operation loop: drives targets, attempts, rate limiters and breakers as the state machines order.

All decisions are made by the machines: `core/resilience/fallback.py` selects the target, `call.py` when an attempt is
made, and `admission.py`, used by the target's rate limiter, when it may be sent. A non-streaming response is a stream
whose first batch is the last.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar, assert_never

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Cancelled, Fault, FaultBase, InvalidResponse
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.bounds import MAX_SECONDS
from victor_fp.core.resilience.call import Abandoned, Deliver, Failed, Refused, Send, Settle, Succeeded, Wait, WaitEnded
from victor_fp.core.resilience.deadline import build_deadline_fault
from victor_fp.core.resilience.retry import NO_RETRIES
from victor_fp.core.result import outcome
from victor_fp.core.telemetry.metrics import build_sample, record_sample
from victor_fp.core.types import CompletionResponse, StreamChunk, Usage
from victor_fp.shell.engine import telemetry
from victor_fp.shell.engine.attempt import StreamAttempt
from victor_fp.shell.engine.backend import BackendAttempt, Batch, BoundRequest, Kind, KnownResult, Split, TimeLimits
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.nesting import NESTED
from victor_fp.shell.engine.retry_loop import RetryLoop
from victor_fp.shell.engine.split import SplitRequest
from victor_fp.shell.engine.target import Target, TargetPool
from victor_fp.shell.store.memory import MemoryCell

if TYPE_CHECKING:
    from victor_fp.core.resilience.budget import Amount
    from victor_fp.core.resilience.rate_limit import Permit
    from victor_fp.shell.engine.budget_keeper import BudgetKeeper
    from victor_fp.shell.engine.rate_limiter import RateLimiter

T = TypeVar("T")

_UNSETTLED = InvalidResponse(message="the call settled without a response")


class Operation(Generic[T]):
    """One operation, from its creation to its end. It must be closed by its creator."""

    __slots__ = (
        "_arrivals", "_attempt", "_began", "_bound", "_cause", "_deadline", "_ended_by", "_is_over", "_kind", "_limiter", "_model",
        "_on_end", "_permit", "_plan", "_pool", "_queued", "_reserved", "_retry", "_sent", "_spec", "_target", "_task", "_text", "records",
    )  # fmt: skip

    headers: Mapping[str, str] = {}

    def __init__(self, pool: TargetPool, kind: Kind[T], spec: CallSpec) -> None:
        """Start the clock and the plan, and notify observers."""
        self._pool = pool = NESTED.get().get(pool, pool)
        self._kind = kind
        self._spec = spec
        self.records: tuple[AttemptRecord, ...] = ()
        """All attempts at all targets, oldest first, after the operation has ended."""
        self._began = now = pool.store.now()
        self._deadline = None if spec.deadline is None else now + spec.deadline
        if self._deadline is None and pool.policy is not None:
            timeout = pool.total_timeout if spec.timeout is None else pool.compute_total_timeout(spec.timeout)
            self._deadline = now + timeout
        self._plan = None if pool.policy is None or pool.is_single else self._begin_plan(pool.policy)
        self._cause: Fault | None = None
        self._target: Target | None = None
        self._model = ""
        self._limiter: RateLimiter | None = None
        self._bound: BoundRequest[T] | None = None
        self._retry: RetryLoop | None = None
        self._attempt: BackendAttempt[T] | None = None
        self._permit: Permit | None = None
        self._reserved: Amount | None = None
        """The amount of the budget that is reserved for the attempt."""
        self._sent: float | None = None
        self._queued = 0.0
        self._arrivals: list[float] | None = None
        self._text: list[str] | None = None
        self._on_end: Sequence[telemetry.OnEnd] = ()
        self._task: asyncio.Task[Any] | None = None
        self._ended_by: Fault | None = None
        self._is_over = False
        pool.in_flight.operations.add(self)
        if pool.observers and pool.plan:
            self._notify_observers()

    async def result(self) -> Result[T, Fault]:
        """Return the single item of a non-streaming operation."""
        try:
            match outcome(await self.read_batch()):
                case Success(batch):
                    return Success(batch.items[-1])
                case Failure(fault):
                    return Failure(fault)
        finally:
            if not self._is_over or self._attempt is not None:
                await self.aclose()

    async def read_batch(self) -> Result[Batch[T], Fault]:
        """Return the next batch. Must not be called after the last batch or a failure."""
        self._task = asyncio.current_task()
        try:
            if self._ended_by is not None:
                return await self._end_early(self._ended_by)
            while True:
                retry = self._retry
                if retry is None:
                    if (fault := await self._start_target()) is not None:
                        return self._fail(fault)
                    continue
                match retry.order:
                    case None:
                        await self._wait_for_order(retry)
                        continue
                    case Send() as send:
                        if self._attempt is None and not await self._start_attempt(retry, send):
                            continue
                    case Deliver():
                        pass
                    case Wait(seconds=seconds):
                        await self._pool.runtime.sleep(seconds)
                        await retry.advance(WaitEnded())
                        continue
                    case Settle(fault=settled):
                        self._retry = None
                        if (fault := self._move_on(settled or _UNSETTLED)) is not None:
                            return self._fail(fault)
                        continue
                    case _:
                        assert_never(retry.order)
                attempt = self._attempt
                if attempt is None:
                    raise RuntimeError("no attempt has been started")
                received = await attempt.read_batch()
                match outcome(received):
                    case Success(batch):
                        if self._spec.stream and (self._pool.is_reported or self._on_end):
                            self._record_arrival(batch)
                        if batch.is_last:
                            self._complete(retry, batch)
                        elif isinstance(retry.order, Send):  # after the first batch the target is final
                            retry.commit()
                            if self._plan is not None:
                                self._plan, _ = fallback.advance(self._plan, fallback.TargetCommitted(), retry.now())
                        return received
                    case Failure(fault):
                        await self._fail_attempt(retry, attempt, fault)
        except asyncio.CancelledError:
            if self._ended_by is None or self._task is None or self._task.uncancel() > 0:
                raise
            return await self._end_early(self._ended_by)
        finally:
            self._task = None

    def interrupt(self, fault: Fault) -> None:
        """End the operation at once with this fault, because its provider is closed."""
        if not self._is_over and self._ended_by is None:
            self._ended_by = fault
            if self._task is not None:
                self._task.cancel()

    async def aclose(self) -> None:
        """Release permits and reservations, and close the connection, or drain it if the response is complete."""
        retry, attempt = self._retry, self._attempt
        if self._is_over:
            self._attempt = None
            if attempt is not None:
                await attempt.aclose()
            return
        is_committed = retry is not None and isinstance(retry.order, Deliver)
        is_left = is_committed and not isinstance(sys.exception(), asyncio.CancelledError)
        fault = self._with_target(Cancelled(message="the caller cancelled the call"))
        self._abandon(fault)
        self._finish("left" if is_left else "Cancelled", fault=fault)
        if attempt is not None:
            await attempt.aclose()

    def _begin_plan(self, policy: fallback.FallbackPolicy) -> fallback.Plan:
        pool, model = self._pool, self._spec.model
        targets = pool.plan
        if model and targets and model != targets[0].model:
            targets = (replace(targets[0], model=model), *targets[1:])
        deadline = self._began + pool.total_timeout if self._deadline is None else self._deadline
        plan, _ = fallback.begin(targets, policy, self._began, deadline)
        return plan

    def _notify_observers(self) -> None:
        pool, spec = self._pool, self._spec
        begun = telemetry.Begun(
            provider=pool.plan[0].provider,
            model=spec.model or pool.plan[0].model,
            address=pool.targets[0].backend.address if pool.targets else None,
            spec=spec,
            operation=self._kind.operation,
        )
        self._on_end = telemetry.notify_begin(pool.observers, begun)
        if spec.stream and telemetry.has_content_observer(pool.observers):
            self._text = []

    async def _start_target(self) -> Fault | None:
        """Start with the target that the plan ordered; return the fault that ends the operation, if any."""
        pool, spec, plan = self._pool, self._spec, self._plan
        index, deadline, retries = 0, self._deadline, spec.max_retries
        if plan is None:
            target = pool.targets[0]
        else:
            order = plan.order
            if isinstance(order, fallback.SettlePlan):
                return order.fault
            if isinstance(order, fallback.CallTarget):
                index, deadline = order.index, order.deadline
                if order.max_retries is not None:
                    retries = order.max_retries if retries is None else min(retries, order.max_retries)
            self._target = None
            match outcome(await pool.resolve(index, self._cause, self)):
                case Success(target):
                    pass
                case Failure(fault):
                    return self._move_on(fault)
        self._target = target
        model = self._model = (spec.model if index == 0 else "") or target.model
        if target.in_flight is not None:
            target.in_flight.add(self)
        state = target.shared_state or target.states.get(model)
        if state is None:
            match outcome(await target.make_state(model, pool.store, pool.runtime)):
                case Success(state):
                    pass
                case Failure(fault):
                    return self._move_on(fault)
        options = {**spec.options, **target.options} if target.options else spec.options
        match outcome(await target.backend.bind(self._kind, spec, model, options)):
            case Success(bound):
                pass
            case Failure(fault):
                return self._move_on(fault)
        self._limiter, breaker = None if isinstance(bound, KnownResult) else state.limiter, state.breaker
        policy, timeout, uses_breaker = target.retries, spec.timeout or target.timeout, self._kind.uses_breaker
        if isinstance(bound, Split):
            # Each part has its own permits, retries, breaker reports and share of the budget.
            bound = SplitRequest(bound, partial(self._begin_part, target, model))
            policy, timeout, uses_breaker, self._limiter = NO_RETRIES, MAX_SECONDS, False, None
        if retries is not None and retries < policy.max_retries:
            policy = replace(policy, max_retries=max(0, retries))
        self._bound = bound
        self._retry = RetryLoop(
            breaker if uses_breaker else MemoryCell(None, pool.store.now),
            policy,
            timeout=timeout,
            deadline=deadline,
            began=self._began,
            provider=target.backend.name,
            model=model,
            waits_for_breaker=target.waits_for_breaker,
            now=pool.store.now,
        )
        return None

    def _begin_part(self, target: Target, model: str, spec: CallSpec, limits: TimeLimits) -> Operation[T]:
        """Create an operation for a part of the call; only the whole call is reported to observers and metrics."""
        pool = TargetPool((target,), store=self._pool.store, runtime=self._pool.runtime, budget=self._pool.budget)
        return Operation(pool, self._kind, replace(spec, model=model, deadline=limits.total))

    def _move_on(self, fault: Fault) -> Fault | None:
        """Continue with the next target after the fault of one; return the fault that ends the operation, if any."""
        target, self._cause = self._target, fault
        if target is not None and target.in_flight is not None:
            target.in_flight.discard(self)
        if self._pool.policy is None:
            return fault
        plan = self._plan or self._begin_plan(self._pool.policy)
        self._plan, order = fallback.advance(plan, fallback.TargetFailed(fault), self._pool.store.now())
        return order.fault if isinstance(order, fallback.SettlePlan) else None

    async def _wait_for_order(self, retry: RetryLoop) -> None:
        """Wait for the order and for a permit at the same time, so that a shared store costs one round trip."""
        deadline = self._pool.store.now() + 60.0 if retry.deadline is None else retry.deadline
        refusal = await self._acquire_permit(deadline)
        await retry.wait()
        may_send = isinstance(retry.order, Send)
        if refusal is not None or not may_send:
            self._withdraw_permit()
        if refusal is not None and may_send:
            retry.finish(Refused(refusal), self._pool.store.now())

    async def _start_attempt(self, retry: RetryLoop, order: Send) -> bool:
        """Start the attempt; False if it is refused a permit or a part of the budget."""
        pool, bound = self._pool, self._bound
        if bound is None:
            raise RuntimeError("no target has been started")
        now, timeout = pool.store.now(), order.timeout
        if self._limiter is not None or pool.budget is not None:
            refusal = await self._acquire_permit(order.deadline)
            if refusal is None and pool.store.now() >= order.deadline:
                refusal = build_deadline_fault(self._provider, self._model, order.deadline - self._began, None)
            if refusal is None and pool.budget is not None and not isinstance(bound, SplitRequest | KnownResult):
                refusal = await self._reserve_budget(pool.budget, order.deadline)
            now = pool.store.now()
            if refusal is not None:
                self._withdraw_permit()
                retry.finish(Refused(refusal), now)
                return False
            timeout = min(timeout, order.deadline - now)
        total = None if self._spec.deadline is None or self._deadline is None else self._deadline - now
        self._sent = now
        self._arrivals = None
        self._attempt = bound.start(TimeLimits(timeout, order.deadline - now, total))
        return True

    async def _acquire_permit(self, deadline: float) -> Fault | None:
        """Acquire a permit, unless the attempt has one or needs none; return why there is none, if so."""
        if self._limiter is None or self._permit is not None:
            return None
        began = self._pool.store.now()
        granted = await self._limiter.acquire(self._spec, deadline)
        self._queued += self._pool.store.now() - began
        if isinstance(granted, FaultBase):
            return granted if granted.provider else self._with_target(granted)
        self._permit = granted
        return None

    async def _reserve_budget(self, budget: BudgetKeeper, deadline: float) -> Fault | None:
        """Reserve the estimated cost of the attempt; return why it must not be sent, if so."""
        spec, target = self._spec, self._target
        address = None if target is None else target.backend.address
        texts = (*spec.texts, spec.query) if spec.texts else ()
        reserved = await budget.reserve(
            self._provider, self._model, address, spec.messages, spec.tools, spec.max_tokens, deadline, texts=texts
        )
        match outcome(reserved):
            case Success(amount):
                self._reserved = amount
                return None
            case Failure(fault):
                return fault

    def _withdraw_permit(self) -> None:
        permit, self._permit = self._permit, None
        if permit is not None and self._limiter is not None:
            self._limiter.withdraw(permit)

    def _record_arrival(self, batch: Batch[T]) -> None:
        if self._arrivals is None:
            self._arrivals = []
        self._arrivals.append(self._pool.store.now())
        if self._text is not None:
            self._text += [item.content for item in batch.items if isinstance(item, StreamChunk)]

    def _complete(self, retry: RetryLoop, batch: Batch[T]) -> None:
        now, target, attempt = self._pool.store.now(), self._target, self._attempt
        answer = batch.items[-1] if batch.items else None
        if target is not None and (self._permit is not None or target.on_attempt is not None):
            self._end_attempt(None, batch.usage, now)
        if self._reserved is not None:
            self._settle_budget(None, answer=answer, usage=batch.usage)
        retry.finish(Succeeded(200), now)
        order = retry.order
        self.records = (() if attempt is None else attempt.records) or (
            order.attempts if isinstance(order, Settle) else ()
        )
        if not self._spec.stream:
            self._attempt = None
        if self._plan is not None:
            self._plan, _ = fallback.advance(self._plan, fallback.TargetSucceeded(self.records), now)
            self.records = self._plan.attempts
        self._finish("ok", answer=answer, usage=batch.usage)

    async def _fail_attempt(self, retry: RetryLoop, attempt: BackendAttempt[T], fault: Fault) -> None:
        self._end_attempt(fault, None, self._pool.store.now())
        self._settle_budget(fault)
        self._attempt = None
        inner = attempt.records
        await attempt.aclose()
        await retry.advance(Failed(fault, self._pool.runtime.draw_random()))
        if inner and isinstance(retry.order, Settle) and retry.order.fault is not None:
            retry.order = Settle(replace(retry.order.fault, attempts=inner), inner)

    def _end_attempt(self, fault: Fault | None, usage: Usage | None, now: float) -> None:
        """Release the permit, and record the outcome of the attempt."""
        permit, self._permit = self._permit, None
        attempt, target = self._attempt, self._target
        if permit is not None and self._limiter is not None:
            self._limiter.release(permit, fault, usage, {} if attempt is None else attempt.headers)
        if attempt is None or self._sent is None or isinstance(self._bound, SplitRequest):
            return  # the parts of a call record their own attempts
        if target is not None and target.on_attempt is not None:
            target.on_attempt(fault, now - self._sent, now)

    def _settle_budget(self, fault: Fault | None, *, answer: object = None, usage: Usage | None = None) -> None:
        """Settle the actual cost of the attempt."""
        reserved, self._reserved = self._reserved, None
        if reserved is None or self._pool.budget is None:
            return
        models = (getattr(answer, "model", None), self._model)
        address = None if self._target is None else self._target.backend.address
        self._pool.budget.settle(reserved, fault=fault, answer=answer, usage=usage, models=models, address=address)

    def _abandon(self, fault: Fault) -> None:
        """Release everything before the response is complete."""
        now = self._pool.store.now()
        if self._attempt is None:
            self._withdraw_permit()
        else:
            self._end_attempt(fault, None, now)
            # The request may be billed although its response is not read.
            self._settle_budget(replace(fault, maybe_billed=True))
        self._attempt = None
        if self._retry is not None:
            self._retry.finish(Abandoned(), now)
            self.records = self._retry.records
        if self._plan is not None:
            self._plan, _ = fallback.advance(self._plan, fallback.PlanAbandoned(self.records), now)
            self.records = self._plan.attempts

    async def _end_early(self, fault: Fault) -> Result[Batch[T], Fault]:
        """Release everything and return the fault at once, because the provider was closed."""
        attempt = self._attempt
        if isinstance(attempt, StreamAttempt):
            fault = attempt.interrupt(fault)
        fault = self._with_target(fault)
        self._abandon(fault)
        if attempt is not None:
            await attempt.aclose()
        return self._fail(replace(fault, attempts=self.records))

    def _fail(self, fault: Fault) -> Result[Batch[T], Fault]:
        self.records = fault.attempts or self.records
        self._finish(type(fault).__name__, fault=fault)
        return Failure(fault)

    def _with_target(self, fault: Fault) -> Fault:
        """Add the current target to a fault that names none."""
        return replace(fault, provider=fault.provider or self._provider, model=fault.model or self._model or None)

    @property
    def _provider(self) -> str:
        """The provider of the current target, or of the first one."""
        if self._target is not None:
            return self._target.backend.name
        return self._pool.plan[0].provider if self._pool.plan else ""

    def _finish(
        self, result: str, *, fault: Fault | None = None, answer: object = None, usage: Usage | None = None
    ) -> None:
        """End the operation, and report it to metrics, log and observers."""
        if self._is_over:
            return
        self._is_over = True
        pool, target = self._pool, self._target
        pool.in_flight.operations.discard(self)  # not by `discard`: every call comes by here
        if pool.in_flight.waiting:
            pool.in_flight.wake()
        if target is not None and target.in_flight is not None:
            target.in_flight.discard(self)
        if result == "ok":
            index = 0 if self._plan is None else self._plan.index
            pool.answered[index] = pool.answered.get(index, 0) + 1
        if not pool.is_reported and not self._on_end:
            return
        arrivals = self._arrivals or ()
        sample = build_sample(
            self.records,
            provider=self._provider,
            model=self._model or (pool.plan[0].model if pool.plan else None),
            streamed=self._spec.stream,
            outcome=result,
            began=self._began,
            queued=self._queued,
            sent=self._sent,
            ended=pool.store.now(),
            arrivals=arrivals,
            usage=usage,
        )
        if pool.metrics is not None:
            pool.metrics = record_sample(pool.metrics, sample)
        on_end = self._on_end
        if pool.log is not None and pool.log.is_enabled(sample):
            on_end = [pool.log.log, *on_end]
        if not on_end:
            return
        ending = telemetry.Ended(
            sample=sample,
            operation=self._kind.operation,
            address=None if target is None else target.backend.address,
            answer=answer if isinstance(answer, CompletionResponse | StreamChunk) else None,
            text=None if self._text is None else "".join(self._text),
            chunk_gaps=[after - before for before, after in pairwise(arrivals)],
            fault=fault,
            attempts=self.records,
        )
        telemetry.notify_end(on_end, ending)
