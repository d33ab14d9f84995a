"""Embeddings of the Gemini API: a batch of requests, and a vector for each in order."""

from __future__ import annotations

from functools import partial

from returns.result import Failure, Result, Success
from victor_fp_wire.google_retrieval import request as wire
from victor_fp_wire.google_retrieval.operations import BatchEmbedContents

from victor_fp.core.dialects.embeddings import GeminiEmbeddings
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.gemini.request import make_resource_name
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.retrieval import (
    DecodedVectors,
    EmbeddingCodec,
    pack_rows,
    reject_body,
    report_usage,
)
from victor_fp.core.protocols.retrieval_support import build_retrieval, resolve_embedding
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest
from victor_fp.core.retrieval.vectors import VectorType

BODY = build_decoder(BatchEmbedContents.RESPONSE)


def codec_for(endpoint: Endpoint, dialect: GeminiEmbeddings) -> EmbeddingCodec:
    """Return the codec of the endpoint."""
    return EmbeddingCodec(
        request=partial(_build_request, endpoint, dialect),
        decode=decode_vectors,
        limits=dialect.find_limits,
        dtypes=frozenset(dialect.dtypes),
    )


def _build_request(
    endpoint: Endpoint, dialect: GeminiEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    match outcome(resolve_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    resource = make_resource_name(request.model)
    body = wire.BatchEmbedContentsRequest(
        requests=[
            wire.EmbedContentRequest(
                model=resource,
                content=wire.TextContent(parts=[wire.TextPart(text=text)]),
                task_type=supported.purpose,
                output_dimensionality=supported.dimensions,
            )
            for text in supported.texts
        ]
    )
    return Success(build_retrieval(endpoint, BatchEmbedContents(model=resource), request, body, supported.adjustments))


def decode_vectors(body: bytes, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    """Decode the vectors."""
    decoded = BODY.decode(body)
    if isinstance(decoded, Undecodable):
        return reject_body(decoded.reason)
    if decoded.embeddings is None:
        return reject_body("no vectors")
    usage = decoded.usage_metadata
    return pack_rows([one.values for one in decoded.embeddings], dtype).map(
        lambda vectors: DecodedVectors(
            vectors=vectors, usage=None if usage is None else report_usage(usage.prompt_token_count)
        )
    )
