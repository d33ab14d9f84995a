"""Anthropic message batches: requests in the body, results as a JSONL stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.anthropic_batches import request as sent
from victor_fp_wire.anthropic_batches import response as received
from victor_fp_wire.anthropic_batches.operations import CancelBatch, CreateBatch, GetBatch, ListBatches, ReadResults

from victor_fp.core.batching.reading import encode_body, parse_end, parse_time
from victor_fp.core.batching.types import (
    BatchCounts,
    BatchHandle,
    BatchItem,
    BatchState,
    BatchStatus,
    ItemResult,
    make_item_id,
)
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import BatchEndpoint, build_creation, list_raw_items, read_lines
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

PAGE = 100

STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""HTTP statuses of live calls, by error type; a result line has only the type.
https://platform.claude.com/docs/en/api/errors"""

_BATCH = build_decoder(GetBatch.RESPONSE)
_LIST = build_decoder(ListBatches.RESPONSE)
_LINE = build_decoder(ReadResults.EVENT)


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport) -> Result[BatchCodec, Fault]:
    """Return the batch codec of an Anthropic Messages endpoint; other protocols are InvalidRequest."""
    if not isinstance(endpoint.spec.dialect, AnthropicDialect):
        message = f"this batch API accepts anthropic-messages, not {endpoint.spec.dialect.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    bound = BatchEndpoint(endpoint=endpoint, support=support, route="/v1/messages")
    return Success(
        BatchCodec(
            support=support,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=lambda handle: build_request(endpoint, GetBatch(message_batch_id=handle.id)),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=lambda handle: build_request(endpoint, CancelBatch(message_batch_id=handle.id)),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode one request; headers, such as those of beta features, are not included."""
    item = sent.BatchRequest(custom_id=make_item_id(key), params=msgspec.Raw(request.body))
    return BatchItem(key, item.custom_id, model, bound.route, encode_json(item))


def submit(bound: BatchEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that creates the batch with all its requests. The vendor does not store the token."""
    body = encode_json(sent.CreateBatch(requests=list_raw_items(items)))
    request = build_request(bound.endpoint, CreateBatch(), body=body)
    return build_creation(request, partial(read_status, bound, bound.build_handle(items, token)))


def build_list(bound: BatchEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the workspace's batches."""
    return build_request(bound.endpoint, ListBatches(limit=PAGE, after_id=UNSET if cursor is None else cursor))


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a batch."""
    found = bound.decode_with_id(_BATCH, body, "batch", lambda batch: batch.id)
    return found.map(partial(_read_status, bound, handle))


def read_list(bound: BatchEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of batches."""
    return bound.decode_page(
        _LIST,
        body,
        "batches",
        lambda page: (page.data, page.last_id if page.has_more else None),
        partial(_read_status, bound),
    )


def _read_status(bound: BatchEndpoint, handle: BatchHandle, batch: received.Batch) -> BatchStatus:
    counts = batch.request_counts or received.RequestCounts()
    parts = (counts.processing, counts.succeeded, counts.errored, counts.canceled, counts.expired)
    total = None if batch.request_counts is None else sum(part or 0 for part in parts)
    created = parse_time(batch.created_at)
    return BatchStatus(
        handle=msgspec.structs.replace(handle, id=batch.id or handle.id, count=handle.count or total or 0),
        state=_read_state(batch),
        vendor_state=batch.processing_status or "",
        counts=BatchCounts(
            total=total,
            succeeded=counts.succeeded,
            failed=None if total is None else sum(part or 0 for part in parts[2:]),
        ),
        created_at=created,
        ends_at=parse_end(batch.expires_at),
        results_expire_at=bound.compute_expiry(created),
        sources=(batch.id or handle.id,) if batch.results_url is not None else (),
    )


def _read_state(batch: received.Batch) -> BatchState:
    """Return the state. All batches end in the same vendor state; the request counts show how."""
    match batch.processing_status:
        case "in_progress":
            return "running"
        case "canceling":
            return "cancelling"
        case "ended":
            counts = batch.request_counts or received.RequestCounts()
            if batch.cancel_initiated_at is not None:
                return "cancelled"
            return "expired" if counts.expired else "completed"
        case _:
            return "unknown"


def read_results(bound: BatchEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the step that reads the results. The URL in the batch is not used, since the request carries a key."""
    if not status.sources:
        return None
    request = build_request(bound.endpoint, ReadResults(message_batch_id=status.handle.id))
    return ResultStep(request=request, read=partial(read_lines, _LINE, read_line), is_lines=True)


def read_line(line: received.ResultLine) -> ItemResult | None:
    """Decode one result."""
    result = line.result
    if not line.custom_id or result is None:
        return None
    match result.type:
        case "succeeded":
            return ItemResult(id=line.custom_id, end="answered", status=200, body=encode_body(result.message))
        case "expired":
            return ItemResult(id=line.custom_id, end="expired")
        case "canceled":
            return ItemResult(id=line.custom_id, end="cancelled")
        case _:
            error = result.error
            inner = error.get("error") if isinstance(error, Mapping) else None
            kind = inner.get("type") if isinstance(inner, Mapping) else None
            status = STATUSES.get(kind) if isinstance(kind, str) else None
            return ItemResult(id=line.custom_id, end="failed", status=status, body=encode_body(error))
