"""Laboratories that serve their own models."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.spec import Auth, ProviderSpec, Supports, derive_entry
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.dialects.responses import CODES, KEPT, NOT_IN_THIS_API, ResponsesDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, XAI_SCHEMAS
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.models.chat import GROK_MODELS
from victor_fp.core.models.claude import ClaudePolicy

_NAMELESS = NOT_IN_THIS_API | {"name"}

DEEPSEEK = ProviderSpec(
    name="deepseek",
    title="DeepSeek",
    dialect=ChatDialect(
        request_model="deepseek",
        refuses=frozenset({"top_k", "reasoning_budget", "parallel_tool_calls", "service_tier", "user"}),
        stop_limit=16,
        # https://api-docs.deepseek.com/guides/thinking_mode: a switch, and an effort beside it since V4.
        effort_form="thinking_and_effort",
        efforts=("none", "low", "medium", "high", "max"),
        # Since V4 the thinking of turns with tool calls is wanted back, else 400; R1, which knew no tools, refused any.
        reasoning_back="reasoning_content",
        reasoning_back_on="calls",
        reasoning_filler="",  # V4 answers 400 to a turn without it in a conversation with tools
        refusals=False,
        wordless="empty",
        developer_role="system",
        schemas=ANY_SCHEMAS,
        empty_result="(no output)",  # an empty tool result is refused
    ),
    base_url="https://api.deepseek.com/v1",
    key_variables=("DEEPSEEK_API_KEY",),
    supports=Supports(reasoning=True),
    # GET /models lists V4 alone; deepseek-chat and deepseek-reasoner ended in July 2026.
    default_model="deepseek-v4-flash",
    context_window=1_000_000,
    source="https://api-docs.deepseek.com",
)

DEEPSEEK_RESPONSES = derive_entry(
    DEEPSEEK,
    "responses",
    ResponsesDialect(
        refuses=_NAMELESS | {"parallel_tool_calls", "service_tier", "user", "logprobs"} | KEPT,
        result_parts=frozenset(),
        efforts=("none", "low", "medium", "high", "max"),
        least_tokens=1,
        schemas=ANY_SCHEMAS,
        encrypted_reasoning="never",
        developer_role="system",
        refusals=False,
        # As in its chats: an empty result is refused, and the thinking before calls is wanted back, which is plain text.
        empty_result="(no output)",
        reasoning_back="plain",
        call_id_limit=None,
    ),
    base_url="https://api.deepseek.com",
    source="https://api-docs.deepseek.com, and what was recorded",
)

DEEPSEEK_ANTHROPIC = ProviderSpec(
    name="deepseek-anthropic",
    title="DeepSeek (Anthropic Messages)",
    dialect=AnthropicDialect(
        # Thinking is on unless it is turned off; a budget is taken and ignored, the effort counts.
        models=(ClaudePolicy(pattern="*", thinks="default", efforts=("high", "max"), structured=False),),
        most_temperature=2.0,
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
)

XAI = ProviderSpec(
    name="xai",
    title="xAI",
    aliases=("grok",),
    dialect=ChatDialect(
        refuses=frozenset({"top_k", "reasoning_budget", "service_tier"}),
        models=GROK_MODELS,
        developer_role="system",
        schemas=XAI_SCHEMAS,
        # A bad key and a bad model share this code (seen with 400); the prose behind it decides.
        codes={"invalid-argument": InvalidRequest},
    ),
    base_url="https://api.x.ai/v1",
    key_variables=("XAI_API_KEY",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="grok-4",
    context_window=131_072,
    source="https://docs.x.ai/docs/api-reference",
)

XAI_RESPONSES = derive_entry(
    XAI,
    "responses",
    ResponsesDialect(
        request_model="xai",
        # https://docs.x.ai/developers/rest-api-reference: service_tier is taken and ignored, results are text.
        refuses=_NAMELESS | {"service_tier", "background"},
        result_parts=frozenset(),
        models=GROK_MODELS,
        least_tokens=1,
        logprobs_as="switch",
        schemas=XAI_SCHEMAS,
        encrypted_reasoning="always",
        developer_role="system",
        call_id_limit=None,
        # A bad key and a bad model share this code (seen with 400); the prose behind it decides.
        codes={**CODES, "invalid-argument": InvalidRequest},
        # Seen: x_search is told as custom_tool_call items named x_keyword_search, view_x_video and so on.
        has_own_custom_calls=True,
    ),
    source="https://docs.x.ai/docs/guides/chat",
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
)

ENTRIES: tuple[ProviderSpec, ...] = (
    DEEPSEEK,
    XAI,
    MISTRAL,
    COHERE,
    DEEPSEEK_RESPONSES,
    DEEPSEEK_ANTHROPIC,
    XAI_RESPONSES,
)
