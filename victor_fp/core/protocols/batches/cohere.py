"""Cohere batches: a dataset of requests, which is validated before the batch is created; results are the parts of another dataset.

Sources: the reference of batches and datasets, the types of the vendor's SDK (cohere 7.3.1), and for bodies and results,
which neither describes, the client of crmne/ruby_llm (lib/ruby_llm/protocols/cohere), whose tests run against the vendor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, TypedDict

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.cohere_batches import request as sent
from victor_fp_wire.cohere_batches import response as received
from victor_fp_wire.cohere_batches.operations import (
    CancelBatch,
    CreateBatch,
    CreateDataset,
    GetBatch,
    GetDataset,
    ListBatches,
)

from victor_fp.core.batching.multipart import encode_form
from victor_fp.core.batching.reading import describe_error, encode_body, parse_time
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
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Json, encode_json
from victor_fp.core.protocols import Codec, codec_for
from victor_fp.core.protocols.batches.avro import NotAvro, read_avro
from victor_fp.core.protocols.batches.codec import BatchCodec, ResultPage, ResultStep, StatusPage, SubmitStep
from victor_fp.core.protocols.batches.common import (
    NAME_PREFIX,
    BatchEndpoint,
    build_creation,
    build_unreadable,
    join_lines,
    read_token,
    sort_page,
    wait_for_dataset,
)
from victor_fp.core.protocols.operations import build_decoder, build_request
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint, HttpRequest, resolve_unsupported
from victor_fp.core.result import outcome

DATASET_TYPE = "batch-chat-v2-input"
PAGE = 1000
"""The largest page: the order of the list is not documented, so pages are sorted here."""

STATES: Mapping[str, BatchState] = {
    "BATCH_STATUS_QUEUED": "pending",
    "BATCH_STATUS_IN_PROGRESS": "running",
    "BATCH_STATUS_CANCELING": "cancelling",
    "BATCH_STATUS_COMPLETED": "completed",
    "BATCH_STATUS_FAILED": "failed",
    "BATCH_STATUS_CANCELED": "cancelled",
}
"""`BatchStatus` of the vendor's SDK; no state says that a batch has expired."""

INVALID = frozenset({"failed", "skipped"})
"""States of a dataset that will not become "validated"; `get_failed_states` in cohere/utils.py of the vendor's SDK."""

BODY_FIELDS = frozenset(sent.ChatBody.__struct_fields__)

_CREATED = build_decoder(CreateDataset.RESPONSE)
_DATASET = build_decoder(GetDataset.RESPONSE)
_NEW = build_decoder(CreateBatch.RESPONSE)
_BATCH = build_decoder(GetBatch.RESPONSE)
_LIST = build_decoder(ListBatches.RESPONSE)


class ResultRecord(msgspec.Struct, frozen=True):
    """A record of the output dataset."""

    custom_id: str = ""
    body: Json = None
    error: Json = None


def bind_batch_codec(endpoint: Endpoint, support: BatchSupport) -> Result[BatchCodec, Fault]:
    """Return the batch codec of the endpoint; other protocols are InvalidRequest."""
    if not isinstance(endpoint.spec.dialect, CohereDialect):
        message = f"this batch API accepts Cohere's chats, not {endpoint.spec.dialect.protocol}"
        return Failure(InvalidRequest(provider=endpoint.spec.name, message=message))
    bound = BatchEndpoint(endpoint=endpoint, support=support, route=DATASET_TYPE)
    live = codec_for(endpoint)
    return Success(
        BatchCodec(
            support=support,
            stores_token=True,
            codec=msgspec.structs.replace(live, request=partial(build_item_request, bound, live)),
            encode_item=partial(encode_item, bound),
            submit=partial(submit, bound),
            status=lambda handle: build_request(endpoint, GetBatch(id=handle.id)),
            read_status=partial(read_status, bound),
            results=partial(read_results, bound),
            cancel=lambda handle: build_request(endpoint, CancelBatch(id=handle.id)),
            list_page=partial(build_list, bound),
            read_list=partial(read_list, bound),
        )
    )


