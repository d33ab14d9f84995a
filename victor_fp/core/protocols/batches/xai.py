"""xAI batches: created empty, filled in several calls, results in pages; the state is derived from counters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.xai_batches import request as sent
from victor_fp_wire.xai_batches import response as received
from victor_fp_wire.xai_batches.operations import (
    AddRequests,
    CancelBatch,
    CreateBatch,
    GetBatch,
    ListBatches,
    ReadResults,
)

from victor_fp.core.batching.reading import encode_body, parse_end, parse_time
from victor_fp.core.batching.splitting import ENVELOPE
from victor_fp.core.batching.types import (
    BatchCounts,
    BatchHandle,
    BatchItem,
    BatchState,
    BatchStatus,
    ItemResult,
    make_item_id,
)
from victor_fp.core.dialects.batches import BatchSupport, XAIBatches
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import NAME_PREFIX, BatchEndpoint, list_raw_items
from victor_fp.core.protocols.batches.gemini import CANCELLED, HTTP_STATUSES
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

PAGE = 100
RESULTS = 100
"""Results per page."""

_BATCH = build_decoder(GetBatch.RESPONSE)
_CREATED = build_decoder(CreateBatch.RESPONSE)
_LIST = build_decoder(ListBatches.RESPONSE)
_PAGE = build_decoder(ReadResults.RESPONSE)


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport, dialect: XAIBatches) -> Result[BatchCodec, Fault]:
    """Return the batch codec of a Chat Completions or Responses endpoint; other protocols are InvalidRequest."""
    chat = endpoint.spec.dialect
    if not isinstance(chat, ChatDialect | ResponsesDialect):
        message = f"this batch API accepts chats or Responses, not {chat.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    route = "responses" if isinstance(chat, ResponsesDialect) else "chat_get_completion"
    bound = BatchEndpoint(endpoint=endpoint, support=support, route=route)
    return Success(
        BatchCodec(
            support=support,
            stores_token=True,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound, dialect),
            status=lambda handle: build_request(endpoint, GetBatch(batch_id=handle.id)),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=lambda handle: build_request(endpoint, CancelBatch(batch_id=handle.id)),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode one request, under the name of its operation."""
    raw = msgspec.Raw(request.body)
    body = sent.RequestBody(responses=raw) if bound.route == "responses" else sent.RequestBody(chat_get_completion=raw)
    item = sent.RequestItem(batch_request_id=make_item_id(key), batch_request=body)
    return BatchItem(key, item.batch_request_id, model, bound.route, encode_json(item))


def submit(bound: BatchEndpoint, dialect: XAIBatches, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that creates an empty batch, followed by those that add requests, as many per call as are accepted.

    The batch's name also has the number of requests to be added.
    """
    body = encode_json(sent.CreateBatch(name=f"{NAME_PREFIX}{token} {len(items)}"))
    return SubmitStep(
        request=build_request(bound.endpoint, CreateBatch(), body=body),
        read=partial(_read_created, bound, dialect, items, token),
    )


def _read_created(
    bound: BatchEndpoint, dialect: XAIBatches, items: Sequence[BatchItem], token: str, body: bytes
) -> Result[SubmitStep | BatchHandle, Fault]:
    handle = bound.build_handle(items, token)
    return bound.decode_field(_CREATED, body, "batch", lambda batch: batch.batch_id).bind(
        lambda identifier: _add_items(bound, dialect, msgspec.structs.replace(handle, id=identifier), items, b"")
    )


def _add_items(
    bound: BatchEndpoint, dialect: XAIBatches, handle: BatchHandle, items: Sequence[BatchItem], body: bytes
) -> Result[SubmitStep | BatchHandle, Fault]:
    """Return the step that adds the first of these requests, followed by those for the others, or the handle if none are left.

    `body` is the response to the last call, empty before the first. Adding is idempotent by id, so a failed call may be
    retried.
    """
    return bound.reject_error(body).map(lambda _: _build_addition(bound, dialect, handle, items) if items else handle)


def _build_addition(
    bound: BatchEndpoint, dialect: XAIBatches, handle: BatchHandle, items: Sequence[BatchItem]
) -> SubmitStep:
    size, count = ENVELOPE, 0
    for item in items:
        size += len(item.line) + 1
        if count and size > dialect.max_bytes_per_call:
            break
        count += 1
    body = encode_json(sent.AddRequests(batch_requests=list_raw_items(items[:count])))
    return SubmitStep(
        request=build_request(bound.endpoint, AddRequests(batch_id=handle.id), body=body),
        read=partial(_add_items, bound, dialect, handle, items[count:]),
        adds=True,
    )


def build_list(bound: BatchEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the team's batches."""
    operation = ListBatches(limit=PAGE, pagination_token=UNSET if cursor is None else cursor)
    return build_request(bound.endpoint, operation)


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a batch."""
    found = bound.decode_with_id(_BATCH, body, "batch", lambda batch: batch.batch_id)
    return found.map(partial(_read_status, bound, handle))


def read_list(bound: BatchEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of batches."""
    return bound.decode_page(
        _LIST,
        body,
        "batches",
        lambda page: (page.batches, page.pagination_token),
        partial(_read_status, bound),
    )


def _read_status(bound: BatchEndpoint, handle: BatchHandle, batch: received.Batch) -> BatchStatus:
    counters = batch.state or received.Counters()
    created = parse_time(batch.create_time)
    name = batch.name or ""
    token, _, count = (
        name.removeprefix(NAME_PREFIX).partition(" ") if name.startswith(NAME_PREFIX) else (handle.token, "", "")
    )
    expected = handle.count or (int(count) if count.isascii() and count.isdigit() and len(count) < 9 else 0)
    failed = None if batch.state is None else (counters.num_error or 0) + (counters.num_cancelled or 0)
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle, id=batch.batch_id or handle.id, token=token, count=expected or counters.num_requests or 0
        ),
        state=_read_state(batch, expected),
        counts=BatchCounts(total=counters.num_requests, succeeded=counters.num_success, failed=failed),
        created_at=created,
        ends_at=parse_end(batch.expire_time) or parse_end(batch.expires_at),
        expires_silently=True,
        results_expire_at=bound.compute_expiry(created),
        sources=(batch.batch_id or "",) if counters.num_success or failed else (),
        errors=(batch.cancel_by_xai_message,) if batch.cancel_by_xai_message else (),
    )


