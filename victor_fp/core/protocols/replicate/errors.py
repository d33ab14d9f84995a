"""Faults from errors of Replicate: problem bodies, failed predictions and error events; codes are part of the message."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from victor_fp_wire.replicate.response import Prediction, Problem

from victor_fp.core.classification.classifier import classify_error
from victor_fp.core.classification.details import find_message, read_body, read_details, read_seconds
from victor_fp.core.classification.families import REPLICATE_FAMILY
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.faults import Cancelled, Fault, TimedOut
from victor_fp.core.json import Json, Undecodable, WireDecoder, encode_flawed_json
from victor_fp.core.requests import Endpoint

PROBLEM: WireDecoder[Problem] = WireDecoder(Problem)


def fault_from_response(
    endpoint: Endpoint, dialect: ReplicateDialect, status: int, headers: Mapping[str, str], body: bytes
) -> Fault:
    """Return the fault for a response with status >= 400. Accepts any body."""
    details, problem = read_body(body), PROBLEM.decode(body)
    if not isinstance(problem, Undecodable):
        wait = read_seconds(problem.retry_after)
        details = msgspec.structs.replace(details, retry_after=details.retry_after if wait is None else wait)
    table = REPLICATE_FAMILY.with_codes(dialect.codes)
    return classify_error(endpoint, table, details, status=status, headers=headers, body=body)


def fault_from_error(
    endpoint: Endpoint, dialect: ReplicateDialect, value: Json, *, maybe_billed: bool = False
) -> Fault:
    """Return the fault for an error in a stream or a 200 body, or for a prediction's `error`."""
    details = read_details(value)
    if not details.message:
        details = msgspec.structs.replace(details, message="the prediction failed")
    table = REPLICATE_FAMILY.with_codes(dialect.codes)
    return classify_error(
        endpoint,
        table,
        details,
        status=_read_status(value),
        body=encode_flawed_json(value),
        maybe_billed=maybe_billed,
    )


def _read_status(value: Json) -> int | None:
    """Return the HTTP status that a problem names, as in `{"title": ..., "status": 429}`."""
    status = value.get("status") if isinstance(value, Mapping) else None
    return status if isinstance(status, int) and 400 <= status < 600 else None


def fault_from_prediction(endpoint: Endpoint, dialect: ReplicateDialect, prediction: Prediction) -> Fault:
    """Return the fault for a prediction that ended without output."""
    return fault_from_status(endpoint, dialect, prediction.status or "", find_message(prediction.error))


def fault_from_status(endpoint: Endpoint, dialect: ReplicateDialect, status: str, text: str) -> Fault:
    """Return the fault for a prediction's final status; `text` is its error."""
    name = endpoint.spec.name
    match status:
        case "canceled":
            message = text or "the prediction was canceled"
            return Cancelled(provider=name, message=message, code=status, maybe_billed=True)
        case "aborted":
            message = text or "the prediction did not start before its deadline"
            return TimedOut(provider=name, message=message, code=status, phase="read")
        case _:
            return fault_from_error(endpoint, dialect, text, maybe_billed=True)