def build_item_request(bound: BatchEndpoint, live: Codec, request: ChatRequest) -> Result[HttpRequest, Fault]:
    """Build the request of a live call, with the body that a dataset has.

    A dataset drops fields that are not in its schema, so they are rejected here. A body of the wrong type is rejected as well,
    since it would invalidate the whole dataset.
    """
    match outcome(live.request(request)):
        case Failure(fault):
            return Failure(fault)
        case Success(built):
            fields = built.json()
            body, dropped = convert_body(fields if isinstance(fields, dict) else {})
    try:
        typed = msgspec.convert(body, sent.ChatBody)
    except msgspec.ValidationError as error:
        message = f"the batch API does not accept the body: {error}"
        return Failure(InvalidRequest(provider=bound.endpoint.spec.name, model=request.model, message=message))
    return resolve_unsupported(bound.endpoint, request, dropped).map(
        lambda adjustments: msgspec.structs.replace(
            built, body=encode_json(typed), adjustments=(*built.adjustments, *adjustments)
        )
    )


class Converted(TypedDict, total=False):
    """Fields of a dataset's body whose form is not that of a live call."""

    messages: Sequence[object]
    tools: Sequence[object]
    reasoning: bool
    thinking_budget: Json


class Content(TypedDict):
    """The content of a message."""

    content: Sequence[object]


class Text(TypedDict):
    """A part of a content."""

    type: Literal["text"]
    text: str


class ImageUrl(TypedDict):
    """The image of a part, as text."""

    image_url: Json


class Function(TypedDict):
    """The function of a tool."""

    function: Mapping[str, object]


class Parameters(TypedDict):
    """The parameters of a function, as text."""

    parameters: str


def convert_body(live: Mapping[str, Json]) -> tuple[Mapping[str, object], list[Adjustment]]:
    """Convert the body of a live call to that of a dataset, and list what a dataset has no field for.

    Contents are lists of parts, image URLs and the parameters of tools are texts, and thinking has two fields. The model is the
    batch's.
    """
    given = {name: value for name, value in live.items() if name not in ("model", "thinking")}
    dropped = [
        Adjustment(parameter=name, reason="Cohere's batches have no such field")
        for name in given
        if name not in BODY_FIELDS
    ]
    messages, tools = _read_list(live.get("messages")), _read_list(live.get("tools"))
    if any(_has_detail(message) for message in messages):
        dropped.append(Adjustment(parameter="detail", reason="images of Cohere's batches have no detail"))
    body: Mapping[str, object] = {
        **{name: value for name, value in given.items() if name in BODY_FIELDS},
        **Converted(messages=[_convert_message(message) for message in messages]),
        **(Converted(tools=[_convert_tool(tool) for tool in tools]) if "tools" in live else Converted()),
        **_convert_thinking(live.get("thinking")),
    }
    return body, dropped


def _convert_thinking(thinking: Json) -> Converted:
    if not isinstance(thinking, dict):
        return Converted()
    reasons, budget = thinking.get("type") != "disabled", thinking.get("token_budget")
    return Converted(reasoning=reasons) if budget is None else Converted(reasoning=reasons, thinking_budget=budget)


def _has_detail(message: Json) -> bool:
    """Return whether an image of a message has a level of detail."""
    parts = _read_list(message.get("content")) if isinstance(message, dict) else []
    images = (part.get("image_url") for part in parts if isinstance(part, dict))
    return any(isinstance(image, dict) and "detail" in image for image in images)


def _convert_message(message: Json) -> object:
    if not isinstance(message, dict) or message.get("content") is None:
        return message
    content = message["content"]
    parts = [Text(type="text", text=content)] if isinstance(content, str) else map(_convert_part, _read_list(content))
    return {**message, **Content(content=[*parts])}


def _convert_part(part: Json) -> object:
    image = part.get("image_url") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(image, dict):
        return part
    return {**part, **ImageUrl(image_url=image.get("url"))}


def _convert_tool(tool: Json) -> object:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or not isinstance(function, dict) or "parameters" not in function:
        return tool
    parameters = Parameters(parameters=encode_json(function["parameters"]).decode())
    return {**tool, **Function(function={**function, **parameters})}


