"""OpenAI and Azure OpenAI: the first speakers of Chat Completions, and what their models take."""

from __future__ import annotations

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.spec import Auth, ProviderSpec, Setting, Supports
from victor_fp.core.dialects.chat import ChatDialect, ModelPolicy

# https://platform.openai.com/docs/guides/reasoning, "limitations" and the API reference's notes on single parameters.
SAMPLING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs"})
O_SERIES = frozenset({*SAMPLING, "parallel_tool_calls"})
CLASSIC = frozenset({"reasoning_effort"})

OPENAI_MODELS = (
    ModelPolicy(
        pattern="o[34]*",
        tokens_field="max_completion_tokens",
        refuses=O_SERIES | {"stop"},
        efforts=("low", "medium", "high"),
    ),
    ModelPolicy(
        pattern="o1*", tokens_field="max_completion_tokens", refuses=O_SERIES, efforts=("low", "medium", "high")
    ),
    ModelPolicy(pattern="gpt-5-chat*", tokens_field="max_completion_tokens", refuses=CLASSIC),
    ModelPolicy(
        pattern="*-search-*", tokens_field="max_completion_tokens", refuses=CLASSIC | SAMPLING | {"seed", "stop"}
    ),
    # From 5.1 on, effort "none" lifts the limits on sampling.
    ModelPolicy(
        pattern="gpt-5.1*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        efforts=("none", "low", "medium", "high"),
    ),
    # Breakpoints came with 5.6: `prompt_cache_options` of the API reference.
    ModelPolicy(
        pattern="gpt-5.[6-9]*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        efforts=("none", "low", "medium", "high", "xhigh", "max"),
        cache_marks="breakpoint",
    ),
    ModelPolicy(
        pattern="gpt-5.*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        efforts=("none", "low", "medium", "high", "xhigh"),
    ),
    ModelPolicy(
        pattern="gpt-5*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        efforts=("minimal", "low", "medium", "high"),
    ),
    ModelPolicy(
        pattern="gpt-[6-9]*",
        tokens_field="max_completion_tokens",
        refuses=SAMPLING | {"stop"},
        unless_effort=frozenset({"none"}),
        cache_marks="breakpoint",
    ),
    *(ModelPolicy(pattern=pattern, refuses=CLASSIC) for pattern in ("gpt-4*", "gpt-3*", "chatgpt-*", "ft:gpt-[34]*")),
)

EVERYTHING = Supports(images=True, audio=True, files=True, reasoning=True, json_schema=True)

OPENAI = ProviderSpec(
    name="openai",
    title="OpenAI",
    # A file goes by value or by the id of an upload; an address is taken by the Responses API only.
    dialect=ChatDialect(refuses=frozenset({"top_k", "reasoning_budget", "file_url"}), models=OPENAI_MODELS),
    embeddings=embeddings.OPENAI,
    base_url="https://api.openai.com/v1",
    key_variables=("OPENAI_API_KEY",),
    base_url_variables=("OPENAI_BASE_URL",),
    settings=(
        Setting(name="organization", variables=("OPENAI_ORG_ID", "OPENAI_ORGANIZATION"), header="openai-organization"),
        Setting(name="project", variables=("OPENAI_PROJECT_ID", "OPENAI_PROJECT"), header="openai-project"),
    ),
    supports=EVERYTHING,
    default_model="gpt-5.1",
    context_window=128_000,
    source="https://platform.openai.com/docs/api-reference/chat",
)

AZURE = ProviderSpec(
    name="azure",
    title="Azure OpenAI",
    aliases=("azure-openai",),
    dialect=ChatDialect(
        refuses=frozenset({"top_k", "reasoning_budget", "file_url"}), models=OPENAI_MODELS, deployment_urls=True
    ),
    embeddings=embeddings.AZURE,
    # Every resource has a host of its own; this one, which cannot be, stands for "not said".
    base_url="https://azure.invalid/openai/v1",
    auth=Auth(header="api-key", scheme=""),
    key_variables=("AZURE_OPENAI_API_KEY",),
    settings=(
        Setting(name="endpoint", variables=("AZURE_OPENAI_ENDPOINT",)),
        Setting(name="deployment", variables=("AZURE_OPENAI_DEPLOYMENT",)),
        Setting(name="api_version", variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")),
    ),
    supports=EVERYTHING,
    limits_name="openai",
    context_window=128_000,
    source="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
)

CHAT_OPENAI = (OPENAI, AZURE)
