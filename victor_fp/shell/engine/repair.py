"""Repair of structured answers: one that does not match what was asked for is followed by a turn that says what is wrong."""

from __future__ import annotations

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault, InvalidResponse
from victor_fp.core.result import outcome
from victor_fp.core.structured import ResponseForm, read_form, repair_messages, structured
from victor_fp.core.types import CompletionResponse
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.kinds import COMPLETION
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool


async def complete_call(
    pool: TargetPool, call: CallSpec
) -> tuple[Result[CompletionResponse, Fault], tuple[Attempt, ...]]:
    """The whole answer to a call, and every attempt that led to it.

    With `call.repairs` an answer that does not match the call's `response_format` is asked for again, so often at most and
    inside the call's deadline, in a conversation that holds the answer and what is wrong with it. The last answer counts,
    matching or not; where asking again fails, the one before it.
    """
    operation = Operation(pool, COMPLETION, call)
    began = pool.store.now()
    result: Result[CompletionResponse, Fault] = await operation.result()
    attempts = operation.records
    form = read_form(call.options.get("response_format")) if call.repairs else None
    if form is None:
        return result, attempts
    for repairs_left in reversed(range(call.repairs + 1)):
        match outcome(result):
            case Failure():
                return result, attempts
            case Success(response):
                pass
        fault = find_mismatch(response, form)
        if fault is None:
            return result, attempts
        attempts = _mark_invalid(attempts, fault)
        passed = pool.store.now() - began
        left = None if call.deadline is None else call.deadline - passed
        if not repairs_left or (left is not None and left <= 0):
            return result, attempts
        messages = repair_messages(call.messages, response, fault, form)
        call = replace(call, messages=messages)
        operation = Operation(pool, COMPLETION, replace(call, deadline=left))
        repaired: Result[CompletionResponse, Fault] = await operation.result()
        attempts += tuple(replace(record, started=record.started + passed) for record in operation.records)
        match outcome(repaired):
            case Failure():
                return result, attempts
            case Success():
                result = repaired
    return result, attempts


def find_mismatch(response: CompletionResponse, form: ResponseForm) -> InvalidResponse | None:
    """What is wrong with the text of an answer that may be repaired; None where it matches, was refused, or has calls."""
    if response.tool_calls:
        return None
    match outcome(structured(response, form)):
        case Failure(InvalidResponse() as fault):
            return fault
        case _:
            return None


def _mark_invalid(attempts: tuple[Attempt, ...], fault: InvalidResponse) -> tuple[Attempt, ...]:
    """The attempts with the last one, which brought the answer, as one that failed."""
    if not attempts:
        return attempts
    return (*attempts[:-1], replace(attempts[-1], outcome=type(fault).__name__, message=fault.message))
