"""Amazon Bedrock: many vendors' models behind one protocol, at an address for each region."""

from __future__ import annotations

from victor_fp.core.catalogue.anthropic import LIMITS
from victor_fp.core.catalogue.spec import Auth, ModelLimit, ProviderSpec, Setting, Supports
from victor_fp.core.dialects.bedrock import BedrockDialect

_PAGES = "https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html, November 2026"

BEDROCK: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        name="bedrock",
        title="Amazon Bedrock",
        aliases=("aws",),
        dialect=BedrockDialect(),
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
        limits=(
            *(
                ModelLimit(
                    pattern=f"*anthropic.{limit.pattern}",
                    context_window=limit.context_window,
                    max_output=limit.max_output,
                    source=limit.source,
                )
                for limit in LIMITS
            ),
            ModelLimit(pattern="*amazon.nova-2-lite*", context_window=1_000_000, max_output=64_000, source=_PAGES),
            ModelLimit(pattern="*amazon.nova-premier*", context_window=1_000_000, max_output=10_000, source=_PAGES),
            ModelLimit(pattern="*amazon.nova-micro*", context_window=128_000, max_output=10_000, source=_PAGES),
            ModelLimit(pattern="*amazon.nova-*", context_window=300_000, max_output=10_000, source=_PAGES),
            ModelLimit(pattern="*meta.llama3-8b*", context_window=8_000, source=_PAGES),
            ModelLimit(pattern="*meta.llama3-70b*", context_window=8_000, source=_PAGES),
            ModelLimit(pattern="*meta.llama3*", context_window=128_000, source=_PAGES),
            ModelLimit(pattern="*openai.gpt-oss*", context_window=128_000, source=_PAGES),
            ModelLimit(pattern="*deepseek.*", context_window=128_000, source=_PAGES),
        ),
        context_window=32_000,
        source="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    ),
)
