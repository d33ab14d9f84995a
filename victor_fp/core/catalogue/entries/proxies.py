"""Proxies: gateways with routes, or an address, that the caller sets up in an account of their own."""

from __future__ import annotations

from victor_fp.core.catalogue.entries.common import (
    ANY_LLM,
    GEMINI,
    MESSAGES,
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    OPEN,
    PYDANTIC_AI,
    READ,
    RESPONSES,
)
from victor_fp.core.catalogue.spec import (
    NOT_KNOWN,
    REASONING,
    Auth,
    ProviderSpec,
    Setting,
    derive_entry,
)
from victor_fp.core.dialects.bedrock import BedrockDialect

CLOUDFLARE_AI_GATEWAY = ProviderSpec(
    name="cloudflare-ai-gateway",
    title="Cloudflare AI Gateway",
    dialect=OPEN,
    base_url="https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/compat",
    key_variables=("CLOUDFLARE_API_TOKEN",),
    settings=(
        Setting(name="account", variables=("CLOUDFLARE_ACCOUNT_ID",)),
        Setting(name="gateway", variables=("CLOUDFLARE_GATEWAY_ID",)),
    ),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-5.1",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://developers.cloudflare.com/workers-ai/models/",
    date=READ,
    confidence="listed",
)

CLOUDFLARE_AI_GATEWAY_RESPONSES = derive_entry(
    CLOUDFLARE_AI_GATEWAY,
    "responses",
    RESPONSES,
    base_url="https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/openai",
    default_model="gpt-5.1",
    source="https://developers.cloudflare.com/ai-gateway/usage/providers/openai/",
    confidence="listed",
)

CLOUDFLARE_AI_GATEWAY_ANTHROPIC = derive_entry(
    CLOUDFLARE_AI_GATEWAY,
    "anthropic",
    MESSAGES,
    base_url="https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/anthropic",
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="claude-sonnet-4-6",
    source="https://developers.cloudflare.com/ai-gateway/usage/providers/anthropic/",
    confidence="listed",
)

PORTKEY = ProviderSpec(
    name="portkey",
    title="Portkey",
    # The key and the routing are sent in vendor-specific headers.
    dialect=OPEN,
    base_url="https://api.portkey.ai/v1",
    auth=Auth(header="x-portkey-api-key", scheme=""),
    key_variables=("PORTKEY_API_KEY",),
    settings=(
        Setting(name="config", header="x-portkey-config"),
        Setting(name="upstream", header="x-portkey-provider"),
    ),
    supports=NOT_KNOWN,
    open_models=True,
    no_default="the caller's route decides",
    source=ANY_LLM,
    date=READ,
    confidence="listed",
)

PORTKEY_RESPONSES = derive_entry(
    PORTKEY,
    "responses",
    RESPONSES,
    confidence="listed",
)

PORTKEY_ANTHROPIC = derive_entry(
    PORTKEY,
    "anthropic",
    MESSAGES,
    auth=Auth(header="x-portkey-api-key", scheme=""),
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

_PYDANTIC_ROUTES = "https://gateway-{region}.pydantic.dev/proxy"
"""It is followed by a route for each protocol: `pydantic_ai/providers/gateway.py` of pydantic/pydantic-ai."""

PYDANTIC_GATEWAY = ProviderSpec(
    name="pydantic-gateway",
    title="Pydantic AI Gateway",
    aliases=("pydantic-ai-gateway",),
    dialect=OPEN,
    base_url=f"{_PYDANTIC_ROUTES}/openai",
    key_variables=("PYDANTIC_AI_GATEWAY_API_KEY",),
    settings=(Setting(name="region", default="us"),),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="gpt-5.1",
    default_source="https://platform.openai.com/docs/models",
    source=PYDANTIC_AI,
    date=READ,
    confidence="listed",
)

PYDANTIC_GATEWAY_RESPONSES = derive_entry(
    PYDANTIC_GATEWAY,
    "responses",
    RESPONSES,
    confidence="listed",
)

PYDANTIC_GATEWAY_ANTHROPIC = derive_entry(
    PYDANTIC_GATEWAY,
    "anthropic",
    MESSAGES,
    base_url=f"{_PYDANTIC_ROUTES}/anthropic",
    headers=MESSAGES_HEADERS,
    default_model="claude-sonnet-4-6",
    default_source=MODELS_DEV,
    confidence="listed",
)

PYDANTIC_GATEWAY_GOOGLE = derive_entry(
    PYDANTIC_GATEWAY,
    "google",
    GEMINI,
    base_url=f"{_PYDANTIC_ROUTES}/google-vertex/v1beta1/publishers/google",
    default_model="gemini-3.5-flash",
    default_source=MODELS_DEV,
    confidence="listed",
)

PYDANTIC_GATEWAY_BEDROCK = derive_entry(
    PYDANTIC_GATEWAY,
    "bedrock",
    BedrockDialect(),
    base_url=f"{_PYDANTIC_ROUTES}/bedrock",
    default_model="us.anthropic.claude-sonnet-4-6",
    default_source=MODELS_DEV,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    CLOUDFLARE_AI_GATEWAY,
    CLOUDFLARE_AI_GATEWAY_RESPONSES,
    CLOUDFLARE_AI_GATEWAY_ANTHROPIC,
    PORTKEY,
    PORTKEY_RESPONSES,
    PORTKEY_ANTHROPIC,
    PYDANTIC_GATEWAY,
    PYDANTIC_GATEWAY_RESPONSES,
    PYDANTIC_GATEWAY_ANTHROPIC,
    PYDANTIC_GATEWAY_GOOGLE,
    PYDANTIC_GATEWAY_BEDROCK,
)
