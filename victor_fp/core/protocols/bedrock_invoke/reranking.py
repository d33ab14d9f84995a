"""Reranking of Bedrock InvokeModel, with the body of Cohere and Amazon models."""

from __future__ import annotations

from functools import partial

from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.bedrock_invoke.operations import InvokeModel
from victor_fp_wire.bedrock_invoke.request import InvokeModelRequest

from victor_fp.core.dialects.reranking import BedrockRerank
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.operations import build_decoder, replace_none
from victor_fp.core.protocols.retrieval import DecodedRanking, RerankCodec, collect_scores
from victor_fp.core.protocols.retrieval_support import build_retrieval, resolve_truncation
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import RerankRequest

BODY = build_decoder(InvokeModel.RESPONSE)
COHERE_VERSION = 2
"""Version of the request body, which Cohere models require; Amazon models have none."""


def codec_for(endpoint: Endpoint, dialect: BedrockRerank) -> RerankCodec:
    """Return the codec of the endpoint."""
    return RerankCodec(request=partial(_build_request, endpoint, dialect), decode=decode_ranking)


def _build_request(endpoint: Endpoint, dialect: BedrockRerank, request: RerankRequest) -> Result[HttpRequest, Fault]:
    match outcome(resolve_truncation(endpoint, dialect, request, is_option=False)):
        case Failure(fault):
            return Failure(fault)
        case Success((_, adjustments)):
            pass
    body = InvokeModelRequest(
        query=request.query,
        documents=list(request.documents),
        top_n=replace_none(request.top_n),
        api_version=COHERE_VERSION if "cohere." in request.model.lower() else UNSET,
    )
    return Success(build_retrieval(endpoint, InvokeModel(model_id=request.model), request, body, adjustments))


def decode_ranking(body: bytes) -> Result[DecodedRanking, Fault]:
    """Decode indexes and scores."""
    decoded = BODY.decode(body)
    results = None if isinstance(decoded, Undecodable) else decoded.results
    found = None if results is None else [(one.index, one.relevance_score) for one in results]
    return collect_scores(found).map(lambda scores: DecodedRanking(scores=scores))
