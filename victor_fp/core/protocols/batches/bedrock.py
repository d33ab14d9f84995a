"""Bedrock's model invocation jobs: records in an object of S3, results as lines of objects there.

Records are requests of Converse or, for Claude models with tools, of InvokeModel. A job has records of one operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from returns.result import Failure, Result, Success
from victor_fp_wire.bedrock_batches import request as sent
from victor_fp_wire.bedrock_batches import response as received
from victor_fp_wire.bedrock_batches.operations import (
    CreateModelInvocationJob,
    GetModelInvocationJob,
    ListModelInvocationJobs,
    ReadResults,
    StopModelInvocationJob,
    WriteRecords,
)

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
from victor_fp.core.deltas import Delta
from victor_fp.core.dialects.batches import BatchSupport, BedrockBatches
from victor_fp.core.dialects.bedrock import BedrockDialect, strip_version
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import decode_json, encode_json
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.batches.codec import BatchCodec, StatusPage, StoreRead, StoreWrite, SubmitStep
from victor_fp.core.protocols.batches.common import BatchEndpoint, find_folder, join_lines, read_lines
from victor_fp.core.protocols.operations import build_decoder, build_request, build_url
from victor_fp.core.requests import ChatRequest, Endpoint, HttpRequest, build_missing_setting, find_missing_setting
from victor_fp.core.result import outcome

CONVERSE = "Converse"
INVOKE_MODEL = "InvokeModel"
PAGE = 100
SCHEME = "s3://"
RESULT_NAMES = (r".+\.jsonl\.out",)
"""Names of the objects with results; another one is a summary."""

STATES: Mapping[str, BatchState] = {
    "Submitted": "pending",
    "Validating": "pending",
    "Scheduled": "pending",
    "InProgress": "running",
    "Completed": "completed",
    "PartiallyCompleted": "completed",
    "Failed": "failed",
    "Stopping": "cancelling",
    "Stopped": "cancelled",
    "Expired": "expired",
}
"""`ModelInvocationJobStatus` of the service model."""

_CREATED = build_decoder(CreateModelInvocationJob.RESPONSE)
_JOB = build_decoder(GetModelInvocationJob.RESPONSE)
_LIST = build_decoder(ListModelInvocationJobs.RESPONSE)
_LINE = build_decoder(ReadResults.EVENT)


class ControlPlane(BatchEndpoint, frozen=True, kw_only=True):
    """The endpoint with its control plane, and with the bucket for the objects of batches."""

    base_url: str
    """URL of the control plane."""
    folder: str
    role: str
    """The role that reads and writes the folder."""


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport, dialect: BedrockBatches) -> Result[BatchCodec, Fault]:
    """Return the batch codec; InvalidRequest for other protocols, and without region, `batch_location` or `batch_role`."""
    spec, live = endpoint.spec, endpoint.spec.dialect
    if not isinstance(live, BedrockDialect):
        message = f"this batch API accepts requests of Converse, not {live.protocol}"
        return Failure(InvalidRequest(provider=spec.name, message=message))
    if (fault := find_missing_setting(endpoint)) is not None:
        return Failure(fault)
    base_url = live.find_control_url(endpoint.base_url)

    def bind(folder: str) -> Result[BatchCodec, Fault]:
        role = endpoint.settings.get("batch_role")
        if not role:
            return Failure(build_missing_setting(endpoint, "batch_role"))
        plane = ControlPlane(
            endpoint=endpoint, support=support, route=CONVERSE, base_url=base_url, folder=folder, role=role
        )
        return Success(_bind(plane, bind_codec(endpoint, live, dialect)))

    return find_folder(endpoint, SCHEME).bind(bind)


def bind_codec(endpoint: Endpoint, live: BedrockDialect, dialect: BedrockBatches) -> Codec:
    """Return the codec of both kinds of records."""
    converse = codec_for(endpoint)
    messages = codec_for(replace(endpoint, spec=replace(endpoint.spec, dialect=dialect.claude)))

    def build_record(request: ChatRequest) -> Result[HttpRequest, Fault]:
        match outcome(converse.request(request)):
            case Failure(fault):
                return Failure(fault)
            case Success(built):
                body = built.json()
                # Also without tools of its own, a request has a toolConfig if there are earlier calls.
                if not isinstance(body, dict) or "toolConfig" not in body:
                    return Success(built)
        if live.find_policy(request.model).claude:
            return messages.request(replace(request, model=strip_version(request.model)))
        message = "the vendor's batch API accepts tools for Claude models only"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))

    def read_output(body: bytes) -> Sequence[Delta]:
        output = decode_json(body)
        is_message = isinstance(output, dict) and output.get("type") == "message"
        return (messages if is_message else converse).response(body)

    return replace(converse, request=build_record, response=read_output)


def _bind(bound: ControlPlane, codec: Codec) -> BatchCodec:
    endpoint, base_url = bound.endpoint, bound.base_url
    return BatchCodec(
        support=bound.support,
        stores_token=True,
        codec=codec,
        encode_item=partial(encode_item, bound),
        submit=partial(submit, bound),
        status=lambda handle: build_request(
            endpoint, GetModelInvocationJob(job_identifier=cut_last_segment(handle.id)), base_url=base_url
        ),
        read_status=partial(read_status, bound),
        results=read_results,
        cancel=lambda handle: build_request(
            endpoint, StopModelInvocationJob(job_identifier=cut_last_segment(handle.id)), base_url=base_url
        ),
        list_page=partial(build_list, bound),
        read_list=partial(read_list, bound),
    )


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode a record. Only requests of InvokeModel have the version of Anthropic's API."""
    line = sent.RecordLine(record_id=make_item_id(key), model_input=msgspec.Raw(request.body))
    body = request.json()
    is_message = isinstance(body, dict) and "anthropic_version" in body
    return BatchItem(key, line.record_id, model, INVOKE_MODEL if is_message else bound.route, encode_json(line))


