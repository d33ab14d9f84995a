"""OpenRouter batches: requests in the body, for one model and operation; the finished batch contains the results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.openrouter_batches import request as sent
from victor_fp_wire.openrouter_batches import response as received
from victor_fp_wire.openrouter_batches.operations import CreateBatch, GetBatch, ListBatches

from victor_fp.core.batching.reading import parse_end, parse_time
from victor_fp.core.batching.types import BatchCounts, BatchHandle, BatchItem, BatchStatus, ItemResult, make_item_id
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import BatchEndpoint, build_creation, list_raw_items, read_answer
from victor_fp.core.protocols.batches.openai import STATES
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

PAGE = 100

_BATCH = build_decoder(GetBatch.RESPONSE)
_LIST = build_decoder(ListBatches.RESPONSE)


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport) -> Result[BatchCodec, Fault]:
    """Return the batch codec of a Chat Completions or Responses endpoint; other protocols are InvalidRequest."""
    chat = endpoint.spec.dialect
    if not isinstance(chat, ChatDialect | ResponsesDialect):
        message = f"this batch API accepts chats or Responses, not {chat.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    route = "/v1/responses" if isinstance(chat, ResponsesDialect) else "/v1/chat/completions"
    bound = BatchEndpoint(endpoint=endpoint, support=support, route=route)
    return Success(
        BatchCodec(
            support=support,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=partial(build_status, bound),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=None,  # the vendor deletes ended batches, with their results, and no others
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode one request."""
    item = sent.BatchRequest(custom_id=make_item_id(key), body=msgspec.Raw(request.body))
    return BatchItem(key, item.custom_id, model, bound.route, encode_json(item))


def submit(bound: BatchEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that creates the batch. The vendor streams the body: operation and model must precede the requests."""
    creation = sent.CreateBatch(endpoint=bound.route, model=items[0].model, requests=list_raw_items(items))
    request = build_request(bound.endpoint, CreateBatch(), body=encode_json(creation))
    return build_creation(request, partial(read_status, bound, bound.build_handle(items, token)))


def build_status(bound: BatchEndpoint, handle: BatchHandle) -> HttpRequest:
    """Build the request for the status of a batch."""
    return build_request(bound.endpoint, GetBatch(id=handle.id))


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a batch."""
    found = bound.decode_with_id(_BATCH, body, "batch", lambda batch: batch.id)
    return found.map(partial(_read_status, bound, handle))


def build_list(bound: BatchEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the workspace's batches."""
    return build_request(bound.endpoint, ListBatches(limit=PAGE, after=UNSET if cursor is None else cursor))


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
    created = parse_time(batch.created_at)
    error = batch.error
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=batch.id or handle.id,
            model=handle.model or batch.model or "",
            count=handle.count or counts.total or 0,
        ),
        state=STATES.get((batch.status or "").lower(), "unknown"),
        vendor_state=batch.status or "",
        counts=BatchCounts(total=counts.total, succeeded=counts.completed, failed=counts.failed),
        created_at=created,
        ends_at=parse_end(batch.expires_at) or bound.compute_end(created),
        results_expire_at=bound.compute_expiry(created),
        sources=(batch.id or "",) if batch.results else (),
        errors=(error.message,) if error is not None and error.message else (),
    )


def read_results(bound: BatchEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the step that fetches the batch again, which contains the results."""
    if not status.sources:
        return None
    return ResultStep(request=build_status(bound, status.handle), read=partial(read_page, bound))


def read_page(bound: BatchEndpoint, body: bytes) -> Result[ResultPage, Fault]:
    """Decode the results in a batch."""
    return bound.decode_with_id(_BATCH, body, "batch", lambda batch: batch.id).map(
        lambda batch: ResultPage(tuple(read_item(item) for item in batch.results or ()))
    )


def read_item(item: received.BatchResult) -> ItemResult:
    """Decode one result."""
    response = item.response or received.ItemResponse()
    return read_answer(item.custom_id or "", response.status_code, response.body, item.error, response.request_id)
