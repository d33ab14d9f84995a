"""Cohere."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.cohere import CohereDialect

COHERE: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="cohere",
        title="Cohere",
        dialect=CohereDialect(),
        embeddings=embeddings.COHERE,
        reranking=reranking.COHERE,
        base_url="https://api.cohere.com",
        key_variables=("COHERE_API_KEY", "CO_API_KEY"),
        base_url_variables=("CO_API_URL",),
        supports=Supports(images=True, reasoning=True, json_schema=True),
        default_model="command-a-03-2025",
        context_window=128_000,
        source="https://docs.cohere.com/reference/chat",
    ),
)
