"""OpenAI batches, and compatible vendors: JSONL files as input and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.openai_batches import request as sent
from victor_fp_wire.openai_batches import response as received
from victor_fp_wire.openai_batches.operations import (
    CancelBatch,
    CreateBatch,
    DeleteBatch,
    DownloadFile,
    GetBatch,
    ListBatches,
    UploadFile,
    UploadFileDirectly,
)

from victor_fp.core.batching.multipart import encode_form
from victor_fp.core.batching.reading import describe_error, parse_end, parse_time
from victor_fp.core.batching.types import (
    BatchCounts,
    BatchHandle,
    BatchItem,
    BatchState,
    BatchStatus,
    ItemResult,
    make_item_id,
)
from victor_fp.core.dialects.batches import BatchSupport, OpenAIBatches
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import BatchEndpoint, build_creation, join_lines, read_answer, read_lines
from victor_fp.core.protocols.openai_family.routes import (
    find_resource_url,
    has_dated_version,
    read_version_parameter,
)
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

TOKEN = "victor_fp_token"  # noqa: S105  the name of a field in a batch's metadata
PAGE = 100

STATES: Mapping[str, BatchState] = {
    "validating": "pending",
    "queued": "pending",
    "in_progress": "running",
    "progress": "running",
    "running": "running",
    "finalizing": "running",
    "completed": "completed",
    "failed": "failed",
    "expired": "expired",
    "cancelling": "cancelling",
    "canceling": "cancelling",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
"""`Batch.status` of OpenAI's document, and values of Together (in upper case), Cerebras and Novita."""
_FILE = build_decoder(UploadFile.RESPONSE)
_DIRECT_FILE = build_decoder(UploadFileDirectly.RESPONSE)
_BATCH = build_decoder(GetBatch.RESPONSE)
_LIST = build_decoder(ListBatches.RESPONSE)
_LINE = build_decoder(DownloadFile.EVENT)


