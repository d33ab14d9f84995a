"""Vertex AI's batch prediction jobs: lines of an object in Cloud Storage, results as lines of objects there."""

from __future__ import annotations

from base64 import b32decode, b32encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypedDict

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result
from victor_fp_wire.vertex_batches import request as sent
from victor_fp_wire.vertex_batches import response as received
from victor_fp_wire.vertex_batches.operations import (
    CancelJob,
    CreateJob,
    GetJob,
    ListJobs,
    ReadResults,
    WriteRequests,
)

from victor_fp.core.batching.reading import cut_last_segment, encode_body, parse_count, parse_time
from victor_fp.core.batching.types import BatchCounts, BatchHandle, BatchItem, BatchStatus, ItemResult, make_item_id
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.batches import BatchSupport, VertexBatches
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import decode_json, encode_json
from victor_fp.core.protocols import codec_for
from victor_fp.core.protocols.batches.anthropic import STATUSES
from victor_fp.core.protocols.batches.codec import BatchCodec, StatusPage, StoreRead, StoreWrite
from victor_fp.core.protocols.batches.common import (
    NAME_PREFIX,
    BatchEndpoint,
    build_creation,
    find_folder,
    join_lines,
    read_lines,
    read_token,
    sort_page,
)
from victor_fp.core.protocols.batches.gemini import STATES
from victor_fp.core.protocols.operations import build_decoder, build_request, build_url
from victor_fp.core.requests import Endpoint, HttpRequest, build_missing_setting, find_missing_setting

PAGE = 100
SCHEME = "gs://"
LABEL = "victor-fp-id-"
"""Labels of a request that hold its id are this prefix and a number."""
MAX_LABEL = 63
"""Maximum number of characters in a label: small letters, digits, `-` and `_`."""
RESULT_NAMES = (r"predictions(_\d+)?\.jsonl(-\d+-of-\d+)?", r"incremental_predictions\.jsonl(-\d+-of-\d+)?")
"""Names of the objects with results; the second are of jobs that were stopped before the first were written."""

_JOB = build_decoder(GetJob.RESPONSE)
_LIST = build_decoder(ListJobs.RESPONSE)
_LINE = build_decoder(ReadResults.EVENT)


class ProjectEndpoint(BatchEndpoint, frozen=True, kw_only=True):
    """The endpoint with its project, and with the bucket for the objects of batches."""

    dialect: VertexBatches
    base_url: str
    """URL of the project and location."""
    folder: str


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport, dialect: VertexBatches) -> Result[BatchCodec, Fault]:
    """Return the batch codec; InvalidRequest for other protocols, and without project, location or `batch_location`."""
    spec = endpoint.spec
    if not isinstance(spec.dialect, GeminiDialect if dialect.id_place == "labels" else AnthropicDialect):
        message = f"this batch API accepts requests of {dialect.publisher}, not {spec.dialect.protocol}"
        return Failure(InvalidRequest(provider=spec.name, message=message))
    if (fault := find_missing_setting(endpoint)) is not None:
        return Failure(fault)
    if endpoint.base_url == spec.key_base_url:  # calls with a key do without a project, jobs do not
        return Failure(build_missing_setting(endpoint, "project"))
    return find_folder(endpoint, SCHEME).map(
        lambda folder: _bind(
            ProjectEndpoint(
                endpoint=endpoint,
                support=support,
                route=dialect.publisher,
                dialect=dialect,
                base_url=endpoint.base_url.removesuffix("/publishers/google"),
                folder=folder,
            )
        )
    )


def _bind(bound: ProjectEndpoint) -> BatchCodec:
    endpoint, base_url = bound.endpoint, bound.base_url
    return BatchCodec(
        support=bound.support,
        stores_token=True,
        codec=codec_for(endpoint),
        encode_item=partial(encode_item, bound),
        submit=partial(submit, bound),
        status=lambda handle: build_request(endpoint, GetJob(job=cut_last_segment(handle.id)), base_url=base_url),
        read_status=partial(read_status, bound),
        results=read_results,
        cancel=lambda handle: build_request(endpoint, CancelJob(job=cut_last_segment(handle.id)), base_url=base_url),
        list_page=partial(build_list, bound),
        read_list=partial(read_list, bound),
    )


