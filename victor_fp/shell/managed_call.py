"""One managed call: plan, tries and leave to send, until there is an answer or nobody left to ask."""

from __future__ import annotations

from typing import assert_never

from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Cancelled, Fault, InvalidResponse, TimedOut
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
                    match outcome(await _asked(operation, order)):
                        case Success((answer, attempts)):
                            event = fallback.Answered(attempts)
                        case Failure(fault):
                            event = fallback.Failed(fault)
                case fallback.Deliver():
                    event = fallback.Answered(())
                case fallback.Settle(fault=fault, attempts=attempts):
                    break
                case _:
                    assert_never(order)
            plan, order = fallback.advance(plan, event, pool.store.now())
    except BaseException:
        plan, _ = fallback.advance(plan, fallback.Abandoned(), pool.store.now())
        operation.ended("Cancelled", plan.attempts, fault=gave_up(operation))
        raise
    if fault is None and answer is not None:
        answer = with_attempts(answer, attempts)
        operation.ended("ok", attempts, answer=answer)
        return Success(answer)
    failed = fault if fault is not None else InvalidResponse(message="settled without an answer")
    operation.ended(type(failed).__name__, attempts, fault=failed)
    return Failure(failed)


async def _asked(
    operation: Operation, ask: Ask
) -> Result[tuple[CompletionResponse, tuple[Attempt, ...]], Fault]:
    """One target, with its retries."""
    target, model = operation.pool.targets[ask.place], operation.model_at(ask.place)
    match outcome(await target.place(model)):
        case Failure(fault):
            return Failure(fault)
        case Success(place):
            pass
    match outcome(await target.source.prepare(operation.asking, model, operation.options_at(ask.place))):
        case Failure(fault):
            return Failure(fault)
        case Success(prepared):
            pass
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
                case Settle(fault=None, attempts=attempts) if answer is not None:
                    return Success((answer, attempts))
                case Settle(fault=fault):
                    return Failure(fault if fault is not None else InvalidResponse(message="settled without an answer"))
                case _:
                    assert_never(order)
            order = await tries.advance(event)
    finally:
        tries.abandon()


async def _sent(
    operation: Operation, place: Place, prepared: Prepared, order: Send
) -> tuple[Event, CompletionResponse | None]:
    """One try: leave to send, then the request."""
    leave = await operation.enter(place, order)
    if leave is not None and not isinstance(leave, Permit):
        return Refused(leave), None
    left = order.deadline - operation.store.now()
    fault: Fault | None = gave_up(operation)
    usage: Usage | None = None
    try:
        if left <= 0:
            fault = late(operation)
            return Failed(fault, 0.0), None
        match outcome(await prepared.attempt(min(order.timeout, left))):
            case Success(answer):
                fault, usage = None, answer.usage
                return calling.Answered(200), answer
            case Failure(failed):
                fault = failed
                return Failed(failed, operation.pool.runtime.luck()), None
    finally:
        operation.tried(place, leave, prepared, fault, usage)


def late(operation: Operation) -> TimedOut:
    """Leave came, but no time was left to use it."""
    unsent: Cancelled = gave_up(operation)
    message = "no time was left after the waiting line"
    return TimedOut(provider=unsent.provider, model=unsent.model, message=message, phase="pool")
