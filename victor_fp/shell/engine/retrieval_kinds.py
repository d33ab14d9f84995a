"""The kinds for embeddings and reranking: compile requests, split calls that exceed a request, read responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.retrieval_codecs import find_embedding_codec, find_rerank_codec
from victor_fp.core.request_building.retrieval import build_embedding_request, build_rerank_request, split_texts
from victor_fp.core.requests import Endpoint
from victor_fp.core.responses.completions import ResponseContext
from victor_fp.core.responses.retrieval import (
    add_usage,
    build_embedding_response,
    build_rerank_response,
    refuse_operation,
)
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import (
    EmbeddingResponse,
    RerankResponse,
    build_empty_response,
    join_responses,
)
from victor_fp.shell.engine.backend import Kind, KnownResult, PreparedExchange, Split
from victor_fp.shell.engine.call_spec import CallSpec


def _compile_embedding(
    codec: Codec, endpoint: Endpoint, spec: CallSpec, model: str, options: Mapping[str, Any]
) -> Result[PreparedExchange[EmbeddingResponse] | KnownResult[EmbeddingResponse] | Split[EmbeddingResponse], Fault]:
    embedding = find_embedding_codec(endpoint)
    if embedding is None:
        return Failure(refuse_operation(endpoint, "embeddings", model))
    match outcome(build_embedding_request(endpoint.spec.name, spec.texts, model=model, options=options)):
        case Failure(fault):
            return Failure(fault)
        case Success(request):
            pass
    if not request.texts:
        return Success(KnownResult(build_empty_response(model)))
    parts = split_texts(request.texts, *embedding.limits(model))
    if len(parts) > 1:
        specs = tuple(replace(spec, texts=spec.texts[part.start : part.stop]) for part in parts)
        return Success(Split(specs=specs, join=partial(_join, endpoint, model)))
    match outcome(embedding.request(request)):
        case Failure(fault):
            return Failure(fault)
        case Success(built):
            pass
    context = ResponseContext(endpoint=endpoint, model=model, adjustments=built.adjustments)
    dtype = request.dtype if request.dtype in embedding.dtypes else "float32"
    read = partial(build_embedding_response, context, codec, embedding, dtype=dtype, count=len(request.texts))
    add = None if embedding.read_headers is None else partial(add_usage, embedding.read_headers)
    return Success(PreparedExchange(request=built, codec=codec, context=context, read=read, add_headers=add))


def _join(endpoint: Endpoint, model: str, parts: Sequence[EmbeddingResponse]) -> Result[EmbeddingResponse, Fault]:
    try:
        return Success(join_responses(parts))
    except ValueError as error:
        message = f"the responses to parts of the texts cannot be joined: {error}"
        return Failure(InvalidResponse(provider=endpoint.spec.name, model=model, message=message, maybe_billed=True))


def _compile_ranking(
    codec: Codec, endpoint: Endpoint, spec: CallSpec, model: str, options: Mapping[str, Any]
) -> Result[PreparedExchange[RerankResponse] | KnownResult[RerankResponse] | Split[RerankResponse], Fault]:
    reranking = find_rerank_codec(endpoint)
    if reranking is None:
        return Failure(refuse_operation(endpoint, "reranking", model))
    built_request = build_rerank_request(endpoint.spec.name, spec.query, spec.texts, model=model, options=options)
    match outcome(built_request):
        case Failure(fault):
            return Failure(fault)
        case Success(request):
            pass
    if not request.documents:
        return Success(KnownResult(RerankResponse(results=[], model=model)))
    match outcome(reranking.request(request)):
        case Failure(fault):
            return Failure(fault)
        case Success(built):
            pass
    context = ResponseContext(endpoint=endpoint, model=model, adjustments=built.adjustments)
    read = partial(build_rerank_response, context, codec, reranking, documents=request.documents, top_n=request.top_n)
    return Success(PreparedExchange(request=built, codec=codec, context=context, read=read))


EMBEDDING: Kind[EmbeddingResponse] = Kind(name="embedding", compile=_compile_embedding, operation="embeddings")
RANKING: Kind[RerankResponse] = Kind(name="ranking", compile=_compile_ranking, operation="rerank")
