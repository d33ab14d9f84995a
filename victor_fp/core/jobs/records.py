"""Serialisation of results in the ledger: JSON of a response, of a fault, or of both if the response does not match the schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import FAULT_TYPES, Fault, InvalidResponse
from victor_fp.core.json import Json, NotJson, decode_flawed_json, encode_json
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse
from victor_fp.core.retrieval.vectors import Vectors, VectorType, encode_vectors, pack_wire_bytes
from victor_fp.core.streaming.unicode_repair import NOTE
from victor_fp.core.types import CompletionResponse

RowAnswer: TypeAlias = "CompletionResponse | EmbeddingResponse"
"""The response to a row."""

_ANSWER = b"a"
_EMBEDDINGS = b"e"
_FAULT = b"f"
_MISMATCH = b"m"
_encoder = msgspec.json.Encoder(enc_hook=str)
_FAULT_TYPES = {fault_type.__name__: fault_type for fault_type in FAULT_TYPES}


class _StoredVectors(msgspec.Struct, array_like=True):
    """The stored form of embeddings, a quarter of the size of JSON numbers."""

    data: bytes
    columns: int
    dtype: VectorType
    model: str | None
    usage: dict[str, Any] | None
    metadata: dict[str, Any] | None


def encode_result(result: Result[RowAnswer, Fault], *, mismatch: Fault | None = None, keep_raw: bool = False) -> bytes:
    """Encode a result. The vendor's raw body is omitted unless `keep_raw`: it would double the size of the ledger.

    `mismatch` is the fault of a response that does not match the job's schema; it is stored with the response.
    """
    match outcome(result):
        case Success(response):
            if not isinstance(response, CompletionResponse):
                return _EMBEDDINGS + _encode_vectors(response)
            encoded = _encode_response(response, keep_raw=keep_raw)
            if mismatch is None:
                return _ANSWER + encoded
            shown = msgspec.structs.replace(mismatch, partial=None)  # the response has the same text
            return _MISMATCH + msgspec.json.encode([type(shown).__name__, _encode_fault(shown), msgspec.Raw(encoded)])
        case Failure(fault):
            return _FAULT + msgspec.json.encode([type(fault).__name__, _encode_fault(fault)])


def _encode_fault(fault: Fault) -> msgspec.Raw:
    try:
        return msgspec.Raw(_encoder.encode(fault))
    except Exception:  # a custom provider may return invalid Unicode or other values
        return msgspec.Raw(encode_json(_repair_fields(msgspec.structs.asdict(fault))))


def _encode_response(response: CompletionResponse, *, keep_raw: bool) -> bytes:
    fields = response.__dict__.copy()
    if not keep_raw:
        del fields["raw_response"]
    try:
        return _encoder.encode(fields)
    except Exception:  # a custom provider may return invalid Unicode or other values
        return encode_json(_repair_fields(fields, note=True))


def _repair_fields(fields: Mapping[str, object], *, note: bool = False) -> dict[str, Json]:
    """Return fields as JSON, with U+FFFD for lone surrogates; a field that has no JSON is omitted.

    With `note`, the number of these is in the metadata, as it is for responses of the built-in protocols.
    """
    repaired: dict[str, Json] = {}
    count = 0
    for name, value in fields.items():
        try:
            plain = msgspec.to_builtins(value, str_keys=True, enc_hook=str)
            found = decode_flawed_json(json.dumps(plain))
        except Exception:  # noqa: S112  a cycle, or a value without a text
            continue
        if not isinstance(found, NotJson):
            repaired[name] = found
            count += _count_replacements(found) - _count_replacements(plain)
    if not note or not count:
        return repaired
    metadata = repaired.get("metadata")
    return {**repaired, "metadata": {**(metadata if isinstance(metadata, dict) else {}), NOTE: count}}


def _count_replacements(value: object) -> int:
    return json.dumps(value, ensure_ascii=False).count("\ufffd")


def _encode_vectors(response: EmbeddingResponse) -> bytes:
    vectors, usage = response.vectors, response.usage
    stored = _StoredVectors(
        encode_vectors(vectors),
        vectors.columns,
        vectors.dtype,
        response.model,
        None if usage is None else {**usage},
        response.metadata,
    )
    try:
        return msgspec.msgpack.encode(stored, enc_hook=str)
    except Exception:  # a custom provider may return invalid Unicode or other values
        fields = {"model": stored.model, "usage": stored.usage, "metadata": stored.metadata}
        repaired: dict[str, Any] = dict.fromkeys(fields) | _repair_fields(fields, note=True)
        return msgspec.msgpack.encode(msgspec.structs.replace(stored, **repaired))


def _decode_vectors(body: bytes) -> EmbeddingResponse:
    stored = msgspec.msgpack.decode(body, type=_StoredVectors)
    packed = pack_wire_bytes([stored.data], stored.dtype)
    return EmbeddingResponse(
        vectors=Vectors(packed.tobytes(), stored.columns, stored.dtype),
        dtype=stored.dtype,
        model=stored.model,
        usage=stored.usage,
        metadata=stored.metadata,
    )


def decode_result(body: bytes) -> Result[RowAnswer, Fault]:
    """Decode a result from `encode_result`; invalid data is a Failure. A response with a `mismatch` is a Success."""
    try:
        if body[:1] == _ANSWER:
            return Success(CompletionResponse.model_validate_json(body[1:]))
        if body[:1] == _EMBEDDINGS:
            return Success(_decode_vectors(body[1:]))
        if body[:1] == _MISMATCH:
            return Success(CompletionResponse.model_validate_json(bytes(_decode_mismatch(body)[2])))
        name, fields = msgspec.json.decode(body[1:], type=tuple[str, dict[str, Any]])
        return Failure(msgspec.convert(fields, _FAULT_TYPES[name]))
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        return Failure(InvalidResponse(message=f"a result in the ledger cannot be read: {type(error).__name__}"))


def decode_mismatch(body: bytes) -> Fault | None:
    """Decode why the response from `encode_result` does not match the job's schema; None if there is no such fault."""
    if body[:1] != _MISMATCH:
        return None
    try:
        name, fields, _ = _decode_mismatch(body)
        return msgspec.convert(fields, _FAULT_TYPES[name])
    except (KeyError, msgspec.MsgspecError):
        return None


def _decode_mismatch(body: bytes) -> tuple[str, dict[str, Any], msgspec.Raw]:
    return msgspec.json.decode(body[1:], type=tuple[str, dict[str, Any], msgspec.Raw])