def encode_item(bound: ProjectEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode a line, with the id in its own field or in the labels of the request."""
    identifier = make_item_id(key)
    line = (
        sent.RequestLine(custom_id=identifier, request=msgspec.Raw(request.body))
        if bound.dialect.id_place == "custom_id"
        else sent.RequestLine(request=_add_labels(request, encode_labels(identifier)))
    )
    return BatchItem(key, identifier, model, bound.route, encode_json(line))


class Labelled(TypedDict):
    """The labels of a body, which are Vertex AI's."""

    labels: Mapping[str, object]


def _add_labels(request: HttpRequest, labels: Mapping[str, str]) -> object:
    body = request.json()
    if not isinstance(body, Mapping):
        return body
    own = body.get("labels")
    return {**body, **Labelled(labels={**(own if isinstance(own, Mapping) else {}), **labels})}


def encode_labels(identifier: str) -> dict[str, str]:
    """Encode an id as labels, whose values have no capital letters, so that it can be decoded.

    >>> encode_labels("Row-7")
    {'victor-fp-id-0': 'kjxxoljx'}
    """
    text = b32encode(identifier.encode()).decode().rstrip("=").lower()
    starts = range(0, len(text), MAX_LABEL)
    return {f"{LABEL}{number}": text[start : start + MAX_LABEL] for number, start in enumerate(starts)}


def decode_labels(labels: Mapping[str, str]) -> str:
    """Decode the id of `encode_labels`; empty if the labels have none.

    >>> decode_labels({"team": "a", "victor-fp-id-0": "kjxxoljx"})
    'Row-7'
    """
    text, number = "", 0
    while (piece := labels.get(f"{LABEL}{number}")) is not None:
        text, number = text + piece, number + 1
    try:
        return b32decode(text.upper() + "=" * (-len(text) % 8)).decode()
    except ValueError:  # also of base32 and UTF-8
        return ""


def submit(bound: ProjectEndpoint, items: Sequence[BatchItem], token: str) -> StoreWrite:
    """Return the step that writes the lines, followed by the one that creates the job."""
    model = items[0].model
    folder = f"{bound.folder}/victor-fp-{token}"
    url = build_url(folder, WriteRequests(object="requests.jsonl"))
    creation = sent.CreateJob(
        display_name=NAME_PREFIX + token,
        model=model if "/" in model else f"publishers/{bound.dialect.publisher}/models/{model}",
        input_config=sent.InputConfig(instances_format="jsonl", gcs_source=sent.GcsSource(uris=[url])),
        output_config=sent.OutputConfig(
            predictions_format="jsonl", gcs_destination=sent.GcsDestination(output_uri_prefix=f"{folder}/results")
        ),
    )
    request = build_request(bound.endpoint, CreateJob(), base_url=bound.base_url, body=encode_json(creation))
    following = build_creation(request, partial(read_status, bound, bound.build_handle(items, token, url)))
    return StoreWrite(url=url, data=join_lines(items), following=following)


def build_list(bound: ProjectEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the location's jobs."""
    operation = ListJobs(page_size=PAGE, page_token=UNSET if cursor is None else cursor)
    return build_request(bound.endpoint, operation, base_url=bound.base_url)


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a job."""
    found = bound.decode_with_id(_JOB, body, "job", lambda job: job.name)
    return found.map(partial(_read_status, bound, handle))


def read_list(bound: BatchEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of jobs; their order is not documented, so each page is sorted."""
    return bound.decode_page(
        _LIST,
        body,
        "jobs",
        lambda page: (page.batch_prediction_jobs, page.next_page_token),
        partial(_read_status, bound),
    ).map(sort_page)


def _read_status(bound: BatchEndpoint, handle: BatchHandle, job: received.Job) -> BatchStatus:
    succeeded, failed, incomplete = _read_counts(job.completion_stats)
    parts = (succeeded, failed, incomplete)
    known = [part for part in parts if part is not None]
    total = sum(known) if len(known) == len(parts) else None
    state = (job.state or "").partition("STATE_")[2]
    directory = job.output_info.gcs_output_directory if job.output_info else None
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=job.name or handle.id,
            model=handle.model or cut_last_segment(job.model or ""),
            count=handle.count or total or 0,
            token=read_token(job.display_name, handle),
        ),
        state=STATES.get(state, "unknown" if state else "pending"),
        vendor_state=job.state or "",
        counts=BatchCounts(total=total, succeeded=succeeded, failed=failed),
        created_at=parse_time(job.create_time),
        ends_at=bound.compute_end(parse_time(job.start_time)),
        # Of a bucket alone: the store may open other URLs as well, such as local files.
        sources=(directory,) if directory and directory.startswith(SCHEME) else (),
        errors=tuple(one.message for one in (job.error, *(job.partial_failures or ())) if one and one.message),
    )


def _read_counts(stats: received.CompletionStats | None) -> tuple[int | None, int | None, int | None]:
    """Return how many requests succeeded, failed and were not processed. In statistics, a count that is absent is zero."""
    if stats is None:
        return None, None, None
    return (
        parse_count(stats.successful_count or 0),
        parse_count(stats.failed_count or 0),
        parse_count(stats.incomplete_count or 0),
    )


def read_results(status: BatchStatus) -> StoreRead | None:
    """Return the step that reads the objects in the job's output directory."""
    if not status.sources:
        return None
    return StoreRead(
        prefix=status.sources[0].rstrip("/") + "/",
        names=RESULT_NAMES,
        read=partial(read_lines, _LINE, read_line),
    )


def read_line(line: received.ResultLine) -> ItemResult:
    """Decode one result; without an id it belongs to no row."""
    labels = (line.request.labels if line.request else None) or {}
    identifier = line.custom_id or decode_labels(labels)
    if not line.status:
        return ItemResult(id=identifier, end="answered", status=200, body=encode_body(line.response))
    status, payload = _read_error(line.status)
    return ItemResult(id=identifier, end="failed", status=status, body=encode_body(payload))


def _read_error(text: str) -> tuple[int | None, object]:
    """Return status and body of an error, a text that mostly ends with the JSON of a live call's."""
    body = decode_json(text[text.find("{") :].encode()) if "{" in text else None
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return None, {"error": {"message": text}}
    code, kind = error.get("code"), error.get("type")
    if isinstance(code, int) and 400 <= code < 600:
        return code, body
    return STATUSES.get(kind) if isinstance(kind, str) else None, body
