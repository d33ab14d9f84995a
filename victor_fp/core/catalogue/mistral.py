"""Mistral."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.mistral import MistralDialect

MISTRAL: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="mistral",
        title="Mistral",
        dialect=MistralDialect(),
        embeddings=embeddings.MISTRAL,
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        supports=Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True),
        default_model="mistral-large-latest",
        context_window=131_072,
        source="https://docs.mistral.ai/api",
    ),
)
