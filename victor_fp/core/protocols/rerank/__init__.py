"""Reranking in Cohere's form, which other vendors share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict
from returns.result import Failure, Result, Success
from victor_fp_wire.rerank import request as wire
from victor_fp_wire.rerank.operations import Rerank, RerankUnversioned
from victor_fp_wire.rerank.response import RerankResponse

from victor_fp.core.dialects.reranking import CohereRerank, RerankAdditions
from victor_fp.core.faults import Fault
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.operations import build_decoder, replace_none
from victor_fp.core.protocols.retrieval import DecodedRanking, RerankCodec, collect_scores, report_usage
from victor_fp.core.protocols.retrieval_support import (
    CUT_AT_MODEL_LENGTH,
    build_retrieval,
    resolve_truncation,
)
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import RerankRequest
from victor_fp.core.types import Usage
from victor_fp.core.usage.cost import build_cost

BODY = build_decoder(Rerank.RESPONSE)


def codec_for(endpoint: Endpoint, dialect: CohereRerank) -> RerankCodec:
    """Return the codec of the endpoint."""
    return RerankCodec(request=partial(build_rerank_request, endpoint, dialect), decode=decode_ranking)


def build_rerank_request(
    endpoint: Endpoint, dialect: CohereRerank, request: RerankRequest
) -> Result[HttpRequest, Fault]:
    """Build the request, or return the fault that names the unsupported option."""
    is_option = dialect.additions in ("voyage", "jina") or (dialect.additions == "vllm" and request.truncate is True)
    match outcome(resolve_truncation(endpoint, dialect, request, is_option=is_option)):
        case Failure(fault):
            return Failure(fault)
        case Success((truncate, adjustments)):
            pass
    body = wire.RerankRequest(
        model=request.model,
        query=request.query,
        documents=list(request.documents),
        top_n=UNSET if dialect.additions == "voyage" else replace_none(request.top_n),
    )
    if dialect.additions:
        body = _EXTENDERS[dialect.additions](body, request, truncate)
    operation = Rerank() if dialect.path == "/v2/rerank" else RerankUnversioned()
    return Success(build_retrieval(endpoint, operation, request, body, adjustments))


def _extend_for_voyage(
    body: wire.RerankRequest,
    request: RerankRequest,
    truncate: bool | UnsetType,  # noqa: FBT001
) -> wire.RerankRequest:
    return wire.VoyageRerankRequest(**asdict(body), top_k=replace_none(request.top_n), truncation=truncate)


def _extend_for_jina(
    body: wire.RerankRequest,
    request: RerankRequest,  # noqa: ARG001
    truncate: bool | UnsetType,  # noqa: FBT001
) -> wire.RerankRequest:
    # The caller has the documents: they are not returned.
    return wire.JinaRerankRequest(**asdict(body), return_documents=False, truncation=truncate)


def _extend_for_vllm(
    body: wire.RerankRequest,
    request: RerankRequest,  # noqa: ARG001
    truncate: bool | UnsetType,  # noqa: FBT001
) -> wire.RerankRequest:
    return wire.VllmRerankRequest(
        **asdict(body), truncate_prompt_tokens=CUT_AT_MODEL_LENGTH if truncate is True else UNSET
    )


_EXTENDERS: Mapping[
    RerankAdditions, Callable[[wire.RerankRequest, RerankRequest, bool | UnsetType], wire.RerankRequest]
] = {
    "voyage": _extend_for_voyage,
    "jina": _extend_for_jina,
    "vllm": _extend_for_vllm,
}


def decode_ranking(body: bytes) -> Result[DecodedRanking, Fault]:
    """Decode indexes and scores, from `results` or `data`."""
    answer = BODY.decode(body)
    if isinstance(answer, Undecodable):
        return collect_scores(None).map(lambda scores: DecodedRanking(scores=scores))
    results = answer.data if answer.results is None else answer.results
    found = (
        None
        if results is None
        else [(one.index, one.score if one.relevance_score is None else one.relevance_score) for one in results]
    )
    return collect_scores(found).map(
        lambda scores: DecodedRanking(
            scores=scores, model=answer.model, usage=_read_usage(answer), metadata=_collect_metadata(answer)
        )
    )


def _read_usage(answer: RerankResponse) -> Usage | None:
    usage, billed = answer.usage, None if answer.meta is None else answer.meta.billed_units
    if usage is not None:
        return report_usage(usage.prompt_tokens, usage.total_tokens)
    return None if billed is None else report_usage(billed.input_tokens)


def _collect_metadata(answer: RerankResponse) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if answer.id:
        metadata["id"] = answer.id
    billed = None if answer.meta is None else answer.meta.billed_units
    units = None if billed is None else billed.search_units
    if units is None and answer.usage is not None:
        units = answer.usage.search_units
    if units is not None:
        metadata["search_units"] = units
    if answer.usage is not None and answer.usage.cost is not None:
        metadata["cost"] = build_cost(answer.usage.cost)
    return metadata
