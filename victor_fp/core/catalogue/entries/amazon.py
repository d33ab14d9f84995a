"""Amazon Bedrock: models of many vendors with one protocol, at a separate address for each region."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import (
    FIRST_READ,
    LITELLM,
    LITELLM_MODELS,
    MESSAGES,
    MESSAGES_HEADERS,
    MODELS_DEV,
    PLAIN,
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
    Supports,
    derive_entry,
)
from victor_fp.core.dialects.bedrock import BedrockDialect

BEDROCK = ProviderSpec(
    name="bedrock",
    title="Amazon Bedrock",
    aliases=("aws",),
    dialect=BedrockDialect(),
    embeddings=embeddings.BEDROCK,
    reranking=reranking.BEDROCK,
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    base_url_variables=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
    auth=Auth(kind="sigv4", header="", scheme="", service="bedrock"),
    # A Bedrock API key is sent unchanged, without a signature.
    key_auth=Auth(),
    key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
    settings=(
        Setting(name="region", variables=("AWS_REGION", "AWS_DEFAULT_REGION")),
        Setting(name="profile", variables=("AWS_PROFILE",)),
        Setting(name="batch_location", variables=("BEDROCK_BATCH_LOCATION",)),
        Setting(name="batch_role", variables=("BEDROCK_BATCH_ROLE",)),
    ),
    supports=Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True),
    default_model="us.amazon.nova-2-lite-v1:0",
    context_window=32_000,
    source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    confidence="recorded",
    date=FIRST_READ,
)

NOVA = ProviderSpec(
    name="nova",
    title="Amazon Nova",
    aliases=("amazon-nova",),
    dialect=PLAIN,
    base_url="https://api.nova.amazon.com/v1",
    key_variables=("NOVA_API_KEY", "AMAZON_NOVA_API_KEY"),
    supports=NOT_KNOWN,
    default_model="nova-2-lite-v1",
    default_source=MODELS_DEV,
    source="https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html",
    date=READ,
)

BEDROCK_MANTLE = ProviderSpec(
    name="bedrock-mantle",
    title="Amazon Bedrock Mantle",
    dialect=PLAIN,
    base_url="https://bedrock-mantle.{region}.api.aws/openai/v1",
    key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
    key_name="bedrock",
    settings=(Setting(name="region", variables=("AWS_REGION", "AWS_DEFAULT_REGION")),),
    supports=REASONING,
    open_models=True,
    default_model="openai.gpt-oss-120b",
    default_source=LITELLM_MODELS,
    source=PYDANTIC_AI,
    date=READ,
    confidence="listed",
)

BEDROCK_MANTLE_ANTHROPIC = derive_entry(
    BEDROCK_MANTLE,
    "anthropic",
    MESSAGES,
    base_url="https://bedrock-mantle.{region}.api.aws/anthropic",
    headers=MESSAGES_HEADERS,
    default_model="anthropic.claude-haiku-4-5",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    confidence="listed",
)

BEDROCK_MANTLE_RESPONSES = derive_entry(
    BEDROCK_MANTLE,
    "responses",
    RESPONSES,
    confidence="recorded",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    BEDROCK,
    NOVA,
    BEDROCK_MANTLE,
    BEDROCK_MANTLE_RESPONSES,
    BEDROCK_MANTLE_ANTHROPIC,
)
