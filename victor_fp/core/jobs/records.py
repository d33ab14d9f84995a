"""Serialisation of results in the ledger: JSON of a response or of a fault."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.embeddings import EmbeddingResponse
from victor_fp.core.faults import FAULT_TYPES, Fault, InvalidResponse
from victor_fp.core.result import outcome
from victor_fp.core.types import CompletionResponse
from victor_fp.core.vectors import Vectors, VectorType, encode_vectors, pack_wire_bytes

RowAnswer: TypeAlias = "CompletionResponse | EmbeddingResponse"
"""The response to a row."""

_ANSWER = b"a"
_EMBEDDINGS = b"e"
_FAULT = b"f"
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


def encode_result(result: Result[RowAnswer, Fault], *, keep_raw: bool = False) -> bytes:
    """Encode a result. The vendor's raw body is omitted unless `keep_raw`: it would double the size of the ledger."""
    match outcome(result):
        case Success(response):
            if isinstance(response, CompletionResponse):
                return _ANSWER + _encode_response(response, keep_raw=keep_raw)
            return _EMBEDDINGS + _encode_vectors(response)
        case Failure(fault):
            fields = msgspec.to_builtins(fault, enc_hook=str)
            return _FAULT + msgspec.json.encode([type(fault).__name__, fields])


def _encode_response(response: CompletionResponse, *, keep_raw: bool) -> bytes:
    fields = response.__dict__.copy()
    if not keep_raw:
        del fields["raw_response"]
    try:
        return _encoder.encode(fields)
    except (ValueError, TypeError, RecursionError):  # a custom provider may return invalid Unicode or other values
        excluded = None if keep_raw else {"raw_response"}
        text = response.model_dump_json(exclude=excluded, exclude_none=True, fallback=str, warnings=False)
        return text.encode("utf-8", "replace")


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
    except (ValueError, TypeError, RecursionError):  # a custom provider may return metadata that cannot be encoded
        return msgspec.msgpack.encode(msgspec.structs.replace(stored, metadata=None), enc_hook=str)


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
    """Decode a result from `encode_result`; invalid data is a Failure."""
    try:
        if body[:1] == _ANSWER:
            return Success(CompletionResponse.model_validate_json(body[1:]))
        if body[:1] == _EMBEDDINGS:
            return Success(_decode_vectors(body[1:]))
        name, fields = msgspec.json.decode(body[1:], type=tuple[str, dict[str, Any]])
        return Failure(msgspec.convert(fields, _FAULT_TYPES[name]))
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        return Failure(InvalidResponse(message=f"a result in the ledger cannot be read: {type(error).__name__}"))
