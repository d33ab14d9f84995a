"""Inference hosts: open models of other vendors, served with the host's API."""

from __future__ import annotations

from msgspec.structs import replace

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import (
    ENABLE,
    FIRST_READ,
    LITELLM,
    LITELLM_MODELS,
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    OPEN,
    OPEN_MESSAGES,
    READ,
    RESPONSES,
    TEMPLATE,
)
from victor_fp.core.catalogue.spec import (
    NOT_KNOWN,
    REASONING,
    ProviderSpec,
    Setting,
    Supports,
    derive_entry,
)
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.policies.chat import GROQ_MODELS
from victor_fp.core.dialects.replicate import ReplicateDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, CEREBRAS_SCHEMAS, FIREWORKS_SCHEMAS
from victor_fp.core.faults import InvalidRequest, Overloaded, QuotaExhausted, RateLimited

GROQ = ProviderSpec(
    name="groq",
    title="Groq",
    aliases=("groqcloud",),
    dialect=ChatDialect(
        think_tags=True,  # reasoning_format "raw", the default of some models
        # https://console.groq.com/docs/api-reference: "not yet supported by any of our models", or by the API
        refuses=frozenset({"top_k", "reasoning_budget", "logprobs", "presence_penalty", "frequency_penalty", "store"}),
        models=GROQ_MODELS,
        tokens_field="max_completion_tokens",
        reasoning_replay="reasoning",
        # API reference: ChatCompletionRequestToolMessage
        result_parts=frozenset({"image"}),
        refusals=False,
    ),
    base_url="https://api.groq.com/openai/v1",
    key_variables=("GROQ_API_KEY", "GROQCLOUD_API_KEY"),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    open_models=True,
    context_window=131_072,
    source="https://console.groq.com/docs/api-reference",
    confidence="recorded",
    date=FIRST_READ,
)

