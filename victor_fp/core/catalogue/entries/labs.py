"""Vendors that serve their own models."""

from __future__ import annotations

from msgspec.structs import replace

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import (
    FIRST_READ,
    LITELLM,
    LITELLM_MODELS,
    MESSAGES,
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    PLAIN,
    READ,
    REASONING_OBJECT,
    RESPONSES,
)
from victor_fp.core.catalogue.spec import (
    NOT_KNOWN,
    REASONING,
    Auth,
    ProviderSpec,
    Supports,
    derive_entry,
)
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.dialects.policies.chat import GROK_EFFORTS, GROK_MODELS, GROK_TIERS
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.dialects.responses import CODES, STORED_STATE_OPTIONS, UNSUPPORTED_OPTIONS, ResponsesDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, XAI_SCHEMAS
from victor_fp.core.faults import InvalidRequest

_NAMELESS = UNSUPPORTED_OPTIONS | {"name"}

DEEPSEEK = ProviderSpec(
    name="deepseek",
    title="DeepSeek",
    dialect=ChatDialect(
        request_model="deepseek",
        refuses=frozenset({"top_k", "reasoning_budget", "parallel_tool_calls", "service_tier", "user", "store"}),
        stop_limit=16,
        # https://api-docs.deepseek.com/guides/thinking_mode: a switch, and since V4 also an effort.
        effort_form="thinking_and_effort",
        efforts=("none", "low", "medium", "high", "max"),
        # Since V4 the reasoning of turns with tool calls must be sent back, otherwise 400; R1, without tools, rejected it.
        reasoning_replay="reasoning_content",
        reasoning_replay_on="calls",
        reasoning_filler="",  # V4 rejects a turn without it with 400 in a conversation with tools
        refusals=False,
        empty_content="empty",
        developer_role="system",
        schemas=ANY_SCHEMAS,
        empty_result="(no output)",  # an empty tool result is rejected
    ),
    base_url="https://api.deepseek.com/v1",
    key_variables=("DEEPSEEK_API_KEY",),
    supports=Supports(reasoning=True),
    # GET /models lists V4 alone; deepseek-chat and deepseek-reasoner ended in July 2026.
    default_model="deepseek-v4-flash",
    context_window=1_000_000,
    source="https://api-docs.deepseek.com",
    confidence="recorded",
    date=FIRST_READ,
)

DEEPSEEK_RESPONSES = derive_entry(
    DEEPSEEK,
    "responses",
    ResponsesDialect(
        refuses=_NAMELESS | {"parallel_tool_calls", "service_tier", "user", "logprobs"} | STORED_STATE_OPTIONS,
        result_parts=frozenset(),
        efforts=("none", "low", "medium", "high", "max"),
        min_output_tokens=1,
        schemas=ANY_SCHEMAS,
        encrypted_reasoning="never",
        developer_role="system",
        refusals=False,
        # As in its chats: an empty result is rejected, and the reasoning before calls, plain text, must be sent back.
        empty_result="(no output)",
        reasoning_replay="plain",
        call_id_limit=None,
    ),
    base_url="https://api.deepseek.com",
    source="https://api-docs.deepseek.com, and what was recorded",
    confidence="recorded",
    date=READ,
)

