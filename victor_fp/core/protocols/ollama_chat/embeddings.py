"""Embeddings of Ollama's /api/embed: a vector for each text, in order."""

from __future__ import annotations

from functools import partial

from returns.result import Failure, Result, Success
from victor_fp_wire.ollama_chat.operations import Embed
from victor_fp_wire.ollama_chat.request import EmbedRequest

from victor_fp.core.dialects.embeddings import OllamaEmbeddings
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
from victor_fp.core.protocols.retrieval_support import build_retrieval, resolve_embedding
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest
from victor_fp.core.retrieval.vectors import VectorType

BODY = build_decoder(Embed.RESPONSE)


def codec_for(endpoint: Endpoint, dialect: OllamaEmbeddings) -> EmbeddingCodec:
    """Return the codec of the endpoint."""
    return EmbeddingCodec(
        request=partial(_build_request, endpoint, dialect),
        decode=decode_vectors,
        limits=dialect.find_limits,
        dtypes=frozenset(dialect.dtypes),
    )


def _build_request(
    endpoint: Endpoint, dialect: OllamaEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    match outcome(resolve_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    body = EmbedRequest(
        model=request.model,
        input=supported.texts,
        truncate=supported.truncate,
        dimensions=supported.dimensions,
    )
    return Success(build_retrieval(endpoint, Embed(), request, body, supported.adjustments))


def decode_vectors(body: bytes, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    """Decode the vectors."""
    decoded = BODY.decode(body)
    if isinstance(decoded, Undecodable):
        return reject_body(decoded.reason)
    if decoded.embeddings is None:
        return reject_body("no vectors")
    return pack_rows(decoded.embeddings, dtype).map(
        lambda vectors: DecodedVectors(
            vectors=vectors, model=decoded.model, usage=report_usage(decoded.prompt_eval_count)
        )
    )
