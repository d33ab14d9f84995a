"""Embeddings of Bedrock InvokeModel: Titan models accept one text, Cohere models a list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.bedrock_invoke.operations import InvokeModel
from victor_fp_wire.bedrock_invoke.request import InvokeModelRequest

from victor_fp.core.dialects.embeddings import BedrockEmbeddings
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.retrieval import (
    DecodedVectors,
    EmbeddingCodec,
    pack_rows,
    reject_body,
    report_usage,
)
from victor_fp.core.protocols.retrieval_support import (
    SupportedEmbedding,
    build_retrieval,
    choose_truncation,
    resolve_embedding,
)
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest
from victor_fp.core.retrieval.vectors import VectorType
from victor_fp.core.types import Usage

BODY = build_decoder(InvokeModel.RESPONSE)
TOKENS_HEADER = "x-amzn-bedrock-input-token-count"


def codec_for(endpoint: Endpoint, dialect: BedrockEmbeddings) -> EmbeddingCodec:
    """Return the codec of the endpoint."""
    return EmbeddingCodec(
        request=partial(_build_request, endpoint, dialect),
        decode=partial(decode_vectors, dialect),
        limits=dialect.find_limits,
        dtypes=frozenset(dialect.dtypes),
        read_headers=read_headers,
    )


def _build_request(
    endpoint: Endpoint, dialect: BedrockEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    match outcome(resolve_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    if supported.policy.operation not in ("titan", "titan_g1", "cohere"):
        message = f"unknown embedding model {request.model}: only Titan and Cohere models are supported"
        return Failure(InvalidRequest(provider=endpoint.spec.name, model=request.model, message=message))
    body = _build_cohere_body(supported) if supported.policy.operation == "cohere" else _build_titan_body(supported)
    operation = InvokeModel(model_id=request.model)
    return Success(build_retrieval(endpoint, operation, request, body, supported.adjustments))


def _build_titan_body(supported: SupportedEmbedding) -> InvokeModelRequest:
    return InvokeModelRequest(input_text=supported.texts[0], dimensions=supported.dimensions)


def _build_cohere_body(supported: SupportedEmbedding) -> InvokeModelRequest:
    return InvokeModelRequest(
        texts=supported.texts,
        input_type=supported.purpose,
        truncate=choose_truncation(supported.truncate),
        embedding_types=["float" if supported.dtype is UNSET else supported.dtype],
        output_dimension=supported.dimensions,
    )


def decode_vectors(dialect: BedrockEmbeddings, body: bytes, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    """Decode the vectors, in the form of any of the models."""
    decoded = BODY.decode(body)
    if isinstance(decoded, Undecodable):
        return reject_body(decoded.reason)
    rows = [decoded.embedding] if decoded.embedding is not None else decoded.embeddings
    if isinstance(rows, dict):
        rows = rows.get(dialect.dtypes[dtype])
    if rows is None:
        return reject_body(f"the response contains no vectors of type {dialect.dtypes[dtype]}")
    return pack_rows(rows, dtype).map(
        lambda vectors: DecodedVectors(
            vectors=vectors,
            usage=report_usage(decoded.input_text_token_count),
            metadata={"id": decoded.id} if decoded.id else {},
        )
    )


def read_headers(headers: Mapping[str, str]) -> Usage | None:
    """Return the usage from the token count header, which Bedrock sends with every response."""
    count = headers.get(TOKENS_HEADER, "")
    return report_usage(int(count)) if count.isascii() and count.isdigit() and len(count) < 12 else None
