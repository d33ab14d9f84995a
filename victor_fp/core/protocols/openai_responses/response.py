"""Decoding of a response to deltas: a non-streaming body, or the last event of a stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from victor_fp_wire.openai_responses.operations import CreateResponse
from victor_fp_wire.openai_responses.response import ErrorResponse, Response

from victor_fp.core.deltas import Delta, ErrorReported, MetadataReported, Stopped, StreamEnded
from victor_fp.core.dialects.responses import ResponsesDialect
from victor_fp.core.faults import Cancelled, InvalidResponse
from victor_fp.core.json import Json, JsonObject, NotJson, Undecodable, WireDecoder, decode_json_object
from victor_fp.core.protocols.openai_family.errors import TypedError, fault_from_error
from victor_fp.core.protocols.openai_responses.item_state import OpenItems, finish_response
from victor_fp.core.protocols.openai_responses.server_tools import find_custom_tools, separate_items
from victor_fp.core.protocols.openai_responses.usage import read_usage, read_usage_metadata
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import is_error_object
from victor_fp.core.protocols.stop_reasons import STOP_REASONS
from victor_fp.core.requests import Endpoint

ERRORS: WireDecoder[ErrorResponse] = WireDecoder(ErrorResponse)
RESPONSES = build_decoder(CreateResponse.RESPONSE, keep_surrogates=True)

UNFINISHED = ("queued", "in_progress")
ENDED = frozenset({"completed", "incomplete"})
"""Statuses of responses that ended normally. Error bodies of other servers have other statuses, such as `error`."""
METADATA_FIELDS = (
    "service_tier",
    "system_fingerprint",
    "moderation",
    "conversation",
    "content_filters",
    "openrouter_metadata",
    "timings",
)
"""Fields of a response that become metadata under their own names."""
EMPTY: tuple[object, ...] = (None, "", [], {})


def read_error(body: bytes) -> TypedError:
    """Return the parameter from the vendor's error model."""
    answer = ERRORS.decode(body)
    if isinstance(answer, Undecodable) or answer.error is None:
        return TypedError()
    return TypedError(parameter=answer.error.param or "")


def read(endpoint: Endpoint, dialect: ResponsesDialect, body: bytes) -> Sequence[Delta]:
    """Decode a 200 body to deltas; an error in it, or a body that is not a response, is `ErrorReported`."""
    response = RESPONSES.decode(body)
    raw = decode_json_object(body)
    if isinstance(response, Undecodable) or isinstance(raw, NotJson):
        reason = response.reason if isinstance(response, Undecodable) else "not an object"
        return [
            ErrorReported(
                InvalidResponse(provider=endpoint.spec.name, message=f"the response cannot be decoded: {reason}")
            )
        ]
    if raw.get("error") or response.status == "failed":
        error: Json = {"error": raw.get("error") or raw}
        return [ErrorReported(fault_from_error(endpoint, dialect, error, model=response.model))]
    if response.status in UNFINISHED:
        message = f"the response has not finished: its status is {response.status}"
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, model=response.model, message=message))]
    if response.status == "cancelled":
        return [ErrorReported(build_cancelled(endpoint, response))]
    if response.output is None and response.status not in ENDED:
        if {"message", "detail", "code"} & raw.keys() or is_error_object(raw):
            return [ErrorReported(fault_from_error(endpoint, dialect, {"error": raw}))]
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message="the response contains no output"))]
    # A body is like the last event of a stream without earlier events.
    raw_items = list_items(raw)
    output = separate_items(response.output or (), raw_items, find_custom_tools(dialect, raw))
    _, deltas = finish_response(OpenItems(), output, raw_items, response.id or "")
    return [*deltas, *emit_end(response, raw)]


def build_cancelled(endpoint: Endpoint, response: Response) -> Cancelled:
    """Build the fault of a cancelled response, in a body or in the last event of a stream."""
    message = "the response was cancelled"
    return Cancelled(provider=endpoint.spec.name, model=response.model, message=message)


def list_items(raw: JsonObject) -> list[JsonObject]:
    """Return the raw output items."""
    output = raw.get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def emit_end(response: Response, raw: JsonObject) -> list[Delta]:
    """Emit metadata, usage, stop reason and the end."""
    usage = response.usage
    notes: dict[str, Json] = {name: value for name in METADATA_FIELDS if (value := raw.get(name)) not in EMPTY}
    if response.metadata:
        notes["vendor_metadata"] = dict(response.metadata)
    if response.id:
        notes["id"] = response.id
    if raw.get("store") is True:
        notes["stored"] = True
    if response.created_at:
        notes["created"] = int(response.created_at)
    if usage is not None:
        notes |= read_usage_metadata(usage)
    return [
        MetadataReported(model=response.model or None, metadata=notes),
        *([] if usage is None else [read_usage(usage)]),
        build_stop(response),
        StreamEnded(),
    ]


def build_stop(response: Response) -> Stopped:
    """Return the stop reason, from the incomplete reason if there is one, else from the status."""
    details = response.incomplete_details
    reason = (None if details is None else details.reason) or response.status
    return Stopped("stop") if reason is None else Stopped(STOP_REASONS.get(reason, reason), reason)


def with_status(response: Response, status: str) -> Response:
    """Return the response with the status of its event if it has none, or one from before its end."""
    return (
        response
        if response.status and response.status not in UNFINISHED
        else msgspec.structs.replace(response, status=status)
    )
