"""Ollama, on the caller's machine or hosted."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.ollama import OllamaDialect

OLLAMA: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="ollama",
        title="Ollama",
        # Servers before `choose_thinking` was a field, and models whose template Ollama does not know, think in the content.
        dialect=OllamaDialect(think_tags=True),
        embeddings=embeddings.OLLAMA,
        base_url="http://localhost:11434",
        base_url_variables=("OLLAMA_HOST",),
        default_port=11434,
        key_variables=("OLLAMA_API_KEY",),
        key_optional=True,
        supports=Supports(tools=True, streaming=True, images=True, reasoning=True, json_schema=True),
        # What a server with less than 24 GiB of VRAM runs a model with unless num_ctx says otherwise (its
        # docs/context-length.mdx); discovery asks the model itself.
        context_window=4096,
        local=True,
        source="docs/api.md and docs/openapi.yaml of ollama/ollama",
    ),
)
