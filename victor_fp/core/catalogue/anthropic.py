"""Catalogue entries of vendors that speak Anthropic Messages."""

from __future__ import annotations

from victor_fp.core.catalogue.google import VERTEX_AREAS, VERTEX_PLACE, VERTEX_SETTINGS
from victor_fp.core.catalogue.spec import Auth, ModelLimit, ProviderSpec, Supports
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.claude_models import ModelPolicy

_MODELS = "GET https://api.anthropic.com/v1/models, as recorded in 2026"
_PAGES = "https://platform.claude.com/docs/en/about-claude/models/overview, November 2026"
_OLD = "https://platform.claude.com/docs/en/about-claude/model-deprecations"

LIMITS: tuple[ModelLimit, ...] = (
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
)

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
        limits=LIMITS,
        context_window=200_000,
        source="https://platform.claude.com/docs/en/api/messages, version 2023-06-01",
    ),
    ProviderSpec(
        name="vertex-anthropic",
        title="Claude on Google Vertex AI",
        aliases=("vertex-claude",),
        dialect=AnthropicDialect(
            # The model stands in the address, the version in the body, and streams have an address of their own.
            path="/publishers/anthropic/models/{model}:rawPredict",
            stream_path="/publishers/anthropic/models/{model}:streamRawPredict",
            model_in_body=False,
            version_in_body="vertex-2023-10-16",
            count_path="",
            models_path="",
            url_sources=False,
        ),
        base_url=f"https://{{location}}-{VERTEX_PLACE}",
        base_urls=VERTEX_AREAS,
        auth=Auth(kind="google"),
        key_auth=Auth(header="x-goog-api-key", scheme=""),
        key_variables=("VERTEX_API_KEY",),
        key_name="vertex",
        settings=VERTEX_SETTINGS,
        supports=Supports(images=True, files=True, reasoning=True, json_schema=True),
        default_model="claude-sonnet-4-5",
        limits=LIMITS,
        context_window=200_000,
        source="https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude",
    ),
    ProviderSpec(
        name="llamacpp-anthropic",
        title="llama.cpp (Anthropic Messages)",
        dialect=AnthropicDialect(
            # The server turns requests into its own chat format: what its models take is the model's affair.
            models=(ModelPolicy(pattern="*", structured=False),),
            most_temperature=2.0,
            unsigned_thinking=True,
            think_tags=True,
        ),
        base_url="http://localhost:8080",
        base_url_variables=("LLAMACPP_BASE_URL",),
        auth=Auth(header="x-api-key", scheme=""),
        key_variables=("LLAMACPP_API_KEY",),
        key_name="llamacpp",
        key_optional=True,
        # After a streamed answer the server drops the kept connection without a word: the next request on it is lost.
        headers={"connection": "close"},
        supports=Supports(images=True, reasoning=True),
        local=True,
        source="tools/server/README.md of ggml-org/llama.cpp",
    ),
    ProviderSpec(
        name="deepseek-anthropic",
        title="DeepSeek (Anthropic Messages)",
        dialect=AnthropicDialect(
            # Thinking is on unless it is turned off; a budget is taken and ignored, the effort counts.
            models=(ModelPolicy(pattern="*", thinks="default", efforts=("high", "max"), structured=False),),
            most_temperature=2.0,
            unsigned_thinking=True,
            url_sources=False,
            count_path="",
            models_path="",
        ),
        base_url="https://api.deepseek.com/anthropic",
        auth=Auth(header="x-api-key", scheme=""),
        key_variables=("DEEPSEEK_API_KEY",),
        key_name="deepseek",
        supports=Supports(reasoning=True),
        default_model="deepseek-v4-pro",
        limits=(
            ModelLimit(pattern="deepseek-v4*", context_window=1_000_000, source="https://api-docs.deepseek.com"),
            ModelLimit(pattern="deepseek-*", context_window=128_000, source="https://api-docs.deepseek.com"),
        ),
        context_window=128_000,
        source="https://api-docs.deepseek.com/guides/anthropic_api",
    ),
)
