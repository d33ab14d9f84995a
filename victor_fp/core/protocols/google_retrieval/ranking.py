"""Reranking by the ranking API of Vertex AI Search. Record ids are document indexes."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote, urlsplit

from returns.result import Failure, Result, Success
from victor_fp_wire.google_retrieval import request as wire
from victor_fp_wire.google_retrieval.operations import Rank

from victor_fp.core.dialects.reranking import VertexRerank
from victor_fp.core.faults import Fault, InvalidRequest
from victor_fp.core.json import Undecodable
from victor_fp.core.protocols.operations import build_decoder, replace_none
from victor_fp.core.protocols.retrieval import DecodedRanking, RerankCodec, collect_scores
from victor_fp.core.protocols.retrieval_support import build_retrieval, resolve_truncation
from victor_fp.core.requests import Endpoint, HttpRequest
from victor_fp.core.result import outcome
from victor_fp.core.retrieval.embeddings import RerankRequest

BODY = build_decoder(Rank.RESPONSE)
GOOGLE_DOMAIN = ".googleapis.com"


def codec_for(endpoint: Endpoint, dialect: VertexRerank) -> RerankCodec:
    """Return the codec of the endpoint."""
    return RerankCodec(request=partial(_build_request, endpoint, dialect), decode=decode_ranking)


def _build_request(endpoint: Endpoint, dialect: VertexRerank, request: RerankRequest) -> Result[HttpRequest, Fault]:
    match outcome(resolve_truncation(endpoint, dialect, request, is_option=False)):
        case Failure(fault):
            return Failure(fault)
        case Success((_, adjustments)):
            pass
    project = endpoint.settings.get("project")
    if not project:
        message = f"{endpoint.spec.title} requires a project for reranking: pass project= or set GOOGLE_CLOUD_PROJECT"
        return Failure(
            InvalidRequest(provider=endpoint.spec.name, model=request.model, code="setting_missing", message=message)
        )
    body = wire.RankRequest(
        model=request.model,
        query=request.query,
        records=[
            wire.RankingRecord(id=str(index), content=document) for index, document in enumerate(request.documents)
        ],
        top_n=replace_none(request.top_n),
        ignore_record_details_in_response=True,
    )
    base_url = f"{_choose_host(endpoint, dialect)}/projects/{quote(project, safe='')}/locations/global"
    return Success(
        build_retrieval(endpoint, Rank(config=dialect.config), request, body, adjustments, base_url=base_url)
    )


def _choose_host(endpoint: Endpoint, dialect: VertexRerank) -> str:
    """Return the base URL of the API; if the endpoint is not Google's, such as a gateway, that of the endpoint."""
    parts = urlsplit(endpoint.base_url)
    if f".{parts.hostname or ''}".endswith(GOOGLE_DOMAIN):
        return dialect.host
    return f"{parts.scheme}://{parts.netloc}/v1"


def decode_ranking(body: bytes) -> Result[DecodedRanking, Fault]:
    """Decode indexes (the record ids) and scores."""
    decoded = BODY.decode(body)
    records = None if isinstance(decoded, Undecodable) else decoded.records
    found = None if records is None else [(_read_index(one.id), one.score) for one in records]
    return collect_scores(found).map(lambda scores: DecodedRanking(scores=scores))


def _read_index(name: str | None) -> int | None:
    return int(name) if name is not None and name.isascii() and name.isdigit() and len(name) < 12 else None
