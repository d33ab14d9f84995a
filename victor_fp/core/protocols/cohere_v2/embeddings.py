"""Embeddings of Cohere's /v2/embed: vectors by type, in the order of the texts."""

from __future__ import annotations

from functools import partial

from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.cohere_v2.operations import Embed
from victor_fp_wire.cohere_v2.request import EmbedRequest

from victor_fp.core.dialects.embeddings import CohereEmbeddings
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.retrieval import (
    DecodedVectors,
    EmbeddingCodec,
    pack_rows,
    reject_body,
    report_usage,
)
from victor_fp.core.protocols.retrieval_support import build_retrieval, choose_truncation, resolve_embedding
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest
from victor_fp.core.retrieval.vectors import VectorType

BODY = build_decoder(Embed.RESPONSE)


def codec_for(endpoint: Endpoint, dialect: CohereEmbeddings) -> EmbeddingCodec:
    """Return the codec of the endpoint."""
    return EmbeddingCodec(
        request=partial(_build_request, endpoint, dialect),
        decode=partial(decode_vectors, dialect),
        limits=dialect.find_limits,
        dtypes=frozenset(dialect.dtypes),
    )


def _build_request(
    endpoint: Endpoint, dialect: CohereEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    match outcome(resolve_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    body = EmbedRequest(
        model=request.model,
        # Required by the API; the dialect has a default.
        input_type="" if supported.purpose is UNSET else supported.purpose,
        texts=supported.texts,
        output_dimension=supported.dimensions,
        embedding_types=["float" if supported.dtype is UNSET else supported.dtype],
        truncate=choose_truncation(supported.truncate),
    )
    return Success(build_retrieval(endpoint, Embed(), request, body, supported.adjustments))


def decode_vectors(dialect: CohereEmbeddings, body: bytes, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    """Decode the vectors of the requested type."""
    decoded = BODY.decode(body)
    if isinstance(decoded, Undecodable):
        return reject_body(decoded.reason)
    by_type = decoded.embeddings or {}
    rows = by_type.get(dialect.dtypes[dtype])
    if rows is None and dtype == "float32":
        rows = by_type.get("base64")
    if rows is None:
        return reject_body(f"the response contains no vectors of type {dialect.dtypes[dtype]}")
    billed = None if decoded.meta is None else decoded.meta.billed_units
    return pack_rows(rows, dtype).map(
        lambda vectors: DecodedVectors(
            vectors=vectors,
            usage=None if billed is None else report_usage(billed.input_tokens),
            metadata={"id": decoded.id} if decoded.id else {},
        )
    )
