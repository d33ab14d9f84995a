"""Servers on the caller's machine, and the embedded engine."""

from __future__ import annotations

import msgspec

from victor_fp.core.catalogue import embeddings, reranking
from victor_fp.core.catalogue.entries.common import (
    ANY_LLM,
    FIRST_READ,
    LITELLM,
    MODELS_DEV,
    PYDANTIC_AI,
    READ,
)
from victor_fp.core.catalogue.spec import (
    NO_AUTH,
    NOT_KNOWN,
    Auth,
    ProviderSpec,
    Setting,
    Supports,
    derive_entry,
)
from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.dialects.policies.claude import ClaudePolicy
from victor_fp.core.dialects.responses import STORED_STATE_OPTIONS, ResponsesDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, GRAMMAR_SCHEMAS
from victor_fp.core.dialects.tool_names import ANY_NAMES

# None of them has accounts: a service tier, an end user or a reasoning budget would be accepted and ignored.
_FORGOTTEN = frozenset({"service_tier", "user", "reasoning_budget"})

OLLAMA = ProviderSpec(
    name="ollama",
    title="Ollama",
    # Older servers, and models whose template Ollama does not know, write their reasoning into the content.
    dialect=OllamaDialect(think_tags=True),
    embeddings=embeddings.OLLAMA,
    base_url="http://localhost:11434",
    base_url_variables=("OLLAMA_HOST",),
    default_port=11434,
    https_hosts=("ollama.com",),
    key_variables=("OLLAMA_API_KEY",),
    key_optional=True,
    supports=Supports(tools=True, streaming=True, images=True, reasoning=True, json_schema=True),
    # The default context of a server with less than 24 GiB of VRAM unless num_ctx is set (its
    # docs/context-length.mdx); discovery asks the server about the model.
    context_window=4096,
    local=True,
    source="docs/api.md and docs/openapi.yaml of ollama/ollama",
    confidence="recorded",
    no_default="the models are those that were pulled",
    date=FIRST_READ,
)

VLLM = ProviderSpec(
    name="vllm",
    title="vLLM",
    dialect=ChatDialect(
        request_model="vllm",
        think_tags=True,  # without --reasoning-parser
        refuses=_FORGOTTEN,
        stop_limit=None,
        reasoning_replay="reasoning",  # vllm/entrypoints/chat_utils.py
        refusals=False,
        developer_role="system",
        schemas=ANY_SCHEMAS,
        tool_names=ANY_NAMES,
        call_id_limit=None,
    ),
    embeddings=embeddings.VLLM,
    reranking=reranking.VLLM,
    base_url="http://localhost:8000/v1",
    base_url_variables=("VLLM_BASE_URL",),
    key_variables=("VLLM_API_KEY",),
    key_optional=True,
    supports=Supports(images=True, audio=True, reasoning=True, json_schema=True),
    local=True,
    context_window=8192,
    source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    confidence="recorded",
    no_default="the model is the one the server was started with",
    date=FIRST_READ,
)

LLAMACPP = ProviderSpec(
    name="llamacpp",
    title="llama.cpp",
    aliases=("llama-cpp", "llama.cpp"),
    dialect=ChatDialect(
        request_model="llamacpp",
        think_tags=True,  # with --reasoning-format none
        refuses=_FORGOTTEN,
        stop_limit=None,
        reasoning_replay="reasoning_content",
        refusals=False,
        developer_role="system",
        schemas=GRAMMAR_SCHEMAS,
        tool_names=ANY_NAMES,
        call_id_limit=None,
        has_server_props=True,
    ),
    embeddings=embeddings.LLAMACPP,
    reranking=reranking.LLAMACPP,
    base_url="http://localhost:8080/v1",
    base_url_variables=("LLAMACPP_BASE_URL",),
    key_variables=("LLAMACPP_API_KEY",),
    key_optional=True,
    # After a streamed response the server silently drops the kept-alive connection: the next request on it is lost.
    headers={"connection": "close"},
    supports=Supports(images=True, audio=True, reasoning=True, json_schema=True),
    local=True,
    context_window=8192,
    source="tools/server/README.md of ggml-org/llama.cpp",
    confidence="recorded",
    no_default="the model is the one the server was started with",
    date=FIRST_READ,
)

