"""The operation loop: drives targets, attempts, rate limiters and breakers as the state machines order.

All decisions are made by the machines: `core/resilience/fallback.py` selects the target, `call.py` when an attempt is
made, and `admission.py`, used by the target's rate limiter, when it may be sent. A non-streaming response is a stream
whose first batch is the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar, assert_never

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.defaults import DEFAULT_MAX_TOKENS
from victor_fp.core.faults import Attempt as AttemptRecord
from victor_fp.core.faults import Cancelled, Fault, InvalidResponse
from victor_fp.core.metrics import StreamTiming, build_sample, record_sample
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.bounds import MAX_SECONDS
from victor_fp.core.resilience.breaker import Breaker
from victor_fp.core.resilience.call import Abandoned, Deliver, Failed, Refused, Send, Settle, Succeeded, Wait, WaitEnded
from victor_fp.core.resilience.deadline import build_deadline_fault
from victor_fp.core.resilience.retry import RetryPolicy
from victor_fp.core.result import outcome
from victor_fp.core.token_estimates import estimate_text_tokens, estimate_tokens
from victor_fp.core.types import CompletionResponse, StreamChunk, Usage
from victor_fp.shell.engine import telemetry
from victor_fp.shell.engine.attempt import StreamAttempt
from victor_fp.shell.engine.backend import BackendAttempt, Batch, BoundRequest, Kind, Split, TimeLimits
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.retry_loop import RetryLoop
from victor_fp.shell.engine.split import SplitRequest
from victor_fp.shell.engine.target import ModelState, Target, TargetPool
from victor_fp.shell.store.memory import MemoryCell

if TYPE_CHECKING:
    from victor_fp.core.resilience.budget import Amount
    from victor_fp.core.resilience.rate_limit import Permit
    from victor_fp.shell.engine.budget_keeper import BudgetKeeper

T = TypeVar("T")


class Operation(Generic[T]):
    """One operation, from the caller's first await to its end. It must be closed by its creator."""

    __slots__ = (
        "_arrivals", "_attempt", "_began", "_bound", "_cause", "_deadline", "_ended_by", "_index", "_is_over", "_is_split", "_kind",
        "_model", "_on_end", "_order", "_permit", "_plan", "_pool", "_queued", "_reserved", "_retry", "_sent", "_spec", "_state", "_target",
        "_task", "_text", "_tokens", "records",
    )  # fmt: skip

    headers: Mapping[str, str] = {}

    def __init__(self, pool: TargetPool, kind: Kind[T], spec: CallSpec) -> None:
        self._pool = pool
        self._kind = kind
        self._spec = spec
        self.records: tuple[AttemptRecord, ...] = ()
        """All attempts at all targets, oldest first, after the operation has ended."""
        self._is_over = False
        self._is_split = False
        self._began: float | None = None
        self._deadline: float | None = None
        self._plan: fallback.Plan | None = None
        self._order: fallback.PlanOrder | None = None
        self._cause: Fault | None = None
        self._index = 0
        self._target: Target | None = None
        self._model = ""
        self._state: ModelState | None = None
        self._bound: BoundRequest[T] | None = None
        self._retry: RetryLoop | None = None
        self._attempt: BackendAttempt[T] | None = None
        self._permit: Permit | None = None
        self._reserved: Amount | None = None
        """The amount of the budget that is reserved for the attempt."""
        self._sent: float | None = None
        self._queued = 0.0
        self._tokens = -1
        self._arrivals: list[float] = []
        self._on_end: list[telemetry.OnEnd] = []
        self._text: list[str] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._ended_by: Fault | None = None

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
        pool = self._pool
        self._task = asyncio.current_task()
        try:
            if self._ended_by is not None:
                return await self._end_early(self._ended_by)
            if self._began is None and (fault := await self._begin()) is not None:
                return self._fail(fault)
            while True:
                retry = self._retry
                if retry is None:
                    if (fault := await self._start_target()) is not None:
                        return self._fail(fault)
                    continue
                match retry.order:
                    case Send() as send:
                        if self._attempt is None and not await self._start_attempt(retry, send):
                            continue
                    case Deliver():
                        if retry.is_pending:  # the first order is pending: wait for the permit meanwhile
                            await self._wait_for_order(retry)
                            continue
                    case Wait(seconds=seconds):
                        await pool.runtime.sleep(seconds)
                        await retry.advance(WaitEnded())
                        continue
                    case Settle(fault=settled, attempts=attempts):
                        if (fault := self._end_target(settled, attempts)) is not None:
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
                        if pool.metrics is not None or self._on_end:
                            self._record_arrival(batch)
                        if batch.is_last:
                            self._complete(retry, batch)
                        elif isinstance(retry.order, Send):  # after the first batch the target is final
                            retry.commit(pool.store.now())
                            if self._plan is not None:
                                self._advance_plan(fallback.TargetCommitted())
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

    async def drain(self) -> None:
        """Read a finished response to its end, so that its connection can be reused."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            await attempt.aclose()

    async def aclose(self) -> None:
        """Release permits and reservations, and close the connection, or drain it if the response is complete."""
        if self._is_over:
            await self.drain()
            return
        retry = self._retry
        is_committed = retry is not None and isinstance(retry.order, Deliver) and not retry.is_pending
        attempt = self._attempt
        self._abandon(Cancelled(message="the caller cancelled the call"))
        self._finish("left" if is_committed else "Cancelled", fault=self._build_cancelled())
        if attempt is not None:
            await attempt.aclose()

    async def _begin(self) -> Fault | None:
        """Start the clock and the plan, and notify observers."""
        pool, spec = self._pool, self._spec
        self._began = now = pool.store.now()
        pool.in_flight.operations.add(self)
        if spec.deadline is not None:
            self._deadline = now + spec.deadline
        if pool.policy is not None:
            plan = pool.plan
            if spec.model and plan and spec.model != plan[0].model:
                plan = (replace(plan[0], model=spec.model), *plan[1:])
            if self._deadline is None:
                total_timeout = pool.total_timeout if spec.timeout is None else pool.compute_total_timeout(spec.timeout)
                self._deadline = now + total_timeout
            self._plan, self._order = fallback.begin(plan, pool.policy, now, self._deadline)
            if isinstance(self._order, fallback.SettlePlan):
                return self._order.fault
        if pool.observers and pool.plan:
            planned = pool.plan[0]
            begun = telemetry.Begun(
                provider=planned.provider,
                model=spec.model or planned.model,
                address=pool.targets[0].backend.address if pool.targets else None,
                spec=spec,
                operation=self._kind.operation,
            )
            self._on_end = telemetry.notify_begin(pool.observers, begun)
            if spec.stream and telemetry.has_content_observer(pool.observers):
                self._text = []
        return None

    async def _start_target(self) -> Fault | None:
        """Start with the target that the plan ordered; return the fault that ends the operation, if any."""
        pool, spec, order = self._pool, self._spec, self._order
        deadline, retries = self._deadline, spec.max_retries
        if isinstance(order, fallback.CallTarget):
            self._index = order.index
            deadline = order.deadline
            if order.max_retries is not None:
                retries = order.max_retries if retries is None else min(retries, order.max_retries)
        if pool.policy is None:
            target = pool.targets[0]
        else:
            self._target = None
            match outcome(await pool.resolve(self._index, self._cause, self)):
                case Success(target):
                    pass
                case Failure(fault):
                    return self._skip_target(fault)
        self._target = target
        model = self._model = (spec.model if self._index == 0 else "") or target.model
        if target.in_flight is not None:
            target.in_flight.add(self)
        state = target.shared_state
        if state is None:
            match outcome(await target.get_state(model or target.model, pool.store, pool.runtime)):
                case Success(state):
                    pass
                case Failure(fault):
                    return self._skip_target(fault)
        self._state = state
        options = {**spec.options, **target.options} if target.options else spec.options
        match outcome(await target.backend.bind(self._kind, spec, model, options)):
            case Success(bound):
                pass
            case Failure(fault):
                return self._skip_target(fault)
        policy = target.retries
        timeout, uses_breaker, self._is_split = spec.timeout or target.timeout, self._kind.uses_breaker, False
        if isinstance(bound, Split):
            # Each part has its own permits, retries and breaker reports.
            bound = SplitRequest(bound, partial(self._begin_part, target, model))
            self._state = state = ModelState(breaker=_build_no_breaker(pool), limiter=None)
            policy, timeout, uses_breaker, self._is_split = RetryPolicy(max_retries=0), MAX_SECONDS, False, True
        self._bound = bound
        if retries is not None and retries < policy.max_retries:
            policy = RetryPolicy(max_retries=max(0, retries), base=policy.base, cap=policy.cap, jitter=policy.jitter)
        self._retry = RetryLoop(
            state.breaker if uses_breaker else _build_no_breaker(pool),
            policy,
            timeout=timeout,
            deadline=deadline,
            provider=target.backend.name,
            model=model,
            waits_for_breaker=target.waits_for_breaker,
            now=pool.store.now,
        )
        return None

    def _begin_part(self, target: Target, model: str, spec: CallSpec, limits: TimeLimits) -> Operation[T]:
        """Create an operation for a part of the call; only the whole call is reported to observers and metrics."""
        pool = TargetPool((target,), store=self._pool.store, runtime=self._pool.runtime)
        return Operation(pool, self._kind, replace(spec, model=model, deadline=limits.total))

    def _skip_target(self, fault: Fault) -> Fault | None:
        """Record a target to which nothing was sent."""
        return fault if self._plan is None else self._move_on(fallback.TargetFailed(fault), fault)

    def _end_target(self, fault: Fault | None, attempts: tuple[AttemptRecord, ...]) -> Fault | None:
        """Record the fault of a target; continue with the next one, or end."""
        fault = fault or InvalidResponse(message="the call settled without a response")
        self._retry = None
        if self._plan is None:
            self.records = attempts
            return fault
        return self._move_on(fallback.TargetFailed(fault), fault)

    def _move_on(self, event: fallback.PlanEvent, cause: Fault) -> Fault | None:
        target, self._cause = self._target, cause
        if target is not None and target.in_flight is not None:
            target.in_flight.discard(self)
        self._advance_plan(event)
        return self._order.fault if isinstance(self._order, fallback.SettlePlan) else None

    def _advance_plan(self, event: fallback.PlanEvent) -> None:
        if self._plan is not None:
            self._plan, self._order = fallback.advance(self._plan, event, self._pool.store.now())

    async def _wait_for_order(self, retry: RetryLoop) -> None:
        """Wait for the order and for a permit at the same time, so that a shared store costs one round trip."""
        if self._state is not None and self._state.limiter is not None and self._permit is None:
            deadline = self._deadline if self._deadline is not None else self._pool.store.now() + 60.0
            if isinstance(self._order, fallback.CallTarget):
                deadline = self._order.deadline
            match outcome(await self._acquire(deadline)):
                case Success(permit):
                    self._permit = permit
                case Failure(fault):
                    await retry.wait()
                    if isinstance(retry.order, Send):
                        retry.finish(Refused(fault), self._pool.store.now())
                    return
        await retry.wait()
        if self._permit is not None and not isinstance(retry.order, Send):
            self._withdraw_permit()

    async def _start_attempt(self, retry: RetryLoop, order: Send) -> bool:
        """Acquire a permit and start the attempt; False if there is no permit."""
        pool, state, bound, target = self._pool, self._state, self._bound, self._target
        if state is None or bound is None or target is None:
            raise RuntimeError("no target has been started")
        now, timeout = pool.store.now(), order.timeout
        if state.limiter is not None:
            if self._permit is None:
                match outcome(await self._acquire(order.deadline)):
                    case Success(permit):
                        self._permit = permit
                    case Failure(fault):
                        retry.finish(Refused(fault), pool.store.now())
                        return False
            now = pool.store.now()
            if now >= order.deadline:
                self._withdraw_permit()
                late = build_deadline_fault(
                    target.backend.name, self._model, order.deadline - (self._began or now), None
                )
                retry.finish(Refused(late), now)
                return False
            timeout = min(timeout, order.deadline - now)
        if pool.budget is not None:
            match outcome(await self._reserve_budget(pool.budget, target, order.deadline)):
                case Success(amount):
                    self._reserved = amount
                    now = pool.store.now()
                case Failure(fault):
                    self._withdraw_permit()
                    retry.finish(Refused(fault), pool.store.now())
                    return False
        remaining = order.deadline - now
        total = None if self._spec.deadline is None or self._deadline is None else self._deadline - now
        self._sent = now
        self._arrivals.clear()
        self._attempt = bound.start(TimeLimits(timeout, remaining, total))
        return True

    async def _reserve_budget(self, budget: BudgetKeeper, target: Target, deadline: float) -> Result[Amount, Fault]:
        """Reserve the estimated cost of the attempt."""
        spec = self._spec
        try:
            return await budget.reserve(
                target.backend.name,
                self._model,
                target.backend.address,
                spec.messages,
                spec.tools,
                spec.max_tokens,
                deadline,
            )
        except BaseException:
            self._withdraw_permit()
            raise

    def _settle_budget(self, fault: Fault | None, *, answer: object = None, usage: Usage | None = None) -> None:
        """Settle the actual cost of the attempt."""
        reserved, self._reserved = self._reserved, None
        if reserved is None or self._pool.budget is None:
            return
        models = (getattr(answer, "model", None), self._model)
        address = None if self._target is None else self._target.backend.address
        self._pool.budget.settle(reserved, fault=fault, answer=answer, usage=usage, models=models, address=address)

    async def _acquire(self, deadline: float) -> Result[Permit, Fault]:
        state, target, spec, store = self._state, self._target, self._spec, self._pool.store
        if state is None or state.limiter is None or target is None:
            raise RuntimeError("the target has no rate limiter")
        if self._tokens < 0:
            max_tokens = spec.max_tokens if spec.max_tokens != DEFAULT_MAX_TOKENS else None
            self._tokens = (
                estimate_text_tokens((*spec.texts, spec.query))
                if spec.texts
                else estimate_tokens(spec.messages, spec.tools, max_tokens)
            )
        began = store.now()
        granted = await state.limiter.acquire(spec.priority, self._tokens, deadline)
        self._queued += store.now() - began
        return granted.alt(
            lambda fault: fault if fault.provider else replace(fault, provider=target.backend.name, model=self._model)
        )

    def _withdraw_permit(self) -> None:
        permit, self._permit = self._permit, None
        if permit is not None and self._state is not None and self._state.limiter is not None:
            self._state.limiter.withdraw(permit)

    def _record_arrival(self, batch: Batch[T]) -> None:
        self._arrivals.append(self._pool.store.now())
        if self._text is not None:
            self._text += [item.content for item in batch.items if isinstance(item, StreamChunk)]

    def _complete(self, retry: RetryLoop, batch: Batch[T]) -> None:
        now, target = self._pool.store.now(), self._target
        is_observed = target is not None and (target.health is not None or target.on_attempt is not None)
        if is_observed or self._permit is not None:
            self._release_permit(None, batch.usage, now)
        if self._reserved is not None:
            self._settle_budget(None, answer=batch.items[-1] if batch.items else None, usage=batch.usage)
        retry.finish(Succeeded(200), now)
        inner = () if self._attempt is None else self._attempt.records
        if not self._spec.stream:
            self._attempt = None
        order = retry.order
        self.records = inner or (order.attempts if isinstance(order, Settle) else ())
        if self._plan is not None:
            self._advance_plan(fallback.TargetSucceeded(self.records))
            self.records = self._plan.attempts
        self._finish("ok", answer=batch.items[-1] if batch.items else None, usage=batch.usage)

    async def _fail_attempt(self, retry: RetryLoop, attempt: BackendAttempt[T], fault: Fault) -> None:
        self._release_permit(fault, None, self._pool.store.now())
        self._settle_budget(fault)
        self._attempt = None
        inner = attempt.records
        await attempt.aclose()
        await retry.advance(Failed(fault, self._pool.runtime.draw_random()))
        if inner and isinstance(retry.order, Settle) and retry.order.fault is not None:
            retry.order = Settle(replace(retry.order.fault, attempts=inner), inner)

    def _release_permit(self, fault: Fault | None, usage: Usage | None, now: float) -> None:
        """Release the permit, and record the outcome of the attempt."""
        permit, self._permit = self._permit, None
        state, attempt = self._state, self._attempt
        if permit is not None and state is not None and state.limiter is not None:
            headers = {} if attempt is None else attempt.headers
            state.limiter.release(permit, fault=fault, used=_count_tokens(usage), headers=headers)
        if self._target is not None and self._sent is not None and attempt is not None and not self._is_split:
            self._target.observe(fault, now - self._sent, now)

    def _abandon(self, fault: Fault) -> None:
        """Release everything before the response is complete."""
        now = self._pool.store.now()
        if self._attempt is None:
            self._withdraw_permit()
        else:
            self._release_permit(fault, None, now)
            self._settle_budget(
                replace(fault, maybe_billed=True)
            )  # the request may be billed although its response is not read
        self._attempt = None
        if self._retry is not None:
            self._retry.finish(Abandoned(), now)
            self.records = self._retry.records
        if self._plan is not None:
            self._advance_plan(fallback.PlanAbandoned(self.records))
            self.records = self._plan.attempts

    async def _end_early(self, fault: Fault) -> Result[Batch[T], Fault]:
        """Release everything and return the fault at once, because the provider was closed."""
        attempt = self._attempt
        if isinstance(attempt, StreamAttempt):
            fault = attempt.interrupt(fault)
        fault = replace(fault, provider=fault.provider or self._provider, model=fault.model or self._model or None)
        self._abandon(fault)
        if attempt is not None:
            await attempt.aclose()
        self._finish(type(fault).__name__, fault=replace(fault, attempts=self.records))
        return Failure(replace(fault, attempts=self.records))

    def _fail(self, fault: Fault) -> Result[Batch[T], Fault]:
        self.records = fault.attempts or self.records
        self._finish(type(fault).__name__, fault=fault)
        return Failure(fault)

    def _build_cancelled(self) -> Fault:
        return Cancelled(provider=self._provider, model=self._model or None, message="the caller cancelled the call")

    @property
    def _provider(self) -> str:
        """The provider of the current target, or of the first one."""
        if self._target is not None:
            return self._target.backend.name
        return self._pool.plan[0].provider if self._pool.plan else ""

    def _finish(
        self, result: str, *, fault: Fault | None = None, answer: object = None, usage: Usage | None = None
    ) -> None:
        """End the operation: report it to metrics and observers."""
        if self._is_over:
            return
        self._is_over = True
        pool, target = self._pool, self._target
        pool.in_flight.discard(self)
        if target is not None and target.in_flight is not None:
            target.in_flight.discard(self)
        if result == "ok":
            pool.answered[self._index] = pool.answered.get(self._index, 0) + 1
        if self._began is None or (pool.metrics is None and not self._on_end):
            return
        now, arrivals = pool.store.now(), self._arrivals
        is_streamed = self._spec.stream
        timing = _measure_timing(arrivals) if is_streamed and arrivals else StreamTiming()
        planned = pool.plan[0] if pool.plan else None
        sample = build_sample(
            self.records,
            provider=self._provider,
            model=self._model or (planned.model if planned else None),
            streamed=is_streamed,
            outcome=result,
            seconds=now - self._began,
            queued=self._queued,
            sent=self._sent,
            ended=now,
            timing=timing,
            usage=None if usage is None else {name: n for name, n in usage.items() if isinstance(n, int)},
        )
        if pool.metrics is not None:
            pool.metrics = record_sample(pool.metrics, sample)
        if self._on_end:
            ending = telemetry.Ended(
                sample=sample,
                operation=self._kind.operation,
                address=None if target is None else target.backend.address,
                answer=answer if isinstance(answer, CompletionResponse | StreamChunk) else None,
                text=None if self._text is None else "".join(self._text),
                chunk_gaps=[after - before for before, after in pairwise(arrivals)] if is_streamed else (),
                fault=fault,
                attempts=self.records,
            )
            telemetry.notify_end(self._on_end, ending)


class PoolBackend:
    """A managed provider as a backend: its attempts are operations, with their own retries."""

    def __init__(self, pool: TargetPool, address: str | None) -> None:
        self._pool = pool
        self.address = address

    @property
    def name(self) -> str:
        """The name of the first target's provider."""
        return self._pool.plan[0].provider

    async def compute_scope(self) -> Result[str, Fault]:
        """Return the scope of the first target."""
        return await self._pool.targets[0].backend.compute_scope()

    async def bind(
        self, kind: Kind[T], spec: CallSpec, model: str, options: Mapping[str, Any]
    ) -> Result[BoundRequest[T], Fault]:
        """Bind the call to the pool."""
        return Success(PoolRequest(self._pool, kind, replace(spec, model=model, options=options)))

    async def aclose(self) -> None:
        """Do nothing: the pool is closed by its creator."""


class PoolRequest(Generic[T]):
    """A call of a pool."""

    def __init__(self, pool: TargetPool, kind: Kind[T], spec: CallSpec) -> None:
        self._pool, self._kind, self._spec = pool, kind, spec

    def start(self, limits: TimeLimits) -> BackendAttempt[T]:
        """Start an operation within the remaining time of the caller's deadline."""
        return Operation(self._pool, self._kind, replace(self._spec, deadline=limits.total))


def _measure_timing(arrivals: list[float]) -> StreamTiming:
    longest = max((after - before for before, after in pairwise(arrivals)), default=0.0)
    return StreamTiming(arrivals[0], arrivals[-1], len(arrivals), longest)


def _build_no_breaker(pool: TargetPool) -> MemoryCell[Breaker | None]:
    return MemoryCell(None, pool.store.now)


def _count_tokens(usage: Usage | None) -> int | None:
    if usage is None:
        return None
    total = usage.get("total_tokens")
    if total is None and ("prompt_tokens" in usage or "completion_tokens" in usage):
        return usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    return total
