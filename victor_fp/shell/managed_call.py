"""One managed call: plan, tries and leave to send, until there is an answer or nobody left to ask."""

from __future__ import annotations

from typing import assert_never

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault, InvalidResponse
from victor_fp.core.resilience import call as calling
from victor_fp.core.resilience import fallback
from victor_fp.core.resilience.call import Deliver, Event, Failed, Refused, Rested, Send, Settle, Wait
from victor_fp.core.resilience.fallback import Ask
from victor_fp.core.resilience.rate_limit import Permit
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse, Usage
from victor_fp.shell.call import with_attempts
from victor_fp.shell.managed import Operation, Pool, gave_up
from victor_fp.shell.managed_source import Asking, Prepared
from victor_fp.shell.managed_target import Place


class _Answered(msgspec.Struct, frozen=True):
    answer: CompletionResponse
    attempts: tuple[Attempt, ...]


async def managed_call(pool: Pool, asking: Asking) -> Result[CompletionResponse, Fault]:
    """A whole answer from the first target that gives one, or the fault that ended the plan."""
    operation = Operation(pool, asking)
    plan, order = operation.begin()
    answer: CompletionResponse | None = None
    event: fallback.Event
    try:
        while True:
            match order:
                case Ask(place=place):
                    operation.place = place
                    got = await _asked(operation, order)
                    if isinstance(got, _Answered):
                        answer, event = got.answer, fallback.Answered(got.attempts)
                    else:
                        event = fallback.Failed(got)
                case fallback.Deliver():
                    event = fallback.Answered(())
                case fallback.Settle(fault=fault, attempts=attempts):
                    break
                case _:
                    assert_never(order)
            plan, order = fallback.advance(plan, event, pool.store.now())
    except BaseException:
        plan, _ = fallback.advance(plan, fallback.Abandoned(operation.abandoned), pool.store.now())
        operation.ended("Cancelled", plan.attempts, fault=gave_up(operation))
        raise
    if fault is None and answer is not None:
        answer = with_attempts(answer, attempts)
        operation.ended("ok", attempts, answer=answer)
        return Success(answer)
    broken = fault or _unsettled()
    operation.ended(type(broken).__name__, attempts, fault=broken)
    return Failure(broken)


async def _asked(operation: Operation, ask: Ask) -> _Answered | Fault:
    """One target, with its retries."""
    target, model = operation.pool.targets[ask.place], ask.target.model
    place = await target.place(model)
    if not isinstance(place, Place):
        return place
    prepared = await target.source.prepare(operation.asking, model, operation.options_at(ask.place))
    if isinstance(prepared, msgspec.Struct):
        return prepared
    answer: CompletionResponse | None = None
    event: Event
    tries = operation.tries(ask, place)
    try:
        order = await tries.begin()
        while True:
            match order:
                case Send():
                    event, answer = await _sent(operation, place, prepared, order)
                case Wait(seconds=seconds):
                    await target.runtime.sleep(seconds)
                    event = Rested()
                case Deliver():
                    event = calling.Answered()
                case Settle(fault=ended, attempts=attempts):
                    if ended is None and answer is not None:
                        return _Answered(answer, attempts)
                    return ended or _unsettled()
                case _:
                    assert_never(order)
            order = await tries.advance(event)
    finally:
        operation.abandoned = tries.abandon()


async def _sent(
    operation: Operation, place: Place, prepared: Prepared, order: Send
) -> tuple[Event, CompletionResponse | None]:
    """One try: leave to send, then the request."""
    leave = await operation.enter(place, order)
    if leave is not None and not isinstance(leave, Permit):
        return Refused(leave), None
    heard = False
    fault: Fault | None = None
    usage: Usage | None = None
    try:
        got = await prepared.attempt(min(order.timeout, order.deadline - operation.store.now()))
        heard = True
        match outcome(got):
            case Success(answer):
                usage = answer.usage
                return calling.Answered(200), answer
            case Failure(failed):
                fault = failed
                return Failed(failed, operation.pool.runtime.luck()), None
    finally:
        operation.tried(place, leave, prepared, fault if heard else gave_up(operation), usage)


def _unsettled() -> Fault:
    return InvalidResponse(message="settled without an answer")
