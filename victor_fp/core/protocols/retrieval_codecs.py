"""Selection of the embedding or reranking codec of an endpoint; its module is imported on first use."""

from __future__ import annotations

from typing import assert_never

from victor_fp.core.dialects.embeddings import (
    BedrockEmbeddings,
    CohereEmbeddings,
    GeminiEmbeddings,
    OllamaEmbeddings,
    OpenAIEmbeddings,
    VertexEmbeddings,
)
from victor_fp.core.dialects.reranking import BedrockRerank, CohereRerank, VertexRerank
from victor_fp.core.protocols.retrieval import EmbeddingCodec, RerankCodec
from victor_fp.core.requests import Endpoint


def find_embedding_codec(endpoint: Endpoint) -> EmbeddingCodec | None:
    """Return the embedding codec of the endpoint; None if its vendor has no embeddings."""
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
    """Return the reranking codec of the endpoint; None if its vendor has no reranking."""
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
