"""Amazon Bedrock: many vendors' models behind one protocol, at an address for each region."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.spec import Auth, ProviderSpec, Setting, Supports
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
    # A Bedrock API key goes as it is, without a signature.
    key_auth=Auth(),
    key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
    settings=(
        Setting(name="region", variables=("AWS_REGION", "AWS_DEFAULT_REGION")),
        Setting(name="profile", variables=("AWS_PROFILE",)),
    ),
    supports=Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True),
    default_model="us.amazon.nova-2-lite-v1:0",
    context_window=32_000,
    source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
)

ENTRIES: tuple[ProviderSpec, ...] = (BEDROCK,)
