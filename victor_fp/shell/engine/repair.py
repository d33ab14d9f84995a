"""Repair of structured output: a response that does not match is requested again with its errors."""

from __future__ import annotations

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Attempt, Fault, InvalidResponse
from victor_fp.core.result import outcome
from victor_fp.core.schemas.structured import ResponseForm, read_form, repair_messages, structured
from victor_fp.core.types import CompletionResponse
from victor_fp.shell.engine.call_spec import CallSpec
from victor_fp.shell.engine.http_backend import COMPLETION
from victor_fp.shell.engine.operation import Operation
from victor_fp.shell.engine.target import TargetPool


async def complete_with_repairs(
    pool: TargetPool, call: CallSpec
) -> tuple[Result[CompletionResponse, Fault], tuple[Attempt, ...]]:
    """Return the response to a call, and all attempts.

    A response that does not match the call's `response_format` is requested again, up to `call.repairs` times and
    within the deadline, with the response and its errors added to the conversation. The result is the last response,
    matching or not; if a repair fails, it is the response before it.
    """
    operation = Operation(pool, COMPLETION, call)
    began = pool.store.now()
    result: Result[CompletionResponse, Fault] = await operation.result()
    attempts = operation.records
    form = read_form(call.options.get("response_format"))
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
        remaining = None if call.deadline is None else call.deadline - passed
        if not repairs_left or (remaining is not None and remaining <= 0):
            return result, attempts
        messages = repair_messages(call.messages, response, fault, form)
        call = replace(call, messages=messages)
        operation = Operation(pool, COMPLETION, replace(call, deadline=remaining))
        repaired: Result[CompletionResponse, Fault] = await operation.result()
        attempts += tuple(replace(record, started=record.started + passed) for record in operation.records)
        match outcome(repaired):
            case Failure():
                return result, attempts
            case Success():
                result = repaired
    return result, attempts


def find_mismatch(response: CompletionResponse, form: ResponseForm) -> InvalidResponse | None:
    """Return the errors of a response to be repaired; None if it matches, is a refusal, or has tool calls."""
    if response.tool_calls:
        return None
    match outcome(structured(response, form)):
        case Failure(InvalidResponse() as fault):
            return fault
        case _:
            return None


def _mark_invalid(attempts: tuple[Attempt, ...], fault: InvalidResponse) -> tuple[Attempt, ...]:
    """Mark the last attempt, which returned the response, as failed."""
    if not attempts:
        return attempts
    return (*attempts[:-1], replace(attempts[-1], outcome=type(fault).__name__, message=fault.message))
