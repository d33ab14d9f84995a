"""Gateways: one key and one address for models of many vendors."""

from __future__ import annotations

from msgspec.structs import replace

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import (
    FIRST_READ,
    GEMINI,
    LITELLM,
    MESSAGES,
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    OPEN,
    READ,
    REASONING_OBJECT,
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
from victor_fp.core.dialects.chat import ChatDialect, DialectCodes
from victor_fp.core.dialects.responses import CODES as RESPONSES_CODES
from victor_fp.core.dialects.responses import STORED_STATE_OPTIONS, ResponsesDialect
from victor_fp.core.faults import QuotaExhausted

OPENROUTER_CODES: DialectCodes = {"token_limit_exceeded": QuotaExhausted}
"""A token budget of the account, such as that of its credits: https://openrouter.ai/docs/api-reference/errors"""

OPENROUTER = ProviderSpec(
    name="openrouter",
    title="OpenRouter",
    dialect=ChatDialect(
        request_model="openrouter",
        # It drops options that a model does not accept, and accepts URLs of files.
        refuses=frozenset(),
        effort_form="reasoning",
        budget_form="reasoning",
        # https://openrouter.ai/docs/use-cases/reasoning-tokens: details must be sent back unmodified.
        reasoning_replay="reasoning_details",
        omits_empty_turns=True,  # https://github.com/NousResearch/hermes-agent/issues/90614: upstream servers reject them
        result_parts=frozenset({"image", "audio", "file"}),  # its document: ChatToolMessage
        cache_marks="cache_control",
        codes=OPENROUTER_CODES,
    ),
    embeddings=embeddings.OPENROUTER,
    reranking=reranking.OPENROUTER,
    base_url="https://openrouter.ai/api/v1",
    key_variables=("OPENROUTER_API_KEY",),
    settings=(
        Setting(name="site_url", variables=("OPENROUTER_SITE_URL",), header="http-referer"),
        Setting(name="app_name", variables=("OPENROUTER_APP_NAME",), header="x-title"),
    ),
    supports=Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True),
    default_model="openrouter/auto",
    open_models=True,
    context_window=128_000,
    source="https://openrouter.ai/docs/api-reference/chat-completion",
    confidence="recorded",
    date=FIRST_READ,
)

OPENROUTER_RESPONSES = derive_entry(
    OPENROUTER,
    "responses",
    ResponsesDialect(
        request_model="openrouter",
        # Its document has the other options of chats; `reasoning.max_tokens` is the budget.
        refuses=frozenset({"seed", "stop", "name"}) | STORED_STATE_OPTIONS,
        min_output_tokens=1,
        logprobs_as="count",  # its `include` has no value for them
        # It never stores responses, and drops options that a model does not accept.
        stateless=False,
        encrypted_reasoning="always",
        reasoning_replay="any",
        cache_marks="breakpoint",
        codes={**RESPONSES_CODES, **OPENROUTER_CODES},
    ),
    source="https://openrouter.ai/docs/api/api-reference/responses/create-responses",
    confidence="recorded",
)

