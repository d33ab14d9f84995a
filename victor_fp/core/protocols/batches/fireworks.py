"""Fireworks batch inference jobs: a dataset of requests that is created, filled and ready later; results are files of another one.

Sources: the vendor's reference and SDK (fireworks-ai 1.2.30). They do not describe lines of results, nor that `exampleCount` is
required: those are as clients recorded them on 2026-08-30. Nobody recorded a line of the file of errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.fireworks_batches import request as sent
from victor_fp_wire.fireworks_batches import response as received
from victor_fp_wire.fireworks_batches.operations import (
    CreateDataset,
    CreateJob,
    DeleteJob,
    GetDataset,
    GetDownloadEndpoint,
    GetJob,
    ListJobs,
    UploadFile,
)

from victor_fp.core.batching.multipart import encode_form
from victor_fp.core.batching.reading import cut_last_segment, encode_body, parse_end, parse_time
from victor_fp.core.batching.types import (
    RESULT_STATES,
    BatchCounts,
    BatchHandle,
    BatchItem,
    BatchState,
    BatchStatus,
    ItemResult,
    make_item_id,
)
from victor_fp.core.dialects.batches import BatchSupport
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import (
    NAME_PREFIX,
    BatchEndpoint,
    build_creation,
    join_lines,
    read_answer,
    read_lines,
    read_token,
    wait_for_dataset,
)
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Endpoint, HttpRequest, build_missing_setting
from victor_fp.core.result import outcome

INFERENCE = "/inference/v1"
"""End of the base URL of chats, which jobs do not have."""
ACCOUNT = "account_id"
"""The setting with the account, which is part of the address."""
PAGE = 200

STATES: Mapping[str, BatchState] = {
    "JOB_STATE_VALIDATING": "pending",
    "JOB_STATE_CREATING_INPUT_DATASET": "pending",
    "JOB_STATE_PENDING": "pending",
    "JOB_STATE_CREATING": "pending",
    "JOB_STATE_RUNNING": "running",
    "JOB_STATE_WRITING_RESULTS": "running",
    "JOB_STATE_RE_QUEUEING": "running",
    "JOB_STATE_IDLE": "running",
    "JOB_STATE_PAUSED": "running",
    "JOB_STATE_COMPLETED": "completed",
    "JOB_STATE_FAILED": "failed",
    "JOB_STATE_EXPIRED": "expired",
    "JOB_STATE_EARLY_STOPPED": "expired",
    "JOB_STATE_CANCELLING": "cancelling",
    "JOB_STATE_CANCELLED": "cancelled",
    "JOB_STATE_DELETING": "cancelled",
    "JOB_STATE_DELETING_CLEANING_UP": "cancelled",
}
"""`state` of the vendor's SDK. A job that is being deleted is final here: nothing can be asked about it afterwards."""

_DATASET = build_decoder(GetDataset.RESPONSE)
_NEW = build_decoder(CreateDataset.RESPONSE)
_FILE = build_decoder(UploadFile.RESPONSE)
_FILES = build_decoder(GetDownloadEndpoint.RESPONSE)
_LINE = build_decoder(GetDownloadEndpoint.EVENT)
_CREATED = build_decoder(CreateJob.RESPONSE)
_JOB = build_decoder(GetJob.RESPONSE)
_LIST = build_decoder(ListJobs.RESPONSE)


