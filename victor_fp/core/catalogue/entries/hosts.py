"""Inference hosts: other vendors' open models behind an API of their own."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, CEREBRAS_SCHEMAS, FIREWORKS_SCHEMAS
from victor_fp.core.faults import InvalidRequest, Overloaded, QuotaExhausted, RateLimited
from victor_fp.core.models.chat import GROQ_MODELS

GROQ = ProviderSpec(
    name="groq",
    title="Groq",
    aliases=("groqcloud",),
    dialect=ChatDialect(
        think_tags=True,  # reasoning_format "raw", the default of some models
        # https://console.groq.com/docs/api-reference: "not yet supported by any of our models"
        refuses=frozenset({"top_k", "reasoning_budget", "logprobs", "presence_penalty", "frequency_penalty"}),
        models=GROQ_MODELS,
        tokens_field="max_completion_tokens",
        reasoning_back="reasoning",
        # API reference: ChatCompletionRequestToolMessage
        result_parts=frozenset({"image"}),
        refusals=False,
    ),
    base_url="https://api.groq.com/openai/v1",
    key_variables=("GROQ_API_KEY", "GROQCLOUD_API_KEY"),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="openai/gpt-oss-120b",
    open_models=True,
    context_window=131_072,
    source="https://console.groq.com/docs/api-reference",
)

TOGETHER = ProviderSpec(
    name="together",
    title="Together AI",
    dialect=ChatDialect(
        request_model="together",
        think_tags=True,
        refuses=frozenset({"reasoning_budget", "service_tier", "user", "parallel_tool_calls"}),
        stop_limit=None,
        logprobs_as="count",
        stream_usage=False,  # not in its document; usage comes with the last chunk anyway
        efforts=("low", "medium", "high"),
        refusals=False,
        developer_role="system",
        text_lists=False,
        schemas=ANY_SCHEMAS,
        codes={"credit_limit": QuotaExhausted, "model_rate_limit": RateLimited},
    ),
    embeddings=embeddings.TOGETHER,
    reranking=reranking.TOGETHER,
    base_url="https://api.together.xyz/v1",
    key_variables=("TOGETHER_API_KEY",),
    supports=Supports(images=True, audio=True, reasoning=True, json_schema=True),
    default_model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
    open_models=True,
    context_window=131_072,
    source="https://docs.together.ai/reference/chat-completions-1",
)

FIREWORKS = ProviderSpec(
    name="fireworks",
    title="Fireworks AI",
    dialect=ChatDialect(
        request_model="fireworks",
        think_tags=True,
        refuses=frozenset(),  # names of participants, too, are accepted, although its document has none
        stream_usage=False,  # not in its document; usage comes with the last chunk anyway
        efforts=("none", "low", "medium", "high", "max"),
        budget_form="thinking",
        reasoning_back="reasoning_content",
        result_parts=frozenset({"image"}),  # its document has one message for all roles
        refusals=False,
        developer_role="system",
        schemas=FIREWORKS_SCHEMAS,
    ),
    embeddings=embeddings.FIREWORKS,
    reranking=reranking.FIREWORKS,
    base_url="https://api.fireworks.ai/inference/v1",
    key_variables=("FIREWORKS_API_KEY",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="accounts/fireworks/models/gpt-oss-120b",
    open_models=True,
    context_window=131_072,
    source="https://docs.fireworks.ai/api-reference/post-chatcompletions",
)

CEREBRAS = ProviderSpec(
    name="cerebras",
    title="Cerebras",
    dialect=ChatDialect(
        think_tags=True,
        tokens_field="max_completion_tokens",
        efforts=("none", "low", "medium", "high"),
        reasoning_back="reasoning",
        refusals=False,
        codes={
            "token_quota_exceeded": RateLimited,
            "request_quota_exceeded": RateLimited,
            "too_many_requests_error": RateLimited,
            "queue_exceeded": Overloaded,
            "wrong_api_format": InvalidRequest,
        },
        schemas=CEREBRAS_SCHEMAS,
    ),
    base_url="https://api.cerebras.ai/v1",
    key_variables=("CEREBRAS_API_KEY",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="gpt-oss-120b",
    open_models=True,
    context_window=131_072,
    source="https://inference-docs.cerebras.ai/api-reference/chat-completions",
)

HUGGINGFACE = ProviderSpec(
    name="huggingface",
    title="Hugging Face",
    aliases=("hf",),
    dialect=ChatDialect(
        think_tags=True,
        # What the task's own schema does not have: the routes behind it differ.
        refuses=frozenset({"top_k", "reasoning_budget", "parallel_tool_calls", "service_tier", "user"}),
        refusals=False,
        developer_role="system",
        schemas=ANY_SCHEMAS,
    ),
    embeddings=embeddings.HUGGINGFACE,
    base_url="https://router.huggingface.co/v1",
    key_variables=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="openai/gpt-oss-120b",
    open_models=True,
    context_window=131_072,
    source="https://huggingface.co/docs/inference-providers/tasks/chat-completion",
)

REPLICATE = ProviderSpec(
    name="replicate",
    title="Replicate",
    dialect=ReplicateDialect(think_tags=True),
    base_url="https://api.replicate.com/v1",
    key_variables=("REPLICATE_API_TOKEN",),
    supports=Supports(tools=False, images=True, reasoning=True),
    default_model="meta/meta-llama-3-70b-instruct",
    context_window=8_192,
    source="https://replicate.com/docs/reference/http",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    GROQ,
    TOGETHER,
    FIREWORKS,
    CEREBRAS,
    HUGGINGFACE,
    REPLICATE,
)
