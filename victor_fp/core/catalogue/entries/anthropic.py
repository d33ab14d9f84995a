"""Anthropic."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import Auth, ProviderSpec, Supports
from victor_fp.core.dialects.anthropic import AnthropicDialect

ANTHROPIC = ProviderSpec(
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
)

ENTRIES: tuple[ProviderSpec, ...] = (ANTHROPIC,)
