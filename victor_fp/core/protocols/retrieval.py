"""Codecs of embeddings and reranking: what a request is for one endpoint, and what the body of its response means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.dialects.embeddings import (
    BedrockEmbeddings,
    CohereEmbeddings,
    GeminiEmbeddings,
    OllamaEmbeddings,
    OpenAIEmbeddings,
    VertexEmbeddings,
)
from victor_fp.core.dialects.reranking import BedrockRerank, CohereRerank, VertexRerank
from victor_fp.core.embeddings import EmbeddingRequest, RankedDocument, RerankRequest
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.types import Usage
from victor_fp.core.vectors import Vectors, VectorType, pack_floats, pack_wire_bytes


class DecodedVectors(msgspec.Struct, frozen=True, kw_only=True):
    """What the body of an embedding response says, the vectors in the order of the texts."""

    vectors: Vectors
    model: str | None = None
    usage: Usage | None = None
    metadata: Mapping[str, Any] = {}


class DecodedRanking(msgspec.Struct, frozen=True, kw_only=True):
    """What the body of a reranking response says, in the vendor's order."""

    scores: tuple[tuple[int, float], ...]
    """Index and score of each document."""
    model: str | None = None
    usage: Usage | None = None
    metadata: Mapping[str, Any] = {}


class EmbeddingCodec(msgspec.Struct, frozen=True, kw_only=True):
    """One form of embeddings, bound to one endpoint."""

    request: Callable[[EmbeddingRequest], Result[HttpRequest, Fault]]
    decode: Callable[[bytes, VectorType], Result[DecodedVectors, Fault]]
    """A 200 body, whose vectors are of this type."""
    limits: Callable[[str], tuple[int, int | None]]
    """For a model: how many texts, and how many of their tokens, one request may hold."""
    dtypes: frozenset[VectorType]
    read_headers: Callable[[Mapping[str, str]], Usage | None] | None = None
    """The usage in the headers of a response whose body has none."""


class RerankCodec(msgspec.Struct, frozen=True, kw_only=True):
    """One form of reranking, bound to one endpoint."""

    request: Callable[[RerankRequest], Result[HttpRequest, Fault]]
    decode: Callable[[bytes], Result[DecodedRanking, Fault]]
    """A 200 body."""


def find_embedding_codec(endpoint: Endpoint) -> EmbeddingCodec | None:
    """The functions of the form that the endpoint's vendor has for embeddings; None where it has none."""
    dialect = endpoint.spec.embeddings
    match dialect:
        case None:
            return None
        case OpenAIEmbeddings():
            from victor_fp.core.protocols import openai_embeddings

            return openai_embeddings.codec_for(endpoint, dialect)
        case GeminiEmbeddings():
            from victor_fp.core.protocols.google_retrieval import gemini

            return gemini.codec_for(endpoint, dialect)
        case VertexEmbeddings():
            from victor_fp.core.protocols.google_retrieval import vertex

            return vertex.codec_for(endpoint, dialect)
        case CohereEmbeddings():
            from victor_fp.core.protocols.cohere_v2 import embeddings as cohere

            return cohere.codec_for(endpoint, dialect)
        case OllamaEmbeddings():
            from victor_fp.core.protocols.ollama_chat import embeddings as ollama

            return ollama.codec_for(endpoint, dialect)
        case BedrockEmbeddings():
            from victor_fp.core.protocols.bedrock_invoke import embeddings as bedrock

            return bedrock.codec_for(endpoint, dialect)
        case _:
            assert_never(dialect)


def find_rerank_codec(endpoint: Endpoint) -> RerankCodec | None:
    """The functions of the form that the endpoint's vendor has for reranking; None where it has none."""
    dialect = endpoint.spec.reranking
    match dialect:
        case None:
            return None
        case CohereRerank():
            from victor_fp.core.protocols import rerank

            return rerank.codec_for(endpoint, dialect)
        case BedrockRerank():
            from victor_fp.core.protocols.bedrock_invoke import reranking

            return reranking.codec_for(endpoint, dialect)
        case VertexRerank():
            from victor_fp.core.protocols.google_retrieval import ranking

            return ranking.codec_for(endpoint, dialect)
        case _:
            assert_never(dialect)


