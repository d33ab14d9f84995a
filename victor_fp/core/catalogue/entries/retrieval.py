"""Vendors of embeddings and reranking without chat, or whose chat API is not in the catalogue."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import READ
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.chat import ChatDialect

_NO_CHAT = Supports(chat=False, tools=False, streaming=False)

ENTRIES: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="voyage",
        title="Voyage AI",
        aliases=("voyageai",),
        # Identifies the error family; there is no chat and no list of models.
        dialect=ChatDialect(models_list="none"),
        embeddings=embeddings.VOYAGE,
        reranking=reranking.VOYAGE,
        base_url="https://api.voyageai.com/v1",
        key_variables=("VOYAGE_API_KEY",),
        supports=_NO_CHAT,
        context_window=32_000,
        source="https://docs.voyageai.com/reference",
        date=READ,
    ),
    ProviderSpec(
        name="jina",
        title="Jina AI",
        aliases=("jina-ai",),
        dialect=ChatDialect(models_list="none"),
        embeddings=embeddings.JINA,
        reranking=reranking.JINA,
        base_url="https://api.jina.ai/v1",
        key_variables=("JINA_API_KEY",),
        supports=_NO_CHAT,
        context_window=8192,
        source="https://api.jina.ai/redoc",
        date=READ,
    ),
)
