"""Decoding of batch results to row results, by the protocol of live responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar, assert_never

import msgspec
from returns.result import Failure, Result

from victor_fp.core.batching.matching import ResultMatching
from victor_fp.core.batching.types import BatchHandle, BatchResult, BatchStatus, ItemContext, ItemResult
from victor_fp.core.classification.details import is_error
from victor_fp.core.dialects.batches import BatchLimits
from victor_fp.core.faults import Cancelled, Fault, InvalidResponse, ServerFailed, TimedOut, can_retry
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.batches.codec import BatchCodec
from victor_fp.core.requests import Endpoint
from victor_fp.core.responses.bodies import read_completion
from victor_fp.core.responses.completions import ResponseContext, with_context
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse
from victor_fp.core.usage.cost import scale_price

T = TypeVar("T")

UNKNOWN_STATUS = 500
"""Status assumed for an error without one: its code takes precedence, otherwise it counts as temporary."""
MAX_ERRORS = 5
"""Maximum errors of a batch in the message of a fault."""


def read_body(
    codec: Codec, read: Callable[[bytes], Result[T, Fault]], body: bytes, *, may_create: bool = False
) -> Result[T, Fault]:
    """Read the body of a response with status 200. One that is an error is classified like that of a failed call.

    `may_create`: the exchange creates a batch or adds requests, which the vendor may process although the body is not valid.
    """
    found = read(body)
    match outcome(found):
        case Failure(InvalidResponse()) if is_error(body):
            return Failure(_classify(codec, None, body))
        case Failure(InvalidResponse() as fault) if may_create:
            return Failure(msgspec.structs.replace(fault, maybe_billed=True))
        case _:
            return found


def find_error(batch: BatchCodec, endpoint: Endpoint, item: ItemResult) -> Fault | None:
    """Return the fault if an item, which is the only one of a batch, is an error in place of the results.

    Only one that is certainly temporary, or that every call would have: then the results can be read later. Another one may be
    that of a row.
    """
    if item.end != "unreadable" or not is_error(item.body):
        return None
    fault = with_context(ResponseContext(endpoint=endpoint), _classify(batch.codec, None, item.body))
    is_temporary = can_retry(fault) and not isinstance(fault, ServerFailed)  # the fault of an error of an unknown kind
    return fault if is_temporary or fault.is_shared else None


def decode_item(
    batch: BatchCodec,
    endpoint: Endpoint,
    handle: BatchHandle,
    matching: ResultMatching,
    item: ItemResult,
    find_context: Callable[[str], ItemContext] | None = None,
) -> BatchResult:
    """Decode a result to that of its row. `find_context` returns the context of a key; without it, the handle's is used."""
    if item.end == "unreadable":
        matching.note_unreadable()
        context = ResponseContext(endpoint=endpoint, model=handle.model or None)
        return BatchResult(key="", result=_decode(batch, context, item), end="failed", problem="unreadable")
    key, problem = matching.match(item.id)
    item_context = handle.context if find_context is None or problem == "unknown" else find_context(key)
    context = ResponseContext(
        endpoint=with_batch_prices(endpoint, batch.support.limits),
        model=item_context.model or handle.model or None,
        adjustments=item_context.adjustments,
        tool_names=item_context.tool_names,
        required_call=item_context.required_call,
    )
    return BatchResult(key=key, result=_decode(batch, context, item), end=item.end, problem=problem)


def with_batch_prices(endpoint: Endpoint, limits: BatchLimits) -> Endpoint:
    """Return the endpoint with batch prices, if it has prices."""
    return msgspec.structs.replace(endpoint, price=scale_price(endpoint.price, limits.find_price_factor))


def list_missing_results(
    batch: BatchCodec, endpoint: Endpoint, handle: BatchHandle, status: BatchStatus, matching: ResultMatching
) -> tuple[BatchResult, ...]:
    """Return results for submitted rows without one.

    In an expired or cancelled batch, they were not started; some vendors report each of them, others none. In a failed
    batch they were not processed either, and their fault is that of the batch. If a result was unreadable, each of these rows may
    have been processed.
    """
    context = ResponseContext(endpoint=endpoint, model=handle.model or None)
    state = "unknown" if matching.has_unreadable else status.state
    if state == "failed":
        failed: Result[CompletionResponse, Fault] = Failure(_build_batch_fault(batch, context, status))
        return tuple(
            BatchResult(key=key, result=failed, end="failed", problem="missing") for key in matching.list_missing()
        )
    if state in ("expired", "cancelled"):
        failure: Result[CompletionResponse, Fault] = Failure(_build_not_started(context, state))
        return tuple(BatchResult(key=key, result=failure, end=state) for key in matching.list_missing())
    message = f"batch {handle.id} has ended without a result for this row"
    missing: Result[CompletionResponse, Fault] = Failure(
        with_context(context, InvalidResponse(message=message, maybe_billed=True))
    )
    return tuple(
        BatchResult(key=key, result=missing, end="missing", problem="missing") for key in matching.list_missing()
    )


def _decode(batch: BatchCodec, context: ResponseContext, item: ItemResult) -> Result[CompletionResponse, Fault]:
    codec = batch.codec.for_model(context.model)
    match item.end:
        case "answered":
            return read_completion(context, codec, item.body)
        case "failed":
            fault = _classify(codec, item.status, item.body)
            request_id = fault.request_id or item.request_id
            return Failure(with_context(context, msgspec.structs.replace(fault, request_id=request_id)))
        case "expired" | "cancelled":
            return Failure(_build_not_started(context, item.end))
        case "unreadable":
            message, evidence = "a result of the batch cannot be decoded", item.body.decode("utf-8", "replace")
            fault = InvalidResponse(message=message, evidence=evidence, maybe_billed=True)
            return Failure(with_context(context, fault))
        case _:
            assert_never(item.end)


def _classify(codec: Codec, status: int | None, body: bytes) -> Fault:
    """Classify an error, whose status may be unknown."""
    fault = codec.error(status or UNKNOWN_STATUS, {}, body)
    if status is None and fault.status == UNKNOWN_STATUS:
        return msgspec.structs.replace(fault, status=None)
    return fault


def _build_batch_fault(batch: BatchCodec, context: ResponseContext, status: BatchStatus) -> Fault:
    """Return the fault of a batch that failed as a whole: its errors as the message, classified by the code of the first."""
    message = f"batch {status.handle.id} has failed"
    if status.errors:
        message += f": {'; '.join(status.errors[:MAX_ERRORS])}"
    body = encode_json({"error": {"message": message, "code": status.error_code or None}})
    fault = _classify(batch.codec.for_model(context.model), None, body)
    return with_context(context, msgspec.structs.replace(fault, evidence=None))  # the message has all of it


def _build_not_started(context: ResponseContext, end: Literal["expired", "cancelled"]) -> Fault:
    if end == "expired":
        message = "the vendor did not start this request before the batch expired"
        return with_context(context, TimedOut(message=message))
    return with_context(context, Cancelled(message="the batch was cancelled before this request started"))