def _read_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def encode_item(bound: BatchEndpoint, key: str, model: str, request: HttpRequest) -> BatchItem:
    """Encode a line of the dataset; the body is that of `build_item_request`."""
    body = msgspec.json.decode(request.body, type=sent.ChatBody)
    line = sent.RequestLine(custom_id=make_item_id(key), body=body)
    return BatchItem(key, line.custom_id, model, bound.route, encode_json(line))


def submit(bound: BatchEndpoint, items: Sequence[BatchItem], token: str) -> SubmitStep:
    """Return the step that uploads the dataset, followed by those that wait for its validation and create the batch."""
    lines = join_lines(items)
    name = f"victor-fp-{token[:32]}"
    form = encode_form(None, lines, name=f"{name}.jsonl", media_type="application/jsonl", part="data")
    operation = CreateDataset(name=name, type=DATASET_TYPE)
    request = build_request(
        bound.endpoint, operation, body=form.body, extra_headers={"content-type": form.content_type}
    )
    return SubmitStep(request=request, read=partial(_read_created, bound, bound.build_handle(items, token)))


def _read_created(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[SubmitStep | BatchHandle, Fault]:
    found = bound.decode_field(_CREATED, body, "dataset", lambda dataset: dataset.id)
    return found.map(partial(_wait_for_validation, bound, handle))


def _wait_for_validation(bound: BatchEndpoint, handle: BatchHandle, dataset: str) -> SubmitStep:
    creation = _create_batch(bound, msgspec.structs.replace(handle, input_id=dataset))
    request = build_request(bound.endpoint, GetDataset(id=dataset))
    return wait_for_dataset(bound, request, partial(_read_readiness, bound), dataset, creation)


def _read_readiness(bound: BatchEndpoint, body: bytes) -> Result[bool, Fault]:
    return _read_dataset(bound, body).bind(partial(_check_validation, bound))


def _read_dataset(bound: BatchEndpoint, body: bytes) -> Result[received.Dataset, Fault]:
    match outcome(bound.decode(_DATASET, body, "the dataset")):
        case Failure(fault):
            return Failure(fault)
        case Success(found):
            if found.dataset is None or not found.dataset.validation_status:
                return Failure(bound.build_invalid("the response contains no dataset", body))
            return Success(found.dataset)


def _check_validation(bound: BatchEndpoint, dataset: received.Dataset) -> Result[bool, Fault]:
    """Return whether a dataset is validated; a fault if it is not valid."""
    if dataset.validation_status in INVALID:
        reason = dataset.validation_error or f"validation {dataset.validation_status}"
        message = f"dataset {dataset.id} is not valid: {reason[:500]}"
        return Failure(InvalidRequest(provider=bound.endpoint.spec.name, message=message))
    return Success(dataset.validation_status == "validated")


def _create_batch(bound: BatchEndpoint, handle: BatchHandle) -> SubmitStep:
    creation = sent.CreateBatch(
        name=f"{NAME_PREFIX}{handle.token}", input_dataset_id=handle.input_id, model=handle.model
    )

    return build_creation(
        build_request(bound.endpoint, CreateBatch(), body=encode_json(creation)),
        lambda body: bound.decode(_NEW, body, "the batch").bind(partial(_read_found, bound, handle, body)),
    )


def build_list(bound: BatchEndpoint, cursor: str | None) -> HttpRequest:
    """Build the request for a page of the user's batches."""
    operation = ListBatches(page_size=PAGE, page_token=UNSET if cursor is None else cursor)
    return build_request(bound.endpoint, operation)


def read_status(bound: BatchEndpoint, handle: BatchHandle, body: bytes) -> Result[BatchStatus, Fault]:
    """Decode a batch."""
    return bound.decode(_BATCH, body, "the batch").bind(partial(_read_found, bound, handle, body))


def _read_found(
    bound: BatchEndpoint, handle: BatchHandle, body: bytes, found: received.FoundBatch
) -> Result[BatchStatus, Fault]:
    if found.batch is None or not found.batch.id:
        return Failure(bound.build_invalid("the response contains no batch id", body))
    return Success(_read_status(bound, handle, found.batch))


def read_list(bound: BatchEndpoint, _: str | None, body: bytes) -> Result[StatusPage, Fault]:
    """Decode a page of batches and sort it, newest first."""
    return bound.decode_page(
        _LIST,
        body,
        "batches",
        lambda page: (page.batches, page.next_page_token),
        partial(_read_status, bound),
    ).map(sort_page)


def _read_status(bound: BatchEndpoint, handle: BatchHandle, batch: received.Batch) -> BatchStatus:
    created = parse_time(batch.created_at)
    state = STATES.get(batch.status or "", "unknown")
    return BatchStatus(
        handle=msgspec.structs.replace(
            handle,
            id=batch.id or handle.id,
            model=handle.model or batch.model or "",
            count=handle.count or batch.num_records or 0,
            token=read_token(batch.name, handle),
            input_id=batch.input_dataset_id or handle.input_id,
        ),
        state=state,
        vendor_state=batch.status or "",
        counts=BatchCounts(
            total=batch.num_records, succeeded=batch.num_successful_records, failed=batch.num_failed_records
        ),
        created_at=created,
        results_expire_at=bound.compute_expiry(created),
        sources=(batch.output_dataset_id,) if batch.output_dataset_id and state in RESULT_STATES else (),
        errors=(batch.status_reason,) if batch.status_reason and state == "failed" else (),
    )


def read_results(bound: BatchEndpoint, status: BatchStatus) -> ResultStep | None:
    """Return the steps that read the parts of the output dataset.

    The dataset is asked for before each part: the address of a part is valid for a limited time, and reading a part may take
    longer.
    """
    return _build_part_step(bound, status.sources[0], 0, 0.0, 0.0) if status.sources else None


def _build_part_step(bound: BatchEndpoint, dataset: str, part: int, delay: float, waited: float) -> ResultStep:
    request = build_request(bound.endpoint, GetDataset(id=dataset))
    return ResultStep(request=request, read=partial(_read_part, bound, dataset, part, waited), delay=delay)


def _read_part(
    bound: BatchEndpoint, identifier: str, number: int, waited: float, body: bytes
) -> Result[ResultPage, Fault]:
    match outcome(_read_dataset(bound, body)):
        case Failure(fault):
            return Failure(fault)
        case Success(dataset):
            parts = sorted(dataset.dataset_parts or (), key=lambda part: part.index or 0)
    match outcome(_check_validation(bound, dataset)):
        case Failure(fault):
            return Failure(fault)
        case Success(is_ready):
            if not is_ready:
                return bound.compute_delay(identifier, waited).map(
                    lambda delay: ResultPage((), _build_part_step(bound, identifier, number, delay, waited + delay))
                )
    if number >= len(parts):
        return Success(ResultPage(()))
    following = _build_part_step(bound, identifier, number + 1, 0.0, 0.0) if number + 1 < len(parts) else None
    return bound.build_download(parts[number].url or "", bound.endpoint.base_url).map(
        lambda request: ResultPage((), ResultStep(request=request, read=read_records, following=following))
    )


def read_records(body: bytes) -> Result[ResultPage, Fault]:
    """Decode one part, an Avro file. One that cannot be decoded is one unreadable result: the other parts can be read."""
    found = read_avro(body)
    if isinstance(found, NotAvro):
        return Success(ResultPage((build_unreadable(found.reason.encode()),)))
    return Success(ResultPage(tuple(map(read_record, found))))


def read_record(found: Json) -> ItemResult:
    """Decode one result. An error is a text without a status; it is empty for a response."""
    try:
        record = msgspec.convert(found, ResultRecord)
    except msgspec.ValidationError:
        return build_unreadable(encode_body(found))
    if not record.custom_id:
        return build_unreadable(encode_body(found))
    if record.body is not None and not record.error:
        return ItemResult(id=record.custom_id, end="answered", status=200, body=encode_body(record.body))
    message = describe_error(record.error) or "no response"
    return ItemResult(id=record.custom_id, end="failed", body=encode_body({"message": message}))
