"""Gemini batches: requests in the body of a long-running operation, whose response contains the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.gemini_batches import request as sent
from victor_fp_wire.gemini_batches import response as received
from victor_fp_wire.gemini_batches.operations import CancelBatch, CreateBatch, GetBatch, ListBatches

from victor_fp.core.batching.reading import cut_last_segment, encode_body, parse_count, parse_time
from victor_fp.core.batching.types import (
    BatchCounts,
    BatchHandle,
    BatchItem,
    BatchState,
    BatchStatus,
    ItemResult,
    make_item_id,
)
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import JsonObject, encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import (
    NAME_PREFIX,
    BatchEndpoint,
    build_creation,
    list_raw_items,
    read_token,
)
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

PAGE = 100

STATES: Mapping[str, BatchState] = {
    "PENDING": "pending",
    "QUEUED": "pending",
    "RUNNING": "running",
    "PAUSED": "running",
    "UPDATING": "running",
    "SUCCEEDED": "completed",
    "PARTIALLY_SUCCEEDED": "completed",
    "FAILED": "failed",
    "EXPIRED": "expired",
    "CANCELLING": "cancelling",
    "CANCELLED": "cancelled",
}
"""The last part of BATCH_STATE_ (REST) and JOB_STATE_ (the SDK's type JobState)."""
CANCELLED = 1
"""The code of google.rpc.Code for requests that were cancelled."""
HTTP_STATUSES: Mapping[int, int] = {
    1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
    14: 503, 15: 500, 16: 401,
}  # fmt: skip
"""HTTP status by google.rpc.Code, as documented there."""
RPC_NAMES: Mapping[int, str] = {
    1: "CANCELLED", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND", 7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 13: "INTERNAL", 14: "UNAVAILABLE", 16: "UNAUTHENTICATED",
}  # fmt: skip

_OPERATION = build_decoder(GetBatch.RESPONSE)
_LIST = build_decoder(ListBatches.RESPONSE)


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport) -> Result[BatchCodec, Fault]:
    """Return the batch codec of the endpoint; other protocols are InvalidRequest."""
    if not isinstance(endpoint.spec.dialect, GeminiDialect):
        message = f"this batch API accepts Gemini's requests, not {endpoint.spec.dialect.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    bound = BatchEndpoint(endpoint=endpoint, support=support, route="generateContent")
    return Success(
        BatchCodec(
            support=support,
            stores_token=True,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=partial(build_status, bound),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=lambda handle: build_request(endpoint, CancelBatch(batch=cut_last_segment(handle.id))),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode one request, with its id in the metadata, which are returned with the result."""
    identifier = make_item_id(key)
    item = sent.InlinedRequest(request=msgspec.Raw(request.body), metadata=sent.RequestMetadata(key=identifier))
    return BatchItem(key, identifier, model, bound.route, encode_json(item))


def submit(bound: BatchEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that creates the batch with all its requests."""
    creation = sent.CreateBatch(
        batch=sent.NewBatch(
            display_name=NAME_PREFIX + token,
            input_config=sent.InputConfig(requests=sent.InlinedRequests(requests=list_raw_items(items))),
        )
    )
    operation = CreateBatch(model=items[0].model.removeprefix("models/"))
    request = build_request(bound.endpoint, operation, body=encode_json(creation))
    return build_creation(request, partial(read_status, bound, bound.build_handle(items, token)))


def build_status(bound: BatchEndpoint, handle: BatchHandle) -> HttpRequest:
    """Build the request for the status of a batch."""
    return build_request(bound.endpoint, GetBatch(batch=cut_last_segment(handle.id)))


def build_list(bound: BatchEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the project's batches."""
    return build_request(bound.endpoint, ListBatches(page_size=PAGE, page_token=UNSET if cursor is None else cursor))


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode the operation of a batch."""
    found = bound.decode_with_id(_OPERATION, body, "batch", lambda operation: operation.name)
    return found.map(partial(_read_status, bound, handle))


def read_list(bound: BatchEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of batches."""
    return bound.decode_page(
        _LIST,
        body,
        "batches",
        lambda page: (page.operations, page.next_page_token),
        partial(_read_status, bound),
    )


def _read_status(bound: BatchEndpoint, handle: BatchHandle, operation: received.Operation) -> BatchStatus:
    batch = operation.metadata or received.Batch()
    stats = batch.batch_stats or received.BatchStats()
    created = parse_time(batch.create_time)
    total = parse_count(stats.request_count)
    error = operation.error
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=operation.name or handle.id,
            model=handle.model or (batch.model or "").removeprefix("models/"),
            count=handle.count or total or 0,
            token=read_token(batch.display_name, handle),
        ),
        state=_read_state(operation),
        vendor_state=batch.state or "",
        counts=BatchCounts(
            total=total,
            succeeded=parse_count(stats.successful_request_count),
            failed=parse_count(stats.failed_request_count),
        ),
        created_at=created,
        ends_at=bound.compute_end(created),
        results_expire_at=bound.compute_expiry(created),
        sources=(operation.name or "",) if _list_outputs(operation) else (),
        errors=(error.message,) if error is not None and error.message else (),
        error_code="" if error is None or error.code is None else RPC_NAMES.get(error.code, ""),
    )


def _read_state(operation: received.Operation) -> BatchState:
    state = ((operation.metadata.state if operation.metadata else None) or "").partition("STATE_")[2]
    found = STATES.get(state)
    if found is not None:
        return found
    if not operation.done:
        return "unknown" if state else "pending"
    return "completed" if operation.error is None else "failed"


def read_results(bound: BatchEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the step that fetches the batch again, which contains the results."""
    if not status.sources:
        return None
    return ResultStep(request=build_status(bound, status.handle), read=partial(read_page, bound))


def read_page(bound: BatchEndpoint, body: bytes) -> Result[ResultPage, Fault]:
    """Decode the results in a batch. Their order is not documented; the metadata identify the requests."""

    def read(operation: received.Operation) -> ResultPage:
        return ResultPage(tuple(item for one in _list_outputs(operation) if (item := read_item(one)) is not None))

    return bound.decode_with_id(_OPERATION, body, "batch", lambda operation: operation.name).map(read)


def read_item(one: received.InlinedResponse) -> ItemResult | None:
    """Decode one result; without metadata it belongs to no row."""
    identifier = (one.metadata.key if one.metadata else None) or ""
    error = one.error
    if error is None:
        return ItemResult(id=identifier, end="answered", status=200, body=encode_body(one.response))
    code = error.code or 2
    if code == CANCELLED:
        return ItemResult(id=identifier, end="cancelled")
    status = HTTP_STATUSES.get(code, 500)
    payload: JsonObject = {
        "code": status,
        "message": error.message,
        "status": RPC_NAMES.get(code, "UNKNOWN"),
        "details": error.details or [],
    }
    return ItemResult(id=identifier, end="failed", status=status, body=encode_body({"error": payload}))


def _list_outputs(operation: received.Operation) -> Sequence[received.InlinedResponse]:
    """Return the results, from the response of the operation or from its metadata."""
    outputs = (operation.response, operation.metadata.output if operation.metadata else None)
    for output in outputs:
        if output is not None and output.inlined_responses is not None:
            return output.inlined_responses.inlined_responses or ()
    return ()
