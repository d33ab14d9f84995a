"""OpenAI and Azure OpenAI."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.entries.common import (
    FIRST_READ,
)
from victor_fp.core.catalogue.spec import Auth, ProviderSpec, Setting, Supports, derive_entry
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.policies.chat import OPENAI_MODELS
from victor_fp.core.dialects.responses import UNSUPPORTED_OPTIONS, ResponsesDialect

EVERYTHING = Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True)

OPENAI = ProviderSpec(
    name="openai",
    title="OpenAI",
    # A file is sent as data or as the id of an upload; only the Responses API accepts a URL.
    dialect=ChatDialect(refuses=frozenset({"top_k", "reasoning_budget", "file_url"}), models=OPENAI_MODELS),
    embeddings=embeddings.OPENAI,
    base_url="https://api.openai.com/v1",
    key_variables=("OPENAI_API_KEY",),
    base_url_variables=("OPENAI_BASE_URL",),
    settings=(
        Setting(name="organization", variables=("OPENAI_ORG_ID", "OPENAI_ORGANIZATION"), header="openai-organization"),
        Setting(name="project", variables=("OPENAI_PROJECT_ID", "OPENAI_PROJECT"), header="openai-project"),
    ),
    supports=EVERYTHING,
    default_model="gpt-5.1",
    context_window=128_000,
    source="https://platform.openai.com/docs/api-reference/chat",
    confidence="recorded",
    date=FIRST_READ,
)

AZURE = ProviderSpec(
    name="azure",
    title="Azure OpenAI",
    aliases=("azure-openai",),
    dialect=ChatDialect(
        refuses=frozenset({"top_k", "reasoning_budget", "file_url"}), models=OPENAI_MODELS, deployment_urls=True
    ),
    # Every resource has a separate host; this invalid one means that none was given.
    embeddings=embeddings.AZURE,
    base_url="https://azure.invalid/openai/v1",
    auth=Auth(header="api-key", scheme=""),
    key_variables=("AZURE_OPENAI_API_KEY",),
    settings=(
        Setting(name="endpoint", variables=("AZURE_OPENAI_ENDPOINT",)),
        Setting(name="deployment", variables=("AZURE_OPENAI_DEPLOYMENT",)),
        Setting(name="api_version", variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")),
    ),
    supports=EVERYTHING,
    limits_name="openai",
    context_window=128_000,
    source="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
    confidence="recorded",
    no_default="the name of the caller's deployment",
    date=FIRST_READ,
)

_WITHOUT_AUDIO = Supports(images=True, files=True, reasoning=True, json_schema=True)

OPENAI_RESPONSES = derive_entry(
    OPENAI,
    "responses",
    # `user` is the former name of safety_identifier.
    ResponsesDialect(models=OPENAI_MODELS, user_field="safety_identifier"),
    supports=_WITHOUT_AUDIO,
    source="https://platform.openai.com/docs/api-reference/responses",
    confidence="recorded",
)

AZURE_RESPONSES = derive_entry(
    AZURE,
    "responses",
    # Its v1 document has no service_tier.
    ResponsesDialect(
        refuses=UNSUPPORTED_OPTIONS | {"name", "service_tier"}, models=OPENAI_MODELS, deployment_urls=True
    ),
    supports=_WITHOUT_AUDIO,
    source="https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses",
    confidence="recorded",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    OPENAI,
    AZURE,
    OPENAI_RESPONSES,
    AZURE_RESPONSES,
)