VERCEL = ProviderSpec(
    name="vercel",
    title="Vercel AI Gateway",
    aliases=("vercel-ai-gateway",),
    dialect=replace(REASONING_OBJECT, refuses=frozenset({"top_k"})),
    base_url="https://ai-gateway.vercel.sh/v1",
    key_variables=("AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
    supports=REASONING,
    open_models=True,
    default_model="anthropic/claude-sonnet-4.6",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://vercel.com/docs/ai-gateway/models-and-providers/provider-filtering-and-ordering",
    date=READ,
)

VERCEL_RESPONSES = derive_entry(
    VERCEL,
    "responses",
    RESPONSES,
    confidence="listed",
)

VERCEL_ANTHROPIC = derive_entry(
    VERCEL,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

NANO_GPT = ProviderSpec(
    name="nano-gpt",
    title="NanoGPT",
    aliases=("nanogpt",),
    dialect=OPEN,
    base_url="https://nano-gpt.com/api/v1",
    key_variables=("NANO_GPT_API_KEY", "NANOGPT_API_KEY"),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.nano-gpt.com/api-reference/miscellaneous/model-suffixes",
    date=READ,
)

KILO = ProviderSpec(
    name="kilo",
    title="Kilo Gateway",
    dialect=replace(REASONING_OBJECT, refuses=frozenset({"top_k"})),
    base_url="https://api.kilo.ai/api/gateway",
    key_variables=("KILO_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="anthropic/claude-sonnet-4.6",
    default_source=MODELS_DEV,
    source="https://docs.anthropic.com/en/api/messages",
    date=READ,
    confidence="listed",
)

KILO_RESPONSES = derive_entry(
    KILO,
    "responses",
    RESPONSES,
    default_model="openai/gpt-5.1",
    default_source=MODELS_DEV,
    confidence="listed",
)

KILO_ANTHROPIC = derive_entry(
    KILO,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

LLMGATEWAY = ProviderSpec(
    name="llmgateway",
    title="LLM Gateway",
    dialect=OPEN,
    base_url="https://api.llmgateway.io/v1",
    key_variables=("LLMGATEWAY_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="auto",
    default_source=MODELS_DEV,
    source="https://docs.llmgateway.io/v1_messages",
    date=READ,
)

LLMGATEWAY_ANTHROPIC = derive_entry(
    LLMGATEWAY,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="claude-sonnet-4-6",
    default_source=MODELS_DEV,
)

POE = ProviderSpec(
    name="poe",
    title="Poe",
    # Bots accept their own parameters in extra_body; an effort is ignored.
    dialect=replace(OPEN, refuses=OPEN.refuses | {"reasoning_effort"}),
    base_url="https://api.poe.com/v1",
    key_variables=("POE_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="anthropic/claude-sonnet-4.6",
    default_source=MODELS_DEV,
    source="https://creator.poe.com/docs/external-applications/openai-compatible-api",
    date=READ,
)

POE_RESPONSES = derive_entry(
    POE,
    "responses",
    RESPONSES,
    default_model="openai/gpt-5.1",
    default_source=MODELS_DEV,
    confidence="listed",
)

ZENMUX = ProviderSpec(
    name="zenmux",
    title="ZenMux",
    dialect=REASONING_OBJECT,
    base_url="https://zenmux.ai/api/v1",
    key_variables=("ZENMUX_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="anthropic/claude-sonnet-4.6",
    default_source=MODELS_DEV,
    source="https://docs.zenmux.ai/guide/advanced/reasoning.html",
    date=READ,
)

ZENMUX_ANTHROPIC = derive_entry(
    ZENMUX,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

ZENMUX_GOOGLE = derive_entry(
    ZENMUX,
    "google",
    GEMINI,
    base_url="https://zenmux.ai/api/vertex-ai/v1/publishers/google",
    default_model="gemini-3.5-flash",
    confidence="listed",
)

HELICONE = ProviderSpec(
    name="helicone",
    title="Helicone",
    dialect=OPEN,
    base_url="https://ai-gateway.helicone.ai/v1",
    key_variables=("HELICONE_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="gpt-5-mini",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://github.com/Helicone/helicone/blob/4df16a30ab79bc6f31e4b3a29aca179d767db878/packages/cost/models/providers/helicone.ts",
    date=READ,
)

HELICONE_RESPONSES = derive_entry(
    HELICONE,
    "responses",
    RESPONSES,
    confidence="listed",
)

OPENCODE = ProviderSpec(
    name="opencode",
    title="OpenCode Zen",
    # The protocol of a model depends on its family.
    dialect=OPEN,
    base_url="https://opencode.ai/zen/v1",
    key_variables=("OPENCODE_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="glm-5.1",
    default_source=MODELS_DEV,
    source="https://opencode.ai/docs/zen#endpoints",
    date=READ,
)

OPENCODE_RESPONSES = derive_entry(
    OPENCODE,
    "responses",
    RESPONSES,
    default_model="gpt-5.4-mini",
    default_source=MODELS_DEV,
    confidence="listed",
)

OPENCODE_ANTHROPIC = derive_entry(
    OPENCODE,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="claude-sonnet-4-6",
    default_source=MODELS_DEV,
    confidence="listed",
)

OPENCODE_GOOGLE = derive_entry(
    OPENCODE,
    "google",
    GEMINI,
    auth=Auth(header="x-goog-api-key", scheme=""),
    default_model="gemini-3.5-flash",
    confidence="listed",
)

CORTECS = ProviderSpec(
    name="cortecs",
    title="Cortecs",
    dialect=OPEN,
    base_url="https://api.cortecs.ai/v1",
    key_variables=("CORTECS_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://api.cortecs.ai/v1/models",
    date=READ,
)

CORTECS_RESPONSES = derive_entry(
    CORTECS,
    "responses",
    RESPONSES,
    confidence="listed",
)

CORTECS_ANTHROPIC = derive_entry(
    CORTECS,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="claude-4-6-sonnet",
    default_source=MODELS_DEV,
    confidence="listed",
)

AIHUBMIX = ProviderSpec(
    name="aihubmix",
    title="AIHubMix",
    dialect=OPEN,
    base_url="https://aihubmix.com/v1",
    key_variables=("AIHUBMIX_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="gpt-5.4-mini",
    default_source=MODELS_DEV,
    source="https://docs.aihubmix.com/cn/api-reference/google-vertex-ai-compatible/generate-content",
    date=READ,
)

AIHUBMIX_RESPONSES = derive_entry(
    AIHUBMIX,
    "responses",
    RESPONSES,
    confidence="listed",
)

AIHUBMIX_ANTHROPIC = derive_entry(
    AIHUBMIX,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    default_model="claude-opus-4-7",
    default_source=MODELS_DEV,
    confidence="listed",
)

REQUESTY = ProviderSpec(
    name="requesty",
    title="Requesty",
    dialect=OPEN,
    base_url="https://router.requesty.ai/v1",
    key_variables=("REQUESTY_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-5-mini",
    default_source=MODELS_DEV,
    source="https://docs.requesty.ai/features/reasoning",
    date=READ,
)

AIMLAPI = ProviderSpec(
    name="aimlapi",
    title="AI/ML API",
    dialect=OPEN,
    base_url="https://api.aimlapi.com/v1",
    key_variables=("AIML_API_KEY", "AIMLAPI_KEY"),
    supports=NOT_KNOWN,
    open_models=True,
    no_default="no list of its models was read",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

AIMLAPI_RESPONSES = derive_entry(
    AIMLAPI,
    "responses",
    RESPONSES,
    confidence="listed",
)

COMETAPI = ProviderSpec(
    name="cometapi",
    title="CometAPI",
    dialect=OPEN,
    base_url="https://api.cometapi.com/v1",
    key_variables=("COMETAPI_KEY", "COMETAPI_API_KEY"),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="gpt-5",
    default_source="https://docs.litellm.ai/docs/providers/cometapi",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

COMETAPI_RESPONSES = derive_entry(
    COMETAPI,
    "responses",
    RESPONSES,
    confidence="listed",
)

EDENAI = ProviderSpec(
    name="edenai",
    title="Eden AI",
    dialect=OPEN,
    base_url="https://api.edenai.run/v3",
    key_variables=("EDENAI_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="anthropic/claude-sonnet-4-5",
    default_source="https://docs.edenai.co/v3/integrations",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    OPENROUTER,
    OPENROUTER_RESPONSES,
    VERCEL,
    VERCEL_RESPONSES,
    VERCEL_ANTHROPIC,
    NANO_GPT,
    KILO,
    KILO_RESPONSES,
    KILO_ANTHROPIC,
    LLMGATEWAY,
    LLMGATEWAY_ANTHROPIC,
    POE,
    POE_RESPONSES,
    ZENMUX,
    ZENMUX_ANTHROPIC,
    ZENMUX_GOOGLE,
    HELICONE,
    HELICONE_RESPONSES,
    OPENCODE,
    OPENCODE_RESPONSES,
    OPENCODE_ANTHROPIC,
    OPENCODE_GOOGLE,
    CORTECS,
    CORTECS_RESPONSES,
    CORTECS_ANTHROPIC,
    AIHUBMIX,
    AIHUBMIX_RESPONSES,
    AIHUBMIX_ANTHROPIC,
    REQUESTY,
    AIMLAPI,
    AIMLAPI_RESPONSES,
    COMETAPI,
    COMETAPI_RESPONSES,
    EDENAI,
)