def submit(bound: ControlPlane, items: Sequence[BatchItem], token: str) -> StoreWrite:
    """Return the step that writes the records, followed by the one that creates the job."""
    model = items[0].model
    folder = f"{bound.folder}/victor-fp-{token}"
    url = build_url(folder, WriteRecords(object="records.jsonl"))
    creation = sent.CreateJob(
        job_name=f"victor-fp-{token[:32]}",
        role_arn=bound.role,
        client_request_token=token,
        model_id=model,
        input_data_config=sent.InputDataConfig(
            s3_input_data_config=sent.S3InputDataConfig(s3_input_format="JSONL", s3_uri=url)
        ),
        output_data_config=sent.OutputDataConfig(
            s3_output_data_config=sent.S3OutputDataConfig(s3_uri=f"{folder}/results/")
        ),
        timeout_duration_in_hours=bound.support.limits.window_hours,
        model_invocation_type=items[0].route,
    )
    handle = bound.build_handle(items, token, url)
    operation = CreateModelInvocationJob()
    return StoreWrite(
        url=url,
        data=join_lines(items),
        following=SubmitStep(
            request=build_request(bound.endpoint, operation, base_url=bound.base_url, body=encode_json(creation)),
            read=partial(_read_created, bound, handle),
            creates=True,
        ),
    )


def _read_created(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[SubmitStep | BatchHandle, Fault]:
    found = bound.decode_field(_CREATED, body, "job", lambda created: created.job_arn)
    return found.map(lambda identifier: replace(handle, id=identifier))


def build_list(bound: ControlPlane, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the account's jobs, newest first."""
    operation = ListModelInvocationJobs(
        max_results=PAGE,
        next_token=UNSET if cursor is None else cursor,
        sort_by="CreationTime",
        sort_order="Descending",
    )
    return build_request(bound.endpoint, operation, base_url=bound.base_url)


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a job."""
    found = bound.decode_with_id(_JOB, body, "job", lambda job: job.job_arn)
    return found.map(partial(_read_status, handle))


def read_list(bound: BatchEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of jobs."""
    return bound.decode_page(
        _LIST,
        body,
        "jobs",
        lambda page: (page.invocation_job_summaries, page.next_token),
        _read_status,
    )


def _read_status(handle: BatchHandle, job: received.Job) -> BatchStatus:
    identifier = job.job_arn or handle.id
    state = STATES.get(job.status or "", "unknown")
    output = job.output_data_config.s3_output_data_config if job.output_data_config else None
    # Of a bucket alone: the store may open other URLs as well, such as local files.
    folder = output.s3_uri if output and output.s3_uri and output.s3_uri.startswith(SCHEME) else ""
    return BatchStatus(
        handle=replace(
            handle,
            id=identifier,
            model=handle.model or cut_last_segment(job.model_id or ""),
            count=handle.count or job.total_record_count or 0,
            token=job.client_request_token or handle.token,
        ),
        state=state,
        vendor_state=job.status or "",
        counts=BatchCounts(
            total=job.total_record_count, succeeded=job.success_record_count, failed=job.error_record_count
        ),
        created_at=parse_time(job.submit_time),
        ends_at=parse_end(job.job_expiration_time),
        sources=(f"{folder.rstrip('/')}/{cut_last_segment(identifier)}/",) if folder and state in RESULT_STATES else (),
        errors=(job.message,) if job.message else (),
    )


def read_results(status: BatchStatus) -> StoreRead | None:
    """Return the step that reads the objects in the job's output folder."""
    if not status.sources:
        return None
    return StoreRead(prefix=status.sources[0], names=RESULT_NAMES, read=partial(read_lines, _LINE, read_line))


def read_line(line: received.ResultLine) -> ItemResult | None:
    """Decode one result."""
    error = line.error
    if not line.record_id:
        return None
    if error is None:
        return ItemResult(id=line.record_id, end="answered", status=200, body=encode_body(line.model_output))
    payload = encode_body({"message": error.error_message or ""})
    return ItemResult(id=line.record_id, end="failed", status=error.error_code, body=payload)
