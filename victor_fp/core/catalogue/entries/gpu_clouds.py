"""GPU clouds: vendors that rent out GPUs, and serve open models on them."""

from __future__ import annotations

from victor_fp.core.catalogue.entries.common import (
    ANY_LLM,
    ENABLE,
    LITELLM,
    LITELLM_MODELS,
    MESSAGES,
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    OPEN,
    OPEN_MESSAGES,
    READ,
    REASONING_OBJECT,
    RESPONSES,
    SWITCH,
)
from victor_fp.core.catalogue.spec import (
    NOT_KNOWN,
    REASONING,
    ProviderSpec,
    derive_entry,
)

NOVITA_AI = ProviderSpec(
    name="novita-ai",
    title="NovitaAI",
    aliases=("novita",),
    # Only some models have the switch.
    dialect=ENABLE,
    base_url="https://api.novita.ai/openai/v1",
    key_variables=("NOVITA_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
    date=READ,
)

NEBIUS = ProviderSpec(
    name="nebius",
    title="Nebius Token Factory",
    dialect=OPEN,
    base_url="https://api.tokenfactory.nebius.com/v1",
    key_variables=("NEBIUS_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion",
    date=READ,
)

NEBIUS_RESPONSES = derive_entry(
    NEBIUS,
    "responses",
    RESPONSES,
    confidence="listed",
)

DEEPINFRA = ProviderSpec(
    name="deepinfra",
    title="Deep Infra",
    dialect=OPEN,
    base_url="https://api.deepinfra.com/v1/openai",
    key_variables=("DEEPINFRA_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.deepinfra.com/apis/deepinfra-native",
    date=READ,
)

DEEPINFRA_ANTHROPIC = derive_entry(
    DEEPINFRA,
    "anthropic",
    OPEN_MESSAGES,
    base_url="https://api.deepinfra.com/anthropic",
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
)

CHUTES = ProviderSpec(
    name="chutes",
    title="Chutes",
    dialect=OPEN,
    base_url="https://llm.chutes.ai/v1",
    key_variables=("CHUTES_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="Qwen/Qwen3-32B-TEE",
    default_source=MODELS_DEV,
    source="https://chutes.ai/docs/guides/reasoning-models",
    date=READ,
)

CRUSOE = ProviderSpec(
    name="crusoe",
    title="Crusoe",
    dialect=OPEN,
    base_url="https://api.inference.crusoecloud.com/v1",
    key_variables=("CRUSOE_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="recorded",
)

NSCALE = ProviderSpec(
    name="nscale",
    title="Nscale",
    dialect=OPEN,
    base_url="https://inference.api.nscale.com/v1",
    key_variables=("NSCALE_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="meta-llama/Llama-3.3-70B-Instruct",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

PARASAIL = ProviderSpec(
    name="parasail",
    title="Parasail",
    dialect=OPEN,
    base_url="https://api.parasail.io/v1",
    key_variables=("PARASAIL_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="parasail-llama-33-70b-fp8",
    default_source="https://docs.getbifrost.ai/providers/supported-providers/parasail",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

PARASAIL_RESPONSES = derive_entry(
    PARASAIL,
    "responses",
    RESPONSES,
    confidence="listed",
)

IO_NET = ProviderSpec(
    name="io-net",
    title="IO.NET",
    dialect=REASONING_OBJECT,
    base_url="https://api.intelligence.io.solutions/api/v1",
    key_variables=("IOINTELLIGENCE_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://io.net/docs/guides/intelligence/reasoning-for-chat-completions",
    date=READ,
)

GMICLOUD = ProviderSpec(
    name="gmicloud",
    title="GMI Cloud",
    dialect=SWITCH,
    base_url="https://api.gmi-serving.com/v1",
    key_variables=("GMICLOUD_API_KEY", "GMI_API_KEY"),
    supports=REASONING,
    open_models=True,
    default_model="deepseek-ai/DeepSeek-V4-Flash",
    default_source=MODELS_DEV,
    source="https://docs.gmicloud.ai/model-quickstarts/text/anthropic-claude-opus-4-6",
    date=READ,
)

GMICLOUD_ANTHROPIC = derive_entry(
    GMICLOUD,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="anthropic/claude-sonnet-4.6",
    default_source=MODELS_DEV,
)

ATLASCLOUD = ProviderSpec(
    name="atlascloud",
    title="Atlas Cloud",
    dialect=OPEN,
    base_url="https://api.atlascloud.ai/v1",
    key_variables=("ATLASCLOUD_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="deepseek-ai/deepseek-v4-flash",
    default_source="https://www.atlascloud.ai/blog/tips/deepseek-api-atlascloud-models-pricing-quickstart",
    source=ANY_LLM,
    date=READ,
    confidence="listed",
)

HYPERBOLIC = ProviderSpec(
    name="hyperbolic",
    title="Hyperbolic",
    dialect=OPEN,
    base_url="https://api.hyperbolic.xyz/v1",
    key_variables=("HYPERBOLIC_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="meta-llama/Llama-3.3-70B-Instruct",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    NOVITA_AI,
    NEBIUS,
    NEBIUS_RESPONSES,
    DEEPINFRA,
    DEEPINFRA_ANTHROPIC,
    CHUTES,
    CRUSOE,
    NSCALE,
    PARASAIL,
    PARASAIL_RESPONSES,
    IO_NET,
    GMICLOUD,
    GMICLOUD_ANTHROPIC,
    ATLASCLOUD,
    HYPERBOLIC,
)
