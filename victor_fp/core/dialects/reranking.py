"""Dialects of reranking APIs: a class per wire format, with the options that a vendor supports."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

RerankAdditions: TypeAlias = Literal["", "voyage", "jina", "vllm"]
"""Vendor with fields in addition to, or in place of, Cohere's."""


class RerankDialect(msgspec.Struct, frozen=True, kw_only=True):
    """Fields shared by all forms."""

    protocol: ClassVar[str]
    default_model: str | None = None
    truncates: bool | None = None
    """Whether long documents are always truncated; None if neither documented nor an option."""
    source: str = ""
    """Source of the facts."""


class CohereRerank(RerankDialect, frozen=True, kw_only=True):
    """Reranking of Cohere and compatible vendors: a query, documents and `top_n`."""

    protocol: ClassVar[str] = "rerank"
    path: Literal["/rerank", "/v2/rerank"] = "/rerank"
    additions: RerankAdditions = ""


class BedrockRerank(RerankDialect, frozen=True, kw_only=True):
    """Bedrock's InvokeModel with the body of Cohere's and Amazon's reranking models."""

    protocol: ClassVar[str] = "bedrock-rerank"


class VertexRerank(RerankDialect, frozen=True, kw_only=True):
    """The ranking API of Vertex AI Search."""

    protocol: ClassVar[str] = "vertex-rerank"
    host: str = "https://discoveryengine.googleapis.com/v1"
    """Base URL of the API; the entry's base URL is that of Vertex AI."""
    config: str = "default_ranking_config"


RerankDialects: TypeAlias = CohereRerank | BedrockRerank | VertexRerank
