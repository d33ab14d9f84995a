"""Embeddings of Vertex AI: `predict` for several texts, `embedContent` for models that support only that."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.google_retrieval import request as wire
from victor_fp_wire.google_retrieval.operations import EmbedContent, PredictEmbeddings
from victor_fp_wire.google_retrieval.response import EmbedContentResponse, PredictResponse

from victor_fp.core.dialects.embeddings import VertexEmbeddings
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
from victor_fp.core.protocols.retrieval_support import SupportedEmbedding, build_retrieval, resolve_embedding
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import EmbeddingRequest
from victor_fp.core.retrieval.vectors import VectorType
from victor_fp.core.types import Usage

PREDICTIONS = build_decoder(PredictEmbeddings.RESPONSE)
CONTENTS = build_decoder(EmbedContent.RESPONSE)


def codec_for(endpoint: Endpoint, dialect: VertexEmbeddings) -> EmbeddingCodec:
    """Return the codec of the endpoint."""
    return EmbeddingCodec(
        request=partial(_build_request, endpoint, dialect),
        decode=decode_vectors,
        limits=dialect.find_limits,
        dtypes=frozenset(dialect.dtypes),
    )


def _build_request(
    endpoint: Endpoint, dialect: VertexEmbeddings, request: EmbeddingRequest
) -> Result[HttpRequest, Fault]:
    match outcome(resolve_embedding(endpoint, dialect, request)):
        case Failure(fault):
            return Failure(fault)
        case Success(supported):
            pass
    resource = make_resource_name(request.model)
    body: msgspec.Struct
    operation: EmbedContent | PredictEmbeddings
    if supported.policy.operation == "embed_content":
        body, operation = _build_content_body(supported), EmbedContent(model=resource)
    else:
        body, operation = _build_predict_body(supported), PredictEmbeddings(model=resource)
    return Success(build_retrieval(endpoint, operation, request, body, supported.adjustments))


def _build_content_body(supported: SupportedEmbedding) -> wire.EmbedContentRequest:
    config = wire.EmbedContentConfig(
        task_type=supported.purpose,
        output_dimensionality=supported.dimensions,
        auto_truncate=supported.truncate,
    )
    return wire.EmbedContentRequest(
        content=wire.TextContent(parts=[wire.TextPart(text=supported.texts[0])]),
        embed_content_config=UNSET if config == wire.EmbedContentConfig() else config,
    )


def _build_predict_body(supported: SupportedEmbedding) -> wire.PredictRequest:
    parameters = wire.PredictParameters(
        output_dimensionality=supported.dimensions,
        auto_truncate=supported.truncate,
    )
    return wire.PredictRequest(
        instances=[wire.TextInstance(content=text, task_type=supported.purpose) for text in supported.texts],
        parameters=UNSET if parameters == wire.PredictParameters() else parameters,
    )


def decode_vectors(body: bytes, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    """Decode the vectors of either operation; `truncated` in metadata lists the indexes of truncated texts."""
    predicted = PREDICTIONS.decode(body)
    if not isinstance(predicted, Undecodable) and predicted.predictions is not None:
        return _decode_predictions(predicted, dtype)
    content = CONTENTS.decode(body)
    if isinstance(content, Undecodable):
        return reject_body(content.reason)
    return _decode_content(content, dtype)


def _decode_predictions(predicted: PredictResponse, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    found = [one.embeddings for one in predicted.predictions or ()]
    statistics = [None if one is None else one.statistics for one in found]
    counts = [None if one is None else one.token_count for one in statistics]
    usage: Usage | None = None
    if counts and None not in counts:
        usage = report_usage(sum(count for count in counts if count is not None))
    truncated = [index for index, one in enumerate(statistics) if one is not None and one.truncated]
    metadata: dict[str, Any] = {"truncated": truncated} if truncated else {}
    return pack_rows([None if one is None else one.values for one in found], dtype).map(
        lambda vectors: DecodedVectors(vectors=vectors, usage=usage, metadata=metadata)
    )


def _decode_content(content: EmbedContentResponse, dtype: VectorType) -> Result[DecodedVectors, Fault]:
    if content.embedding is None:
        return reject_body("no vectors")
    usage = content.usage_metadata
    return pack_rows([content.embedding.values], dtype).map(
        lambda vectors: DecodedVectors(
            vectors=vectors,
            usage=None if usage is None else report_usage(usage.prompt_token_count),
            metadata={"truncated": [0]} if content.truncated else {},
        )
    )