DEEPSEEK_ANTHROPIC = ProviderSpec(
    name="deepseek-anthropic",
    title="DeepSeek (Anthropic Messages)",
    dialect=AnthropicDialect(
        # Reasoning is on by default; a budget is accepted and ignored, the effort applies.
        models=(ClaudePolicy(pattern="*", thinks="default", efforts=("high", "max"), structured=False),),
        max_temperature=2.0,
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
    date=FIRST_READ,
)

XAI = ProviderSpec(
    name="xai",
    title="xAI",
    aliases=("grok",),
    dialect=ChatDialect(
        refuses=frozenset({"top_k", "reasoning_budget", "store"}),
        service_tiers=GROK_TIERS,
        efforts=GROK_EFFORTS,
        models=GROK_MODELS,
        developer_role="system",
        schemas=XAI_SCHEMAS,
        # An invalid key and an invalid model share this code (observed with 400); the message decides.
        codes={"invalid-argument": InvalidRequest},
    ),
    base_url="https://api.x.ai/v1",
    key_variables=("XAI_API_KEY",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="grok-4.3",
    default_source=MODELS_DEV,
    context_window=131_072,
    source="https://docs.x.ai/docs/api-reference",
    confidence="recorded",
    date=FIRST_READ,
)

XAI_RESPONSES = derive_entry(
    XAI,
    "responses",
    ResponsesDialect(
        request_model="xai",
        # https://docs.x.ai/developers/rest-api-reference: results are text.
        refuses=_NAMELESS | {"background"},
        result_parts=frozenset(),
        service_tiers=GROK_TIERS,
        efforts=GROK_EFFORTS,
        models=GROK_MODELS,
        min_output_tokens=1,
        logprobs_as="switch",
        schemas=XAI_SCHEMAS,
        encrypted_reasoning="always",
        developer_role="system",
        call_id_limit=None,
        # An invalid key and an invalid model share this code (observed with 400); the message decides.
        codes={**CODES, "invalid-argument": InvalidRequest},
        # Observed: x_search is reported as custom_tool_call items named x_keyword_search, view_x_video and so on.
        has_own_custom_calls=True,
    ),
    source="https://docs.x.ai/docs/guides/chat",
    confidence="recorded",
)

MISTRAL = ProviderSpec(
    name="mistral",
    title="Mistral",
    dialect=MistralDialect(),
    embeddings=embeddings.MISTRAL,
    base_url="https://api.mistral.ai/v1",
    key_variables=("MISTRAL_API_KEY",),
    supports=Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True),
    default_model="mistral-large-latest",
    context_window=131_072,
    source="https://docs.mistral.ai/api",
    confidence="recorded",
    date=FIRST_READ,
)

COHERE = ProviderSpec(
    name="cohere",
    title="Cohere",
    dialect=CohereDialect(),
    embeddings=embeddings.COHERE,
    reranking=reranking.COHERE,
    base_url="https://api.cohere.com",
    key_variables=("COHERE_API_KEY", "CO_API_KEY"),
    base_url_variables=("CO_API_URL",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="command-a-03-2025",
    context_window=128_000,
    source="https://docs.cohere.com/reference/chat",
    confidence="recorded",
    date=FIRST_READ,
)

PERPLEXITY = ProviderSpec(
    name="perplexity",
    title="Perplexity",
    dialect=PLAIN,
    base_url="https://api.perplexity.ai",
    key_variables=("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
    supports=REASONING,
    default_model="sonar",
    default_source=MODELS_DEV,
    source="https://docs.perplexity.ai/api-reference/sonar-post",
    date=READ,
    confidence="recorded",
)

UPSTAGE = ProviderSpec(
    name="upstage",
    title="Upstage",
    dialect=PLAIN,
    base_url="https://api.upstage.ai/v1/solar",
    key_variables=("UPSTAGE_API_KEY",),
    supports=REASONING,
    default_model="solar-pro3",
    default_source=MODELS_DEV,
    source="https://developers.upstage.ai/docs/capabilities/generate/reasoning",
    date=READ,
)

INCEPTION = ProviderSpec(
    name="inception",
    title="Inception",
    # It has the effort "instant" below "low".
    dialect=replace(PLAIN, efforts=("minimal", "low", "medium", "high"), effort_values={"minimal": "instant"}),
    base_url="https://api.inceptionlabs.ai/v1",
    key_variables=("INCEPTION_API_KEY",),
    supports=REASONING,
    default_model="mercury-2",
    default_source=MODELS_DEV,
    source="https://docs.inceptionlabs.ai/capabilities/instant",
    date=READ,
)

SARVAM = ProviderSpec(
    name="sarvam",
    title="Sarvam AI",
    # Null disables reasoning.
    dialect=replace(PLAIN, efforts=("none", "low", "medium", "high"), effort_values={"none": None}, text_lists=False),
    base_url="https://api.sarvam.ai/v1",
    auth=Auth(second_header="api-subscription-key"),
    key_variables=("SARVAM_API_KEY",),
    supports=REASONING,
    default_model="sarvam-105b",
    default_source=MODELS_DEV,
    source="https://docs.sarvam.ai/api-reference-docs/api-guides-tutorials/chat-completion/how-to/adjust-the-models-thinking-level",
    date=READ,
)

AI21 = ProviderSpec(
    name="ai21",
    title="AI21",
    dialect=PLAIN,
    base_url="https://api.ai21.com/studio/v1",
    key_variables=("AI21_API_KEY",),
    supports=NOT_KNOWN,
    default_model="jamba-large-1.7",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

META = ProviderSpec(
    name="meta",
    title="Meta Model API",
    dialect=PLAIN,
    base_url="https://api.meta.ai/v1",
    key_variables=("META_API_KEY", "MODEL_API_KEY"),
    supports=REASONING,
    default_model="muse-spark-1.3",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

META_RESPONSES = derive_entry(
    META,
    "responses",
    RESPONSES,
    confidence="listed",
)

META_ANTHROPIC = derive_entry(
    META,
    "anthropic",
    MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

LLAMA = ProviderSpec(
    name="llama",
    title="Meta Llama API",
    dialect=PLAIN,
    base_url="https://api.llama.com/compat/v1",
    key_variables=("LLAMA_API_KEY",),
    supports=NOT_KNOWN,
    default_model="Llama-3.3-70B-Instruct",
    default_source=LITELLM_MODELS,
    source="https://llama.developer.meta.com/docs/api-reference/chat-completions",
    date=READ,
)

POOLSIDE = ProviderSpec(
    name="poolside",
    title="Poolside",
    dialect=REASONING_OBJECT,
    base_url="https://inference.poolside.ai/v1",
    key_variables=("POOLSIDE_API_KEY",),
    supports=REASONING,
    default_model="poolside/laguna-m.1",
    default_source=MODELS_DEV,
    source="https://docs.poolside.ai/release-notes/laguna-xs2",
    date=READ,
)

REKA = ProviderSpec(
    name="reka",
    title="Reka",
    dialect=PLAIN,
    base_url="https://api.reka.ai/v1",
    key_variables=("REKA_API_KEY",),
    supports=NOT_KNOWN,
    default_model="reka-flash-3",
    default_source="https://docs.litellm.ai/docs/providers/reka",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

PERPLEXITY_RESPONSES = derive_entry(
    PERPLEXITY,
    "responses",
    RESPONSES,
    title="Perplexity Agent",
    aliases=("perplexity-agent",),
    base_url="https://api.perplexity.ai/v1",
    default_model="perplexity/sonar",
    default_source=MODELS_DEV,
    source="https://docs.perplexity.ai/docs/agent-api/models",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    DEEPSEEK,
    XAI,
    MISTRAL,
    COHERE,
    DEEPSEEK_RESPONSES,
    DEEPSEEK_ANTHROPIC,
    XAI_RESPONSES,
    PERPLEXITY,
    UPSTAGE,
    INCEPTION,
    SARVAM,
    AI21,
    META,
    META_RESPONSES,
    META_ANTHROPIC,
    LLAMA,
    POOLSIDE,
    REKA,
    PERPLEXITY_RESPONSES,
)