def report_usage(prompt_tokens: float | None, total_tokens: float | None = None) -> Usage | None:
    """The counts that a vendor reports; without one of its own, the total is that of the prompt, which is all there is."""
    usage: Usage = {}
    if prompt_tokens is not None:
        usage["prompt_tokens"] = int(prompt_tokens)
    if total_tokens is not None or prompt_tokens is not None:
        usage["total_tokens"] = int(prompt_tokens or 0 if total_tokens is None else total_tokens)
    return usage or None


def reject_unreadable(reason: str) -> Failure[Fault]:
    """A 200 body of another form."""
    return Failure(InvalidResponse(message=f"the response cannot be read: {reason}", maybe_billed=True))


def pack_rows(rows: Sequence[bytes | Sequence[float] | None], dtype: VectorType) -> Result[Vectors, Fault]:
    """Vectors from a list of them as it was decoded; base64 and numbers give the same bits."""
    packed = [row for row in rows if isinstance(row, bytes)]
    listed = [row for row in rows if row is not None and not isinstance(row, bytes)]
    if len(packed) + len(listed) < len(rows):
        place = next(index for index, row in enumerate(rows) if row is None)
        return reject_unreadable(f"entry {place} has no vector")
    try:
        if not listed:
            return Success(pack_wire_bytes(packed, dtype))
        if not packed:
            return Success(pack_floats(listed, dtype))
        each = [
            pack_wire_bytes([row], dtype) if isinstance(row, bytes) else pack_floats([row], dtype)
            for row in rows
            if row is not None
        ]
        return Success(pack_floats([vectors[0].tolist() for vectors in each], dtype))
    except (ValueError, OverflowError, IndexError) as error:
        return reject_unreadable(str(error))


def order_rows(
    indexes: Sequence[int | None], rows: Sequence[bytes | Sequence[float] | None]
) -> Result[Sequence[bytes | Sequence[float] | None], Fault]:
    """The rows in the order of the texts that their indexes name; without any index, as they are."""
    count = len(rows)
    for place, index in enumerate(indexes):
        if index != place:
            break
    else:
        return Success(rows)
    if all(index is None for index in indexes):
        return Success(rows)
    if sorted(-1 if index is None else index for index in indexes) != list(range(count)):
        return reject_unreadable(f"the indexes of {count} vectors are not those of {count} texts")
    ordered: list[bytes | Sequence[float] | None] = [None] * count
    for index, row in zip(indexes, rows, strict=True):
        ordered[index or 0] = row
    return Success(ordered)


def collect_scores(
    results: Sequence[tuple[int | None, float | None]] | None,
) -> Result[tuple[tuple[int, float], ...], Fault]:
    """Indexes and scores as they were decoded; each result must have both."""
    if results is None:
        return reject_unreadable("it has no results")
    scores: list[tuple[int, float]] = []
    for place, (index, score) in enumerate(results):
        if index is None or score is None:
            return reject_unreadable(f"result {place} has no {'index' if index is None else 'score'}")
        scores.append((index, score))
    return Success(tuple(scores))


def rank_documents(
    ranking: DecodedRanking, documents: Sequence[str] | None, top_n: int | None
) -> Result[list[RankedDocument], Fault]:
    """The results by falling score, at most `top_n`; where documents are given, each index must name one of them."""
    seen: set[int] = set()
    for index, _ in ranking.scores:
        if index in seen or index < 0 or (documents is not None and index >= len(documents)):
            return reject_unreadable(f"document {index} was {'ranked before' if index in seen else 'not passed'}")
        seen.add(index)
    ordered = sorted(ranking.scores, key=lambda scored: (-scored[1], scored[0]))
    return Success(
        [
            RankedDocument(index=index, score=score, document=None if documents is None else documents[index])
            for index, score in ordered[:top_n]
        ]
    )
