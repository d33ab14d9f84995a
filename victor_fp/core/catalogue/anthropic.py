"""Catalogue entries of vendors that speak Anthropic Messages."""

from __future__ import annotations

from victor_fp.core.catalogue.google import VERTEX_AREAS, VERTEX_CLAUDE, VERTEX_PLACE, VERTEX_SETTINGS
from victor_fp.core.catalogue.spec import Auth, ProviderSpec, Supports
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.claude_models import ModelPolicy
from victor_fp.core.dialects.tool_names import ANY_NAMES

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
        context_window=200_000,
        source="https://platform.claude.com/docs/en/api/messages, version 2023-06-01",
    ),
    ProviderSpec(
        name="vertex-anthropic",
        title="Claude on Google Vertex AI",
        aliases=("vertex-claude",),
        dialect=VERTEX_CLAUDE,
        base_url=f"https://{{location}}-{VERTEX_PLACE}",
        base_urls=VERTEX_AREAS,
        auth=Auth(kind="google"),
        key_auth=Auth(header="x-goog-api-key", scheme=""),
        key_variables=("VERTEX_API_KEY",),
        key_name="vertex",
        settings=VERTEX_SETTINGS,
        supports=Supports(images=True, files=True, reasoning=True, json_schema=True),
        default_model="claude-sonnet-4-5",
        limits_name="anthropic",
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
            tool_names=ANY_NAMES,
            think_tags=True,
            has_server_props=True,
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
            counts_tokens=False,
            lists_models=False,
        ),
        base_url="https://api.deepseek.com/anthropic",
        auth=Auth(header="x-api-key", scheme=""),
        key_variables=("DEEPSEEK_API_KEY",),
        key_name="deepseek",
        supports=Supports(reasoning=True),
        default_model="deepseek-v4-pro",
        limits_name="deepseek",
        context_window=128_000,
        source="https://api-docs.deepseek.com/guides/anthropic_api",
    ),
)