LLAMACPP_RESPONSES = derive_entry(
    LLAMACPP,
    "responses",
    ResponsesDialect(
        request_model="llamacpp",
        think_tags=True,  # with --reasoning-format none
        # It converts the request to a chat: chat options are forwarded, options of Responses are lost (observed).
        refuses=frozenset(
            {
                "user",
                "service_tier",
                "reasoning_budget",
                "reasoning_effort",
                "logprobs",
                "name",
                "tool_choice:named",
            }
        )
        | STORED_STATE_OPTIONS,
        min_output_tokens=1,
        result_parts=frozenset(),
        format_as="response_format",
        schemas=GRAMMAR_SCHEMAS,
        tool_names=ANY_NAMES,
        stateless=False,
        encrypted_reasoning="never",
        developer_role="system",
        refusals=False,
        foreign_text="parts",  # older versions read a plain text as the user's
        reasoning_replay="plain",
        call_id_limit=None,
        has_server_props=True,
    ),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    source="tools/server/README.md of ggml-org/llama.cpp",
    confidence="recorded",
)

LLAMACPP_ANTHROPIC = ProviderSpec(
    name="llamacpp-anthropic",
    title="llama.cpp (Anthropic Messages)",
    dialect=AnthropicDialect(
        # The server converts requests to its own chat format; the accepted options depend on the model.
        models=(ClaudePolicy(pattern="*", structured=False),),
        max_temperature=2.0,
        unsigned_thinking=True,
        tool_names=ANY_NAMES,
        think_tags=True,
        has_server_props=True,
    ),
    base_url="http://localhost:8080",
    base_url_variables=("LLAMACPP_BASE_URL",),
    auth=Auth(header="x-api-key", scheme=""),
    key_variables=("LLAMACPP_API_KEY",),
    key_name="llamacpp",
    key_optional=True,
    # After a streamed response the server silently drops the kept-alive connection: the next request on it is lost.
    headers={"connection": "close"},
    supports=Supports(images=True, reasoning=True),
    local=True,
    context_window=8192,
    source="tools/server/README.md of ggml-org/llama.cpp",
    confidence="recorded",
    date=FIRST_READ,
    no_default="the model is the one the server was started with",
)

LMSTUDIO = ProviderSpec(
    name="lmstudio",
    title="LM Studio",
    aliases=("lm-studio",),
    dialect=ChatDialect(
        request_model="lmstudio",
        think_tags=True,
        # https://lmstudio.ai/docs/app/api/endpoints/openai lists what it accepts; images as data, a format as a schema.
        refuses=_FORGOTTEN
        | {"logprobs", "parallel_tool_calls", "tool_choice:named", "response_format:json", "image_url"},
        stop_limit=None,
        refusals=False,
        empty_content="empty",
        developer_role="system",
        schemas=GRAMMAR_SCHEMAS,
        call_id_limit=None,
        models_list="lmstudio",  # has the context lengths
    ),
    embeddings=embeddings.LMSTUDIO,
    base_url="http://localhost:1234/v1",
    base_url_variables=("LMSTUDIO_BASE_URL",),
    auth=NO_AUTH,
    key_optional=True,
    supports=Supports(images=True, reasoning=True, json_schema=True),
    local=True,
    context_window=8192,
    source="https://lmstudio.ai/docs/app/api",
    no_default="the models are those that were downloaded",
    date=FIRST_READ,
)

MLX = ProviderSpec(
    name="mlx",
    title="MLX",
    aliases=("mlx-lm", "applesilicon"),
    dialect=ChatDialect(
        request_model="mlx",
        think_tags=True,
        # mlx_lm/server.py ignores tool_choice and response_format.
        refuses=_FORGOTTEN
        | {
            "reasoning_effort",
            "parallel_tool_calls",
            "tool_choice:required",
            "tool_choice:named",
            "tool_choice:none",
            "response_format:json",
            "response_format:schema",
        },
        stop_limit=None,
        refusals=False,
        empty_content="empty",
        developer_role="system",
        call_id_limit=None,
        schemas=ANY_SCHEMAS,
        tool_names=ANY_NAMES,
    ),
    base_url="http://localhost:8080/v1",
    base_url_variables=("MLX_BASE_URL",),
    auth=NO_AUTH,
    key_optional=True,
    supports=Supports(reasoning=True),
    local=True,
    context_window=8192,
    source="mlx_lm/SERVER.md of ml-explore/mlx-lm",
    confidence="recorded",
    no_default="the model is the one the server was started with",
    date=FIRST_READ,
)

