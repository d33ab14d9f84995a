"""Mistral batch jobs: JSONL files as input and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from returns.result import Failure, Result, Success
from victor_fp_wire.mistral_batches import request as sent
from victor_fp_wire.mistral_batches import response as received
from victor_fp_wire.mistral_batches.operations import CancelJob, CreateJob, DownloadFile, GetJob, ListJobs, UploadFile

from victor_fp.core.batching.multipart import encode_form
from victor_fp.core.batching.reading import parse_time
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
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import BatchEndpoint, build_creation, join_lines, read_answer, read_lines
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest

TOKEN = "victor_fp_token"  # noqa: S105  the name of a field in a job's metadata
PAGE = 100

STATES: Mapping[str, BatchState] = {
    "QUEUED": "pending",
    "RUNNING": "running",
    "SUCCESS": "completed",
    "FAILED": "failed",
    "TIMEOUT_EXCEEDED": "expired",
    "CANCELLATION_REQUESTED": "cancelling",
    "CANCELLED": "cancelled",
}
"""`BatchJobStatus` of the vendor's document."""

_FILE = build_decoder(UploadFile.RESPONSE)
_JOB = build_decoder(GetJob.RESPONSE)
_LIST = build_decoder(ListJobs.RESPONSE)
_LINE = build_decoder(DownloadFile.EVENT)


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport) -> Result[BatchCodec, Fault]:
    """Return the batch codec of the endpoint; other protocols are InvalidRequest."""
    if not isinstance(endpoint.spec.dialect, MistralDialect):
        message = f"this batch API accepts Mistral's chats, not {endpoint.spec.dialect.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    bound = BatchEndpoint(endpoint=endpoint, support=support, route="/v1/chat/completions")
    return Success(
        BatchCodec(
            support=support,
            stores_token=True,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=lambda handle: build_request(endpoint, GetJob(job_id=handle.id)),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=lambda handle: build_request(endpoint, CancelJob(job_id=handle.id)),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode a line of the request file."""
    line = sent.RequestLine(custom_id=make_item_id(key), body=msgspec.Raw(request.body))
    return BatchItem(key, line.custom_id, model, bound.route, encode_json(line))


def submit(bound: BatchEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that uploads the file, followed by the one that creates the job."""
    lines = join_lines(items)
    name = f"victor-fp-{token[:32]}.jsonl"
    form = encode_form(sent.FileFields(purpose="batch"), lines, name=name, media_type="application/jsonl")
    request = build_request(
        bound.endpoint, UploadFile(), body=form.body, extra_headers={"content-type": form.content_type}
    )
    return SubmitStep(request=request, read=partial(_read_file, bound, bound.build_handle(items, token)))


def _read_file(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[SubmitStep | BatchHandle, Fault]:
    found = bound.decode_field(_FILE, body, "file", lambda file: file.id)
    return found.map(partial(_create_job, bound, handle))


def _create_job(bound: BatchEndpoint, handle: BatchHandle, file: str) -> SubmitStep:
    creation = sent.CreateJob(
        input_files=[file],
        endpoint=bound.route,
        model=handle.model,
        metadata={TOKEN: handle.token},
        timeout_hours=bound.support.limits.window_hours,
    )
    request = build_request(bound.endpoint, CreateJob(), body=encode_json(creation))
    return build_creation(request, partial(read_status, bound, msgspec.structs.replace(handle, input_id=file)))


def build_list(bound: BatchEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the workspace's jobs; the cursor is its number."""
    return build_request(bound.endpoint, ListJobs(page=int(cursor or 0), page_size=PAGE))


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a job."""
    found = bound.decode_with_id(_JOB, body, "job", lambda job: job.id)
    return found.map(partial(_read_status, bound, handle))


def read_list(bound: BatchEndpoint, cursor: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of jobs; a page that is not full is the last one."""
    following = str(int(cursor or 0) + 1)
    return bound.decode_page(
        _LIST,
        body,
        "jobs",
        lambda page: (page.data, following if len(page.data or ()) >= PAGE else None),
        partial(_read_status, bound),
    )


def _read_status(bound: BatchEndpoint, handle: BatchHandle, job: received.Job) -> BatchStatus:
    token = (job.metadata or {}).get(TOKEN)
    created = parse_time(job.created_at)
    files = job.input_files or [handle.input_id]
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=job.id or handle.id,
            model=handle.model or job.model or "",
            count=handle.count or job.total_requests or 0,
            token=token if isinstance(token, str) else handle.token,
            input_id=files[0],
        ),
        state=STATES.get(job.status or "", "unknown"),
        vendor_state=job.status or "",
        counts=BatchCounts(total=job.total_requests, succeeded=job.succeeded_requests, failed=job.failed_requests),
        created_at=created,
        ends_at=bound.compute_end(created),
        # They are kept from the end on; until then, the earliest time is given.
        results_expire_at=bound.compute_expiry(parse_time(job.completed_at) or created),
        sources=tuple(source for source in (job.output_file, job.error_file) if source),
        errors=tuple(error.message for error in job.errors or () if error.message),
    )


def read_results(bound: BatchEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the steps that read the result files, one after the other."""
    step: ResultStep | None = None
    for source in reversed(status.sources):
        request = build_request(bound.endpoint, DownloadFile(file_id=source))
        step = ResultStep(request=request, read=partial(read_lines, _LINE, read_line), is_lines=True, following=step)
    return step


def read_line(line: received.ResultLine) -> ItemResult | None:
    """Decode one result."""
    response = line.response or received.LineResponse()
    if not line.custom_id:
        return None
    return read_answer(line.custom_id, response.status_code, response.body, line.error, None)
