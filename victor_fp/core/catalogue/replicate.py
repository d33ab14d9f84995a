"""Replicate."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ModelLimit, ProviderSpec, Supports
from victor_fp.core.dialects.replicate import ReplicateDialect

REPLICATE: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="replicate",
        title="Replicate",
        dialect=ReplicateDialect(think_tags=True),
        base_url="https://api.replicate.com/v1",
        key_variables=("REPLICATE_API_TOKEN",),
        supports=Supports(tools=False, images=True, reasoning=True),
        default_model="meta/meta-llama-3-70b-instruct",
        limits=(
            ModelLimit(pattern="openai/gpt-5*", context_window=400_000, source="https://replicate.com/openai"),
            ModelLimit(pattern="openai/gpt-4.1*", context_window=1_000_000, source="https://replicate.com/openai"),
            ModelLimit(pattern="openai/gpt-4o*", context_window=128_000, source="https://replicate.com/openai"),
            ModelLimit(pattern="anthropic/claude-*", context_window=200_000, source="https://replicate.com/anthropic"),
            ModelLimit(pattern="google/gemini-*", context_window=1_000_000, source="https://replicate.com/google"),
            ModelLimit(pattern="meta/meta-llama-3.1-*", context_window=128_000, source="https://replicate.com/meta"),
            ModelLimit(pattern="meta/llama-2-*", context_window=4_096, source="https://replicate.com/meta"),
            ModelLimit(pattern="meta/*", context_window=8_192, source="https://replicate.com/meta"),
        ),
        context_window=8_192,
        source="https://replicate.com/docs/reference/http",
    ),
)
