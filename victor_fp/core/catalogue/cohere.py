"""Cohere."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ModelLimit, ProviderSpec, Supports
from victor_fp.core.dialects.cohere import CohereDialect

_PAGES = "https://docs.cohere.com/docs/models"

COHERE: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="cohere",
        title="Cohere",
        dialect=CohereDialect(),
        base_url="https://api.cohere.com",
        key_variables=("COHERE_API_KEY", "CO_API_KEY"),
        base_url_variables=("CO_API_URL",),
        supports=Supports(images=True, reasoning=True, json_schema=True),
        default_model="command-a-03-2025",
        limits=(
            ModelLimit(pattern="command-a-reasoning*", context_window=256_000, max_output=32_000, source=_PAGES),
            ModelLimit(pattern="command-a-03-2025", context_window=256_000, max_output=8_000, source=_PAGES),
            ModelLimit(pattern="command-a-vision*", context_window=128_000, max_output=8_000, source=_PAGES),
            ModelLimit(pattern="command-a-translate*", context_window=8_000, max_output=8_000, source=_PAGES),
            ModelLimit(pattern="command-a-*", context_window=128_000, source=_PAGES),
            ModelLimit(pattern="command-r*", context_window=128_000, max_output=4_096, source=_PAGES),
        ),
        context_window=128_000,
        source="https://docs.cohere.com/reference/chat",
    ),
)
