"""Anthropic."""

from __future__ import annotations

from victor_fp.core.catalogue.entries.common import (
    FIRST_READ,
    MESSAGES,
    MESSAGES_HEADERS,
    MODELS_DEV,
    PYDANTIC_AI,
    READ,
)
from victor_fp.core.catalogue.spec import (
    Auth,
    ProviderSpec,
    Setting,
    Supports,
)
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
    default_model="claude-sonnet-4-6",
    default_source=MODELS_DEV,
    context_window=200_000,
    source="https://platform.claude.com/docs/en/api/messages, version 2023-06-01",
    confidence="recorded",
    date=FIRST_READ,
)

AZURE_ANTHROPIC = ProviderSpec(
    name="azure-anthropic",
    title="Claude in Azure Foundry",
    dialect=MESSAGES,
    base_url="https://{resource}.services.ai.azure.com/anthropic",
    auth=Auth(header="x-api-key", scheme=""),
    key_variables=("AZURE_ANTHROPIC_API_KEY",),
    settings=(Setting(name="resource", variables=("AZURE_ANTHROPIC_RESOURCE",)),),
    headers=MESSAGES_HEADERS,
    supports=Supports(images=True, files=True, reasoning=True, json_schema=True),
    limits_name="anthropic",
    context_window=200_000,
    no_default="the name of the caller's deployment",
    source=PYDANTIC_AI,
    date=READ,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    ANTHROPIC,
    AZURE_ANTHROPIC,
)
