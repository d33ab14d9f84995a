"""Conversion of the body of an embedding or reranking response to the result, or to its fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from returns.result import Failure, Result, Success

from victor_fp.core.classification.details import is_error
from victor_fp.core.faults import Fault, InvalidResponse, OperationUnsupported
from victor_fp.core.json import BYTE_ORDER_MARK
from victor_fp.core.protocols import Codec
from victor_fp.core.protocols.retrieval import EmbeddingCodec, RerankCodec, rank_documents
from victor_fp.core.requests import Endpoint
from victor_fp.core.responses.completions import ResponseContext, dump_adjustments, with_context
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingResponse, RerankResponse
from victor_fp.core.retrieval.vectors import VectorType
from victor_fp.core.types import Usage


def refuse_operation(endpoint: Endpoint, operation: str, model: str | None = None) -> Fault:
    """Build the fault for an operation that the provider does not support."""
    spec = endpoint.spec
    message = f"{spec.title} does not support {operation}"
    return OperationUnsupported(provider=spec.name, model=model, operation=operation, message=message)


def build_embedding_response(
    context: ResponseContext,
    codec: Codec,
    embedding: EmbeddingCodec,
    body: bytes,
    *,
    dtype: VectorType = "float32",
    count: int | None = None,
) -> Result[EmbeddingResponse, Fault]:
    """Build the response of a 200 body; if the number of texts is given, the number of vectors must match."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    match outcome(embedding.decode(body, dtype)):
        case Failure(fault):
            return Failure(with_context(context, _find_error(codec, body) or fault))
        case Success(decoded):
            pass
    if count is not None and len(decoded.vectors) != count:
        message = f"expected {count} vectors, got {len(decoded.vectors)}"
        return Failure(with_context(context, InvalidResponse(message=message, maybe_billed=True)))
    return Success(
        EmbeddingResponse(
            vectors=decoded.vectors,
            dtype=dtype,
            model=decoded.model or context.model,
            usage=decoded.usage,
            metadata=_add_adjustments(context, decoded.metadata),
        )
    )


def build_rerank_response(
    context: ResponseContext,
    codec: Codec,
    reranking: RerankCodec,
    body: bytes,
    *,
    documents: Sequence[str] | None = None,
    top_n: int | None = None,
) -> Result[RerankResponse, Fault]:
    """Build the ranking of a 200 body, best first; `documents`, if given, are added to the results."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    match outcome(reranking.decode(body)):
        case Failure(fault):
            return Failure(with_context(context, _find_error(codec, body) or fault))
        case Success(decoded):
            pass
    match outcome(rank_documents(decoded, documents, top_n)):
        case Failure(fault):
            return Failure(with_context(context, fault))
        case Success(results):
            pass
    return Success(
        RerankResponse(
            results=results,
            model=decoded.model or context.model,
            usage=decoded.usage,
            metadata=_add_adjustments(context, decoded.metadata),
        )
    )


def add_usage(
    read_headers: Callable[[Mapping[str, str]], Usage | None], response: EmbeddingResponse, headers: Mapping[str, str]
) -> EmbeddingResponse:
    """Add the usage reported in the headers, if the body reports none."""
    usage = None if response.usage is not None else read_headers(headers)
    return response if usage is None else response.model_copy(update={"usage": usage})


def _find_error(codec: Codec, body: bytes) -> Fault | None:
    """Return the error in a 200 body, if any."""
    return codec.error(200, {}, body) if is_error(body) else None


def _add_adjustments(context: ResponseContext, metadata: Any) -> dict[str, Any] | None:
    found = dict(metadata)
    if context.adjustments:
        found["adjustments"] = dump_adjustments(context.adjustments)
    return found or None
