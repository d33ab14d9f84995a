"""How vendors rerank documents: a form for each wire format, and what a vendor supports of the options, as data."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

RerankAdditions: TypeAlias = Literal["", "voyage", "jina", "vllm"]
"""Whose fields stand beside, or in place of, those of Cohere's form."""


class RerankDialect(msgspec.Struct, frozen=True, kw_only=True):
    """What the forms share."""

    protocol: ClassVar[str]
    default_model: str | None = None
    truncates: bool | None = None
    """Whether documents that are too long are always cut; None where it is neither said nor decided by a field."""
    source: str = ""
    """Where the facts are from."""


class CohereRerank(RerankDialect, frozen=True, kw_only=True):
    """A query, documents and `top_n`, as Cohere has it, and its followers."""

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
    """Of the API, where the entry's own base URL is Vertex AI's."""
    config: str = "default_ranking_config"


RerankDialects: TypeAlias = CohereRerank | BedrockRerank | VertexRerank
