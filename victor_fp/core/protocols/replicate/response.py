"""Decoding of an ended prediction to deltas: its output is a list of texts, one text, or any other value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from victor_fp_wire.replicate.operations import GetPrediction
from victor_fp_wire.replicate.response import Prediction

from victor_fp.core.deltas import Delta, ErrorReported, MetadataReported, Stopped, StreamEnded, TextDelta, UsageReported
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import Json, NotJson, Undecodable, decode_json_object, encode_flawed_json
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.replicate.errors import fault_from_error, fault_from_prediction
from victor_fp.core.protocols.shared_events import is_error_body
from victor_fp.core.requests import Endpoint

PREDICTIONS = build_decoder(GetPrediction.RESPONSE, keep_surrogates=True)
RUNNING = frozenset({"starting", "processing"})


def read(endpoint: Endpoint, dialect: ReplicateDialect, body: bytes) -> Sequence[Delta]:
    """Decode a prediction to deltas; `ErrorReported` if it failed, was canceled, or has not ended."""
    prediction = PREDICTIONS.decode(body)
    if isinstance(prediction, Undecodable):
        reason = f"the response cannot be decoded: {prediction.reason}"
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=reason))]
    if prediction.status is None:
        return [ErrorReported(_fault_from_empty_body(endpoint, dialect, body))]
    if prediction.status in RUNNING:
        reason = f"the prediction is still {prediction.status}"
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, model=prediction.model, message=reason))]
    deltas: list[Delta] = [TextDelta(text) for text in _list_texts(prediction.output) if text]
    deltas.append(MetadataReported(model=prediction.model, metadata=_collect_notes(prediction)))
    if (counts := _read_counts(prediction.metrics or {})) is not None:
        deltas.append(counts)
    if prediction.status != "succeeded":
        return [*deltas, ErrorReported(fault_from_prediction(endpoint, dialect, prediction))]
    return [*deltas, Stopped("stop"), StreamEnded()]


def _list_texts(output: Json) -> list[str]:
    match output:
        case None:
            return []
        case str():
            return [output]
        case list() if all(isinstance(piece, str) for piece in output):
            return [piece for piece in output if isinstance(piece, str)]
        case _:
            return [encode_flawed_json(output).decode()]


def _collect_notes(prediction: Prediction) -> dict[str, Json]:
    facts: dict[str, Json] = {
        "id": prediction.id,
        "version": prediction.version,
        "created_at": prediction.created_at,
        "deployment": prediction.deployment,
        "metrics": prediction.metrics or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _read_counts(metrics: Mapping[str, Any]) -> UsageReported | None:
    """Return the token counts of language models; for other models the metrics have the billed time."""
    prompt, completion = _to_int(metrics.get("input_token_count")), _to_int(metrics.get("output_token_count"))
    if prompt is None and completion is None:
        return None
    return UsageReported(prompt_tokens=prompt, completion_tokens=completion)


def _to_int(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _fault_from_empty_body(endpoint: Endpoint, dialect: ReplicateDialect, body: bytes) -> Fault:
    """Return the fault for a body without a status; an error of Replicate has its message in `detail`."""
    value = decode_json_object(body)
    if not isinstance(value, NotJson) and is_error_body(value):
        return fault_from_error(endpoint, dialect, value)
    return InvalidResponse(provider=endpoint.spec.name, message="the response contains no prediction")