class AccountEndpoint(BatchEndpoint, frozen=True, kw_only=True):
    """The endpoint with its account."""

    account: str
    root: str
    """URL before the version, without a trailing slash."""


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport) -> Result[BatchCodec, Fault]:
    """Return the batch codec of the endpoint; InvalidRequest without an account, and for other protocols."""
    spec, account = endpoint.spec, endpoint.settings.get(ACCOUNT, "")
    if not isinstance(spec.dialect, ChatDialect):
        message = f"this batch API accepts chats, not {spec.dialect.protocol}"
        return Failure(InvalidRequest(provider=spec.name, message=message))
    if not account:
        return Failure(build_missing_setting(endpoint, ACCOUNT))
    bound = AccountEndpoint(
        endpoint=endpoint,
        support=support,
        route="/v1/chat/completions",
        account=account,
        root=endpoint.base_url.removesuffix(INFERENCE),
    )
    return Success(
        BatchCodec(
            support=support,
            stores_token=True,
            codec=codec_for(endpoint),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=lambda handle: build_request(
                endpoint, GetJob(account_id=account, job_id=handle.id), base_url=bound.root
            ),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=lambda handle: build_request(
                endpoint, DeleteJob(account_id=account, job_id=handle.id), base_url=bound.root
            ),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def encode_item(bound: AccountEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode a line of the dataset: the body of a live call without its model, which is the job's."""
    body = request.json()
    fields = {name: value for name, value in body.items() if name != "model"} if isinstance(body, dict) else {}
    line = sent.RequestLine(custom_id=make_item_id(key), body=fields)
    return BatchItem(key, line.custom_id, model, bound.route, encode_json(line))


def submit(bound: AccountEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that creates the dataset, followed by those that fill it, wait for it, and create the job."""
    name = f"victor-fp-{blake2b(token.encode(), digest_size=16).hexdigest()}"
    dataset = sent.NewDataset(example_count=str(len(items)), user_uploaded={})
    handle = bound.build_handle(items, token, name)
    request = build_request(
        bound.endpoint,
        CreateDataset(account_id=bound.account),
        base_url=bound.root,
        body=encode_json(sent.CreateDataset(dataset_id=name, dataset=dataset)),
    )
    lines = join_lines(items)
    return SubmitStep(request=request, read=partial(_read_created, bound, handle, lines))


def _read_created(
    bound: AccountEndpoint, handle: BatchHandle, lines: bytes, body: bytes
) -> Result[SubmitStep | BatchHandle, Fault]:
    form = encode_form(None, lines, name=f"{handle.input_id}.jsonl", media_type="application/jsonl")
    request = build_request(
        bound.endpoint,
        UploadFile(account_id=bound.account, dataset_id=handle.input_id),
        base_url=bound.root,
        body=form.body,
        extra_headers={"content-type": form.content_type},
    )
    upload = SubmitStep(request=request, read=partial(_read_uploaded, bound, handle))
    return bound.decode_field(_NEW, body, "dataset", lambda dataset: dataset.name, "name").map(lambda _: upload)


def _read_uploaded(bound: AccountEndpoint, handle: BatchHandle, body: bytes) -> Result[SubmitStep | BatchHandle, Fault]:
    operation = GetDataset(account_id=bound.account, dataset_id=handle.input_id)
    request = build_request(bound.endpoint, operation, base_url=bound.root)
    read = partial(_read_readiness, bound)
    waiting = wait_for_dataset(bound, request, read, handle.input_id, _create_job(bound, handle))
    return bound.decode_field(_FILE, body, "file", lambda file: file.id).map(lambda _: waiting)


def _read_readiness(bound: AccountEndpoint, body: bytes) -> Result[bool, Fault]:
    found = bound.decode_field(_DATASET, body, "dataset", lambda dataset: dataset.state, "state")
    return found.map(lambda state: state == "READY")


def _create_job(bound: AccountEndpoint, handle: BatchHandle) -> SubmitStep:
    creation = sent.CreateJob(
        model=handle.model,
        input_dataset_id=f"accounts/{bound.account}/datasets/{handle.input_id}",
        display_name=f"{NAME_PREFIX}{handle.token}",
    )

    operation = CreateJob(account_id=bound.account, batch_inference_job_id=handle.input_id)
    return build_creation(
        build_request(bound.endpoint, operation, base_url=bound.root, body=encode_json(creation)),
        lambda body: bound.decode_with_id(_CREATED, body, "job", lambda job: job.name).map(
            partial(_read_status, bound, handle)
        ),
    )


def build_list(bound: AccountEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the account's jobs."""
    operation = ListJobs(
        account_id=bound.account,
        page_size=PAGE,
        page_token=UNSET if cursor is None else cursor,
        order_by="created_time desc",
    )
    return build_request(bound.endpoint, operation, base_url=bound.root)


def read_status(bound: AccountEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a job."""
    found = bound.decode_with_id(_JOB, body, "job", lambda job: job.name)
    return found.map(partial(_read_status, bound, handle))


def read_list(bound: AccountEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of jobs, newest first."""
    return bound.decode_page(
        _LIST,
        body,
        "jobs",
        lambda page: (page.batch_inference_jobs, page.next_page_token),
        partial(_read_status, bound),
    )


def _read_status(bound: AccountEndpoint, handle: BatchHandle, job: received.Job) -> BatchStatus:
    progress = job.job_progress or received.JobProgress()
    created = parse_time(job.create_time)
    status = job.status or received.Status()
    state = STATES.get(job.state or "", "unknown")
    # The output dataset of a job without results does not exist, although it has an id.
    has_results = state == "completed" or (state in RESULT_STATES and bool(progress.output_rows))
    output = cut_last_segment(job.output_dataset_id or "")
    # The total echoes the count that the dataset was created with.
    totals = [
        count for count in (progress.total_input_requests, progress.total_processed_requests) if count is not None
    ]
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=cut_last_segment(job.name or "") or handle.id,
            model=handle.model or job.model or "",
            count=handle.count or max(totals, default=0),
            token=read_token(job.display_name, handle),
            input_id=cut_last_segment(job.input_dataset_id or "") or handle.input_id,
        ),
        state=state,
        vendor_state=job.state or "",
        counts=BatchCounts(
            total=max(totals, default=None),
            succeeded=progress.successfully_processed_requests,
            failed=progress.failed_requests,
        ),
        created_at=created,
        ends_at=parse_end(job.expire_time),
        results_expire_at=bound.compute_expiry(created),
        sources=(output,) if output and has_results else (),
        errors=(status.message,) if status.message and state == "failed" else (),
    )


def read_results(bound: AccountEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the steps that read the files of the output dataset: results and errors.

    Addresses are asked for before each file: they are valid for minutes, and reading a file may take longer.
    """
    return _build_file_step(bound, status.sources[0], 0) if status.sources else None


def _build_file_step(bound: AccountEndpoint, dataset: str, number: int) -> ResultStep:
    operation = GetDownloadEndpoint(account_id=bound.account, dataset_id=dataset)
    request = build_request(bound.endpoint, operation, base_url=bound.root)
    return ResultStep(request=request, read=partial(_read_file, bound, dataset, number))


def _read_file(bound: AccountEndpoint, dataset: str, number: int, body: bytes) -> Result[ResultPage, Fault]:
    match outcome(bound.decode(_FILES, body, "the addresses of the results")):
        case Failure(fault):
            return Failure(fault)
        case Success(found):
            urls = [url for _, url in sorted((found.filename_to_signed_urls or {}).items())]
    if number >= len(urls):
        return bound.reject_error(body).map(lambda _: ResultPage(()))
    following = _build_file_step(bound, dataset, number + 1) if number + 1 < len(urls) else None
    return bound.build_download(urls[number], bound.root).map(
        lambda request: ResultPage(
            (),
            ResultStep(request=request, read=partial(read_lines, _LINE, read_line), is_lines=True, following=following),
        )
    )


def read_line(line: received.ResultLine) -> ItemResult | None:
    """Decode one line: the body of a response without a status, or an error."""
    if not line.custom_id:
        return None
    if line.response is not None and not line.error:
        return ItemResult(id=line.custom_id, end="answered", status=200, body=encode_body(line.response))
    return read_answer(line.custom_id, None, None, line.error or {"message": "no response"}, None)
