"""Replicate."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import ProviderSpec, Supports
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
        context_window=8_192,
        source="https://replicate.com/docs/reference/http",
    ),
)