def _read_state(batch: received.Batch, expected: int) -> BatchState:
    """Return the state from the counters: a batch has ended when nothing is pending and all requests were added."""
    counters = batch.state or received.Counters()
    if batch.cancel_by_xai_message:
        return "failed"
    if batch.cancel_time is not None:
        return "cancelling" if counters.num_pending else "cancelled"
    total = counters.num_requests or 0
    if total == 0 or total < expected:
        return "pending"
    return "running" if counters.num_pending else "completed"


def read_results(bound: BatchEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the step that reads the first page of results."""
    return _build_page_step(bound, status.handle.id, None) if status.sources else None


def _build_page_step(bound: BatchEndpoint, batch_id: str, token: str | None) -> ResultStep:
    operation = ReadResults(batch_id=batch_id, limit=RESULTS, pagination_token=UNSET if token is None else token)
    return ResultStep(request=build_request(bound.endpoint, operation), read=partial(read_page, bound, batch_id, token))


def read_page(bound: BatchEndpoint, batch_id: str, token: str | None, body: bytes) -> Result[ResultPage, Fault]:
    """Decode one page, which may be empty before others; an unchanged token ends the pagination."""

    def read(page: received.ResultPage) -> Result[ResultPage, Fault]:
        items = tuple(read_item(item) for item in page.results or ())
        following = page.pagination_token
        has_more = bool(following) and following != token
        found = ResultPage(items, _build_page_step(bound, batch_id, following) if has_more else None)
        return Success(found) if items else bound.reject_error(body).map(lambda _: found)

    return bound.decode(_PAGE, body, "the results").bind(read)


def read_item(item: received.ResultItem) -> ItemResult:
    """Decode one result; its response is under the name of its operation.

    The code of an error is an HTTP status, or one of gRPC: the type of the vendor's SDK is google.rpc.Status.
    """
    result = item.batch_result or received.ItemResult()
    identifier = item.batch_request_id or ""
    answer = next(iter(result.response.values()), None) if result.response else None
    if answer is not None:
        return ItemResult(id=identifier, end="answered", status=200, body=encode_body(answer))
    error = result.error or received.ItemError()
    if error.code == CANCELLED:
        return ItemResult(id=identifier, end="cancelled")
    code = HTTP_STATUSES.get(error.code, error.code) if isinstance(error.code, int) else None
    status = code if code is not None and 400 <= code < 600 else None
    body = {"error": {"message": error.message or "no response", "code": error.code}}
    return ItemResult(id=identifier, end="failed", status=status, body=encode_body(body))