LOCAL = ProviderSpec(
    name="local",
    title="The embedded engine",
    dialect=ChatDialect(
        request_model="llamacpp",
        think_tags=True,
        refuses=_FORGOTTEN,
        stop_limit=None,
        reasoning_replay="reasoning_content",
        refusals=False,
        developer_role="system",
        schemas=GRAMMAR_SCHEMAS,
        tool_names=ANY_NAMES,
        call_id_limit=None,
        has_server_props=True,
    ),
    embeddings=embeddings.LOCAL,
    # Never resolved: requests are sent to the embedded engine.
    base_url="http://local.invalid/v1",
    auth=NO_AUTH,
    key_optional=True,
    supports=Supports(reasoning=True, json_schema=True),
    default_model="smollm2-135m-instruct",
    transport="embedded",
    settings=(
        Setting(name="model_path", variables=("VICTOR_FP_LOCAL_MODEL",)),
        Setting(name="context"),
        Setting(name="threads"),
        Setting(name="gpu_layers"),
    ),
    local=True,
    context_window=8192,
    source="tools/server/README.md of ggml-org/llama.cpp",
    date=FIRST_READ,
)

OLLAMA_CLOUD = msgspec.structs.replace(
    OLLAMA,
    name="ollama-cloud",
    title="Ollama Cloud",
    embeddings=None,
    base_url="https://ollama.com",
    base_url_variables=(),
    default_port=None,
    key_name="ollama",
    key_optional=False,
    local=False,
    open_models=True,
    context_window=128_000,
    default_model="gpt-oss:120b",
    default_source=MODELS_DEV,
    no_default="",
    source="https://docs.ollama.com/openai",
    date=READ,
    confidence="documented",
)

_SERVER = ChatDialect(
    think_tags=True,
    refuses=_FORGOTTEN,
    stop_limit=None,
    refusals=False,
    developer_role="system",
    schemas=ANY_SCHEMAS,
    call_id_limit=None,
)
DOCKER_MODEL_RUNNER = ProviderSpec(
    name="docker-model-runner",
    title="Docker Model Runner",
    dialect=_SERVER,
    base_url="http://localhost:12434/engines/v1",
    key_variables=("DOCKER_MODEL_RUNNER_API_KEY",),
    key_optional=True,
    supports=NOT_KNOWN,
    local=True,
    context_window=8192,
    no_default="the models are those that were pulled",
    source=PYDANTIC_AI,
    date=READ,
    confidence="listed",
)

LEMONADE = ProviderSpec(
    name="lemonade",
    title="Lemonade",
    dialect=_SERVER,
    base_url="http://localhost:8000/api/v1",
    key_variables=("LEMONADE_API_KEY",),
    key_optional=True,
    supports=NOT_KNOWN,
    local=True,
    context_window=8192,
    no_default="the models are those that were pulled",
    source=LITELLM,
    date=READ,
    confidence="listed",
)

LLAMAFILE = msgspec.structs.replace(
    LLAMACPP,
    name="llamafile",
    title="llamafile",
    aliases=(),
    base_url="http://127.0.0.1:8080/v1",
    base_url_variables=(),
    key_variables=(),
    auth=NO_AUTH,
    source=ANY_LLM,
    date=READ,
    confidence="listed",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    OLLAMA,
    VLLM,
    LLAMACPP,
    LMSTUDIO,
    MLX,
    LOCAL,
    LLAMACPP_RESPONSES,
    LLAMACPP_ANTHROPIC,
    OLLAMA_CLOUD,
    DOCKER_MODEL_RUNNER,
    LEMONADE,
    LLAMAFILE,
)
