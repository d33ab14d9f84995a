"""Codecs of embeddings and reranking, and functions shared by their decoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.requests import HttpRequest
from victor_fp.core.retrieval.embeddings import EmbeddingRequest, RankedDocument, RerankRequest
from victor_fp.core.retrieval.vectors import Vectors, VectorType, pack_floats, pack_wire_bytes
from victor_fp.core.types import Usage


class DecodedVectors(msgspec.Struct, frozen=True, kw_only=True):
    """Decoded embedding response, with the vectors in the order of the texts."""

    vectors: Vectors
    model: str | None = None
    usage: Usage | None = None
    metadata: Mapping[str, Any] = {}


class DecodedRanking(msgspec.Struct, frozen=True, kw_only=True):
    """Decoded reranking response, in the vendor's order."""

    scores: tuple[tuple[int, float], ...]
    """Index and score of each document."""
    model: str | None = None
    usage: Usage | None = None
    metadata: Mapping[str, Any] = {}


class EmbeddingCodec(msgspec.Struct, frozen=True, kw_only=True):
    """Functions of one embedding API, bound to one endpoint."""

    request: Callable[[EmbeddingRequest], Result[HttpRequest, Fault]]
    decode: Callable[[bytes, VectorType], Result[DecodedVectors, Fault]]
    """Decodes a 200 body with vectors of the given type."""
    limits: Callable[[str], tuple[int, int | None]]
    """Returns, for a model, the maximum number of texts, and of tokens, per request."""
    dtypes: frozenset[VectorType]
    read_headers: Callable[[Mapping[str, str]], Usage | None] | None = None
    """Reads the usage from headers, if the body has none."""


class RerankCodec(msgspec.Struct, frozen=True, kw_only=True):
    """Functions of one reranking API, bound to one endpoint."""

    request: Callable[[RerankRequest], Result[HttpRequest, Fault]]
    decode: Callable[[bytes], Result[DecodedRanking, Fault]]
    """Decodes a 200 body."""


def report_usage(prompt_tokens: float | None, total_tokens: float | None = None) -> Usage | None:
    """Return the usage; without a reported total, the total is the prompt's."""
    usage: Usage = {}
    if prompt_tokens is not None:
        usage["prompt_tokens"] = int(prompt_tokens)
    if total_tokens is not None or prompt_tokens is not None:
        usage["total_tokens"] = int(prompt_tokens or 0 if total_tokens is None else total_tokens)
    return usage or None


def reject_body(reason: str) -> Failure[Fault]:
    """Return the failure for a 200 body that does not match the schema."""
    return Failure(InvalidResponse(message=f"the response cannot be decoded: {reason}", maybe_billed=True))


def pack_rows(rows: Sequence[bytes | Sequence[float] | None], dtype: VectorType) -> Result[Vectors, Fault]:
    """Pack decoded rows to vectors; base64 and numbers give the same bits."""
    packed = [row for row in rows if isinstance(row, bytes)]
    listed = [row for row in rows if row is not None and not isinstance(row, bytes)]
    if len(packed) + len(listed) < len(rows):
        missing = next(index for index, row in enumerate(rows) if row is None)
        return reject_body(f"entry {missing} has no vector")
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
        return reject_body(str(error))


def order_rows(
    indexes: Sequence[int | None], rows: Sequence[bytes | Sequence[float] | None]
) -> Result[Sequence[bytes | Sequence[float] | None], Fault]:
    """Sort rows by their index; without any index, keep the order."""
    count = len(rows)
    for position, index in enumerate(indexes):
        if index != position:
            break
    else:
        return Success(rows)
    if all(index is None for index in indexes):
        return Success(rows)
    if sorted(-1 if index is None else index for index in indexes) != list(range(count)):
        return reject_body(f"the indexes of {count} vectors are not 0 to {count - 1}")
    ordered: list[bytes | Sequence[float] | None] = [None] * count
    for index, row in zip(indexes, rows, strict=True):
        ordered[index or 0] = row
    return Success(ordered)


def collect_scores(
    results: Sequence[tuple[int | None, float | None]] | None,
) -> Result[tuple[tuple[int, float], ...], Fault]:
    """Collect decoded indexes and scores; each result must have both."""
    if results is None:
        return reject_body("no results")
    scores: list[tuple[int, float]] = []
    for position, (index, score) in enumerate(results):
        if index is None or score is None:
            return reject_body(f"result {position} has no {'index' if index is None else 'score'}")
        scores.append((index, score))
    return Success(tuple(scores))


def rank_documents(
    ranking: DecodedRanking, documents: Sequence[str] | None, top_n: int | None
) -> Result[list[RankedDocument], Fault]:
    """Return the results by descending score, at most `top_n`; if documents are given, indexes must be in range."""
    seen: set[int] = set()
    for index, _ in ranking.scores:
        if index in seen or index < 0 or (documents is not None and index >= len(documents)):
            return reject_body(f"document {index} {'is ranked twice' if index in seen else 'was not in the request'}")
        seen.add(index)
    ordered = sorted(ranking.scores, key=lambda scored: (-scored[1], scored[0]))
    return Success(
        [
            RankedDocument(index=index, score=score, document=None if documents is None else documents[index])
            for index, score in ordered[:top_n]
        ]
    )
