"""OpenAI embeddings and compatible vendors."""

from __future__ import annotations

from functools import partial

from victor_fp.core.dialects.embeddings import OpenAIEmbeddings
from victor_fp.core.protocols.openai_embeddings.request import build_embedding_request
from victor_fp.core.protocols.openai_embeddings.response import decode_vectors
from victor_fp.core.protocols.retrieval import EmbeddingCodec
from victor_fp.core.requests import Endpoint


def codec_for(endpoint: Endpoint, dialect: OpenAIEmbeddings) -> EmbeddingCodec:
    """Return the codec of the endpoint."""
    return EmbeddingCodec(
        request=partial(build_embedding_request, endpoint, dialect),
        decode=decode_vectors,
        limits=dialect.find_limits,
        dtypes=frozenset(dialect.dtypes),
    )
