"""Catalogue entries of vendors that speak Anthropic Messages."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import Auth, ModelLimit, ProviderSpec, Supports
from victor_fp.core.dialects.anthropic import AnthropicDialect

_MODELS = "GET https://api.anthropic.com/v1/models, as recorded in 2026"
_PAGES = "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026"
_OLD = "https://platform.claude.com/docs/en/about-claude/model-deprecations"

ANTHROPIC: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="anthropic",
        title="Anthropic",
        aliases=("claude",),
        dialect=AnthropicDialect(),
        base_url="https://api.anthropic.com",
        auth=Auth(header="x-api-key", scheme=""),
        key_variables=("ANTHROPIC_API_KEY",),
        base_url_variables=("ANTHROPIC_BASE_URL",),
        headers={"anthropic-version": "2023-06-01"},
        supports=Supports(images=True, files=True, reasoning=True, json_schema=True),
        default_model="claude-sonnet-4-5",
        limits=(
            ModelLimit(pattern="claude-3-haiku*", context_window=200_000, max_output=4_096, source=_OLD),
            ModelLimit(pattern="claude-3-opus*", context_window=200_000, max_output=4_096, source=_OLD),
            ModelLimit(pattern="claude-3-5-*", context_window=200_000, max_output=8_192, source=_OLD),
            ModelLimit(pattern="claude-3-7-*", context_window=200_000, max_output=64_000, source=_OLD),
            ModelLimit(pattern="claude-haiku-4-5*", context_window=200_000, max_output=64_000, source=_MODELS),
            ModelLimit(pattern="claude-opus-4-5*", context_window=200_000, max_output=64_000, source=_MODELS),
            ModelLimit(pattern="claude-opus-4-1*", context_window=200_000, max_output=32_000, source=_MODELS),
            ModelLimit(pattern="claude-sonnet-4-5*", context_window=200_000, max_output=64_000, source=_PAGES),
            *(
                ModelLimit(pattern=pattern, context_window=1_000_000, max_output=128_000, source=_MODELS)
                for pattern in ("claude-opus-4-6*", "claude-opus-4-7*", "claude-opus-4-8*", "claude-sonnet-4-6*")
            ),
            ModelLimit(pattern="claude-opus-4*", context_window=200_000, max_output=32_000, source=_MODELS),
            ModelLimit(pattern="claude-sonnet-4*", context_window=200_000, max_output=64_000, source=_PAGES),
            *(
                ModelLimit(pattern=pattern, context_window=1_000_000, max_output=128_000, source=_PAGES)
                for pattern in ("claude-opus-5*", "claude-sonnet-5*", "claude-fable-5*", "claude-mythos-5*")
            ),
        ),
        context_window=200_000,
        source="https://platform.claude.com/docs/en/api/messages, version 2023-06-01",
    ),
)