TOGETHER = ProviderSpec(
    name="together",
    title="Together AI",
    dialect=ChatDialect(
        request_model="together",
        think_tags=True,
        refuses=frozenset({"reasoning_budget", "service_tier", "user", "parallel_tool_calls", "store"}),
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
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    open_models=True,
    context_window=131_072,
    source="https://docs.together.ai/reference/chat-completions-1",
    confidence="recorded",
    date=FIRST_READ,
)

FIREWORKS = ProviderSpec(
    name="fireworks",
    title="Fireworks AI",
    dialect=ChatDialect(
        request_model="fireworks",
        think_tags=True,
        refuses=frozenset({"store"}),  # names of participants are accepted, although its document does not have them
        stream_usage=False,  # not in its document; usage comes with the last chunk anyway
        efforts=("none", "low", "medium", "high", "max"),
        budget_form="thinking",
        reasoning_replay="reasoning_content",
        result_parts=frozenset({"image"}),  # its document has one message for all roles
        refusals=False,
        developer_role="system",
        schemas=FIREWORKS_SCHEMAS,
    ),
    embeddings=embeddings.FIREWORKS,
    reranking=reranking.FIREWORKS,
    base_url="https://api.fireworks.ai/inference/v1",
    key_variables=("FIREWORKS_API_KEY",),
    settings=(Setting(name="account_id", variables=("FIREWORKS_ACCOUNT_ID",)),),  # of its batches
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="accounts/fireworks/models/glm-5p1",
    default_source=MODELS_DEV,
    open_models=True,
    context_window=131_072,
    source="https://docs.fireworks.ai/api-reference/post-chatcompletions",
    confidence="recorded",
    date=FIRST_READ,
)

CEREBRAS = ProviderSpec(
    name="cerebras",
    title="Cerebras",
    dialect=ChatDialect(
        think_tags=True,
        refuses=frozenset({"top_k", "reasoning_budget", "store"}),
        tokens_field="max_completion_tokens",
        efforts=("none", "low", "medium", "high"),
        reasoning_replay="reasoning",
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
    confidence="recorded",
    date=FIRST_READ,
)

HUGGINGFACE = ProviderSpec(
    name="huggingface",
    title="Hugging Face",
    aliases=("hf",),
    dialect=ChatDialect(
        think_tags=True,
        # Fields that the schema of the task does not have; its routes differ.
        refuses=frozenset({"top_k", "reasoning_budget", "parallel_tool_calls", "service_tier", "user", "store"}),
        refusals=False,
        developer_role="system",
        schemas=ANY_SCHEMAS,
    ),
    embeddings=embeddings.HUGGINGFACE,
    base_url="https://router.huggingface.co/v1",
    key_variables=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    open_models=True,
    context_window=131_072,
    source="https://huggingface.co/docs/inference-providers/tasks/chat-completion",
    confidence="recorded",
    date=FIRST_READ,
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
    confidence="recorded",
    date=FIRST_READ,
)

NVIDIA = ProviderSpec(
    name="nvidia",
    title="Nvidia",
    aliases=("nvidia-nim", "nim"),
    # Some models accept an effort, others a switch of the chat template.
    dialect=TEMPLATE,
    embeddings=embeddings.NVIDIA,
    base_url="https://integrate.api.nvidia.com/v1",
    key_variables=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.api.nvidia.com/nim/reference/llm-apis",
    date=READ,
)

SILICONFLOW = ProviderSpec(
    name="siliconflow",
    title="SiliconFlow",
    # Budgets are 128 to 32768 tokens.
    dialect=replace(ENABLE, refuses=frozenset(), budget_form="thinking_budget"),
    base_url="https://api.siliconflow.com/v1",
    key_variables=("SILICONFLOW_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://www.siliconflow.com/blog/glm-5.2-now-on-siliconflow-1m-context-long-horizon-engineering-near-opus-coding",
    date=READ,
)

SILICONFLOW_CN = ProviderSpec(
    name="siliconflow-cn",
    title="SiliconFlow (China)",
    dialect=replace(ENABLE, refuses=frozenset(), budget_form="thinking_budget"),
    base_url="https://api.siliconflow.cn/v1",
    key_variables=("SILICONFLOW_CN_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="deepseek-ai/DeepSeek-V4-Flash",
    default_source=MODELS_DEV,
    source="https://cloud.siliconflow.cn/open/models?target=zai-org%2FGLM-5.2",
    date=READ,
)

VENICE = ProviderSpec(
    name="venice",
    title="Venice AI",
    dialect=OPEN,
    base_url="https://api.venice.ai/api/v1",
    key_variables=("VENICE_API_KEY", "VENICE_AI_API_KEY"),
    supports=REASONING,
    open_models=True,
    default_model="openai-gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://api.venice.ai/api/v1",
    date=READ,
    confidence="recorded",
)

VENICE_RESPONSES = derive_entry(
    VENICE,
    "responses",
    RESPONSES,
    confidence="listed",
)

WANDB = ProviderSpec(
    name="wandb",
    title="Weights & Biases",
    dialect=TEMPLATE,
    base_url="https://api.inference.wandb.ai/v1",
    key_variables=("WANDB_API_KEY",),
    settings=(Setting(name="project", header="openai-project"),),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://docs.wandb.ai/inference/response-settings/reasoning",
    date=READ,
)

BASETEN = ProviderSpec(
    name="baseten",
    title="Baseten",
    dialect=replace(TEMPLATE, effort_form="chat_template_args", request_model="baseten"),
    base_url="https://inference.baseten.co/v1",
    key_variables=("BASETEN_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://docs.baseten.co/reference/inference-api/chat-completions",
    date=READ,
)

BASETEN_ANTHROPIC = derive_entry(
    BASETEN,
    "anthropic",
    OPEN_MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

FRIENDLI = ProviderSpec(
    name="friendli",
    title="Friendli",
    dialect=TEMPLATE,
    base_url="https://api.friendli.ai/serverless/v1",
    key_variables=("FRIENDLI_TOKEN",),
    supports=REASONING,
    open_models=True,
    default_model="zai-org/GLM-5.1",
    default_source=MODELS_DEV,
    source="https://friendli.ai/docs/guides/reasoning",
    date=READ,
)

FEATHERLESS = ProviderSpec(
    name="featherless",
    title="Featherless",
    dialect=OPEN,
    base_url="https://api.featherless.ai/v1",
    key_variables=("FEATHERLESS_API_KEY", "FEATHERLESS_AI_API_KEY"),
    supports=NOT_KNOWN,
    open_models=True,
    no_default="serves any model of Hugging Face",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

SAMBANOVA = ProviderSpec(
    name="sambanova",
    title="SambaNova",
    dialect=OPEN,
    base_url="https://api.sambanova.ai/v1",
    key_variables=("SAMBANOVA_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="gpt-oss-120b",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

NEARAI = ProviderSpec(
    name="nearai",
    title="NEAR AI Cloud",
    dialect=TEMPLATE,
    base_url="https://cloud-api.near.ai/v1",
    key_variables=("NEARAI_API_KEY",),
    supports=REASONING,
    open_models=True,
    default_model="openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.near.ai/cloud/reasoning-models",
    date=READ,
)

CLARIFAI = ProviderSpec(
    name="clarifai",
    title="Clarifai",
    # The name of a model is the path of its URL.
    dialect=OPEN,
    base_url="https://api.clarifai.com/v2/ext/openai/v1",
    key_variables=("CLARIFAI_PAT", "CLARIFAI_API_KEY"),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="openai/chat-completion/models/gpt-oss-120b-high-throughput",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://docs.clarifai.com/compute/inference/open-ai",
    date=READ,
)

SYNTHETIC = ProviderSpec(
    name="synthetic",
    title="Synthetic",
    dialect=OPEN,
    base_url="https://api.synthetic.new/openai/v1",
    key_variables=("SYNTHETIC_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="hf:openai/gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://synthetic.new/pricing",
    date=READ,
)

INFERENCE = ProviderSpec(
    name="inference",
    title="Inference.net",
    dialect=OPEN,
    base_url="https://inference.net/v1",
    key_variables=("INFERENCE_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="meta/llama-3.1-8b-instruct",
    default_source=MODELS_DEV,
    source="https://docs.inference.net/api/api-quickstart",
    date=READ,
)

TINFOIL = ProviderSpec(
    name="tinfoil",
    title="Tinfoil",
    dialect=OPEN,
    base_url="https://inference.tinfoil.sh/v1",
    key_variables=("TINFOIL_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://docs.tinfoil.sh",
    date=READ,
)

MORPH = ProviderSpec(
    name="morph",
    title="Morph",
    dialect=OPEN,
    base_url="https://api.morphllm.com/v1",
    key_variables=("MORPH_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="auto",
    default_source=MODELS_DEV,
    source="https://docs.morphllm.com/llms.txt",
    date=READ,
)

MORPH_ANTHROPIC = derive_entry(
    MORPH,
    "anthropic",
    OPEN_MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

PUBLICAI = ProviderSpec(
    name="publicai",
    title="PublicAI",
    dialect=replace(OPEN, text_lists=False),
    base_url="https://api.publicai.co/v1",
    key_variables=("PUBLICAI_API_KEY",),
    supports=NOT_KNOWN,
    open_models=True,
    default_model="swiss-ai/apertus-70b-instruct",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    GROQ,
    TOGETHER,
    FIREWORKS,
    CEREBRAS,
    HUGGINGFACE,
    REPLICATE,
    NVIDIA,
    SILICONFLOW,
    SILICONFLOW_CN,
    VENICE,
    VENICE_RESPONSES,
    WANDB,
    BASETEN,
    BASETEN_ANTHROPIC,
    FRIENDLI,
    FEATHERLESS,
    SAMBANOVA,
    NEARAI,
    CLARIFAI,
    SYNTHETIC,
    INFERENCE,
    TINFOIL,
    MORPH,
    MORPH_ANTHROPIC,
    PUBLICAI,
)