class FileEndpoint(BatchEndpoint, frozen=True, kw_only=True):
    """An endpoint with OpenAI's batch API."""

    dialect: OpenAIBatches

    @property
    def version(self) -> str | msgspec.UnsetType:
        """Azure's API version, if one is configured."""
        return read_version_parameter(self.endpoint)


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport, dialect: OpenAIBatches) -> Result[BatchCodec, Fault]:
    """Return the batch codec of a Chat Completions or Responses endpoint; other protocols are InvalidRequest."""
    chat = endpoint.spec.dialect
    if not isinstance(chat, ChatDialect | ResponsesDialect):
        message = f"this batch API accepts chats or Responses, not {chat.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    if chat.deployment_urls:
        endpoint = _without_deployment(endpoint)
    operation = "/responses" if isinstance(chat, ResponsesDialect) else "/chat/completions"
    bound = FileEndpoint(endpoint=endpoint, support=support, dialect=dialect, route=dialect.route_prefix + operation)
    return Success(
        BatchCodec(
            support=support,
            stores_token=dialect.accepts_metadata,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=partial(build_status, bound),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=partial(build_cancel, bound),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def _without_deployment(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with Azure's versioned URL form: the other form has one deployment per URL, lines name theirs."""
    root = find_resource_url(endpoint)
    dropped = {"deployment", "api_version"} if has_dated_version(endpoint) else {"deployment"}
    settings = {name: value for name, value in endpoint.settings.items() if name not in dropped}
    base_url = endpoint.base_url if root is None else f"{root}/openai/v1"
    return msgspec.structs.replace(endpoint, base_url=base_url, settings=settings)


def encode_item(bound: FileEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode a line of the request file."""
    has_url = bound.dialect.lines_have_url
    identifier = make_item_id(key)
    line = sent.RequestLine(
        custom_id=identifier,
        method="POST" if has_url else UNSET,
        url=bound.route if has_url else UNSET,
        body=msgspec.Raw(request.body),
    )
    return BatchItem(key, identifier, model, bound.route, encode_json(line))


def submit(bound: FileEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that uploads the file, followed by the one that creates the batch."""
    lines = join_lines(items)
    name = f"victor-fp-{token[:32]}.jsonl"
    operation: UploadFile | UploadFileDirectly = UploadFile(api_version=bound.version)
    fields: sent.FileFields | sent.NamedFileFields = sent.FileFields(purpose=bound.dialect.purpose)
    if bound.dialect.upload == "files/upload":
        operation = UploadFileDirectly()
        fields = sent.NamedFileFields(purpose=bound.dialect.purpose, file_name=name, file_type="jsonl")
    form = encode_form(fields, lines, name=name, media_type="application/jsonl")
    request = build_request(
        bound.endpoint, operation, body=form.body, extra_headers={"content-type": form.content_type}
    )
    return SubmitStep(request=request, read=partial(_read_file, bound, bound.build_handle(items, token)))


def _read_file(bound: FileEndpoint, handle: BatchHandle, body: bytes) -> Result[SubmitStep | BatchHandle, Fault]:
    found = (
        bound.decode_field(_FILE, body, "file", lambda file: file.id)
        if bound.dialect.upload == "files"
        else bound.decode_field(_DIRECT_FILE, body, "file", lambda file: file.id)
    )
    return found.map(partial(_create_batch, bound, handle))


def _create_batch(bound: FileEndpoint, handle: BatchHandle, file: str) -> SubmitStep:
    creation = sent.CreateBatch(
        input_file_id=file,
        endpoint=bound.route,
        completion_window=bound.dialect.window,
        metadata={TOKEN: handle.token} if bound.dialect.accepts_metadata else UNSET,
    )
    request = build_request(bound.endpoint, CreateBatch(api_version=bound.version), body=encode_json(creation))
    return build_creation(request, partial(read_status, bound, msgspec.structs.replace(handle, input_id=file)))


def build_status(bound: FileEndpoint, handle: BatchHandle) -> HttpRequest:
    """Build the request for the status of a batch."""
    return build_request(bound.endpoint, GetBatch(batch_id=handle.id, api_version=bound.version))


def build_cancel(bound: FileEndpoint, handle: BatchHandle) -> HttpRequest:
    """Build the request that cancels a batch."""
    if bound.dialect.cancel == "delete":
        return build_request(bound.endpoint, DeleteBatch(batch_id=handle.id))
    return build_request(bound.endpoint, CancelBatch(batch_id=handle.id, api_version=bound.version))


def build_list(bound: FileEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the account's batches."""
    operation = ListBatches(limit=PAGE, after=UNSET if cursor is None else cursor, api_version=bound.version)
    return build_request(bound.endpoint, operation)


def read_status(bound: FileEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a batch, which may be nested in an object with a warning."""
    found = bound.decode_with_id(_BATCH, body, "batch", lambda batch: (batch.job or batch).id)
    return found.map(lambda batch: _read_status(bound, handle, batch.job or batch))


def read_list(bound: FileEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of batches; Together sends a bare array."""
    wrapped = b'{"data":%b}' % body if body.lstrip()[:1] == b"[" else body
    return bound.decode_page(
        _LIST, wrapped, "batches", lambda page: (page.data, _find_cursor(page)), partial(_read_status, bound)
    )


def _find_cursor(page: received.BatchList) -> str | None:
    """Return the cursor of the next page: the id of the last batch, which some vendors do not send apart."""
    ids = [batch.id for batch in page.data or () if batch.id]
    return (page.last_id or ids[-1]) if page.has_more and ids else None


def _read_status(bound: FileEndpoint, handle: BatchHandle, batch: received.Batch) -> BatchStatus:
    counts = _read_counts(batch)
    token = (batch.metadata or {}).get(TOKEN)
    created = parse_time(batch.created_at)
    state = (batch.status or "").lower()
    reported = (batch.errors.data if batch.errors else None) or ()
    errors = [describe_error(msgspec.to_builtins(error)) for error in reported]
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=batch.id or handle.id,
            model=handle.model or batch.model or batch.model_id or "",
            count=handle.count or counts.total or 0,
            token=token if isinstance(token, str) else handle.token,
            input_id=batch.input_file_id or handle.input_id,
        ),
        state=STATES.get(state, "unknown"),
        vendor_state=batch.status or "",
        counts=counts,
        created_at=created,
        ends_at=parse_end(batch.expires_at) or parse_end(batch.job_deadline) or bound.compute_end(created),
        results_expire_at=bound.compute_expiry(created),
        sources=tuple(source for source in (batch.output_file_id, batch.error_file_id) if source),
        errors=tuple(filter(None, [*errors, batch.error or ""])),
        error_code=next((error.code for error in reported if error.code), ""),
    )


def _read_counts(batch: received.Batch) -> BatchCounts:
    """Return the counts, which Z.ai's reference has alongside the total.
    https://docs.bigmodel.cn/api-reference, 2026-11-30
    """
    counts = batch.request_counts
    if isinstance(counts, received.RequestCounts):
        return BatchCounts(total=counts.total, succeeded=counts.completed, failed=counts.failed)
    return BatchCounts(
        total=counts if batch.total is None else batch.total, succeeded=batch.completed, failed=batch.failed
    )


def read_results(bound: FileEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the steps that read the output and error files; a completed batch may have only one of them, or none."""
    step: ResultStep | None = None
    for source in reversed(status.sources):
        request = build_request(bound.endpoint, DownloadFile(file_id=source, api_version=bound.version))
        step = ResultStep(request=request, read=partial(read_lines, _LINE, read_line), is_lines=True, following=step)
    return step


def read_line(line: received.ResultLine) -> ItemResult | None:
    """Decode one result."""
    response = line.response or received.LineResponse()
    if not line.custom_id:
        return None
    return read_answer(line.custom_id, response.status_code, response.body, line.error, response.request_id)
