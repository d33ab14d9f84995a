"""Servers on the caller's machine that speak Chat Completions, and the engine inside the process."""

from __future__ import annotations

from victor_fp.core.catalogue.spec import NO_AUTH, ProviderSpec, Setting, Supports
from victor_fp.core.dialects.chat import ChatDialect
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, GRAMMAR_SCHEMAS
from victor_fp.core.dialects.tool_names import ANY_NAMES

# None of them keeps accounts: a service tier, an end user or a thinking budget would be taken and forgotten.
_FORGOTTEN = frozenset({"service_tier", "user", "reasoning_budget"})

VLLM = ProviderSpec(
    name="vllm",
    title="vLLM",
    dialect=ChatDialect(
        request_model="vllm",
        think_tags=True,  # without --reasoning-parser
        refuses=_FORGOTTEN,
        stop_limit=None,
        reasoning_back="reasoning",  # vllm/entrypoints/chat_utils.py
        refusals=False,
        developer_role="system",
        schemas=ANY_SCHEMAS,
        tool_names=ANY_NAMES,
        call_id_limit=None,
    ),
    base_url="http://localhost:8000/v1",
    base_url_variables=("VLLM_BASE_URL",),
    key_variables=("VLLM_API_KEY",),
    key_optional=True,
    supports=Supports(images=True, audio=True, reasoning=True, json_schema=True),
    local=True,
    source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
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
        reasoning_back="reasoning_content",
        refusals=False,
        developer_role="system",
        schemas=GRAMMAR_SCHEMAS,
        tool_names=ANY_NAMES,
        call_id_limit=None,
        has_server_props=True,
    ),
    base_url="http://localhost:8080/v1",
    base_url_variables=("LLAMACPP_BASE_URL",),
    key_variables=("LLAMACPP_API_KEY",),
    key_optional=True,
    # After a streamed answer the server drops the kept connection without a word: the next request on it is lost.
    headers={"connection": "close"},
    supports=Supports(images=True, audio=True, reasoning=True, json_schema=True),
    local=True,
    source="tools/server/README.md of ggml-org/llama.cpp",
)

LMSTUDIO = ProviderSpec(
    name="lmstudio",
    title="LM Studio",
    aliases=("lm-studio",),
    dialect=ChatDialect(
        request_model="lmstudio",
        think_tags=True,
        # https://lmstudio.ai/docs/app/api/endpoints/openai lists what it takes; images go by value, a format is a schema.
        refuses=_FORGOTTEN
        | {"logprobs", "parallel_tool_calls", "tool_choice:named", "response_format:json", "image_url"},
        stop_limit=None,
        refusals=False,
        wordless="empty",
        developer_role="system",
        schemas=GRAMMAR_SCHEMAS,
        call_id_limit=None,
        models_list="lmstudio",  # has the context lengths
    ),
    base_url="http://localhost:1234/v1",
    base_url_variables=("LMSTUDIO_BASE_URL",),
    auth=NO_AUTH,
    key_optional=True,
    supports=Supports(images=True, reasoning=True, json_schema=True),
    local=True,
    source="https://lmstudio.ai/docs/app/api",
)

MLX = ProviderSpec(
    name="mlx",
    title="MLX",
    aliases=("mlx-lm", "applesilicon"),
    dialect=ChatDialect(
        request_model="mlx",
        think_tags=True,
        # mlx_lm/server.py reads no choice among tools and no form of the answer.
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
        wordless="empty",
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
    source="mlx_lm/SERVER.md of ml-explore/mlx-lm",
)

LOCAL = ProviderSpec(
    name="local",
    title="The model inside this process",
    dialect=ChatDialect(
        request_model="llamacpp",
        think_tags=True,
        refuses=_FORGOTTEN,
        stop_limit=None,
        reasoning_back="reasoning_content",
        refusals=False,
        developer_role="system",
        schemas=GRAMMAR_SCHEMAS,
        tool_names=ANY_NAMES,
        call_id_limit=None,
        has_server_props=True,
    ),
    # Never resolved: the engine answers in the process.
    base_url="http://local.invalid/v1",
    auth=NO_AUTH,
    key_optional=True,
    supports=Supports(reasoning=True, json_schema=True),
    default_model="smollm2-135m-instruct",
    transport="in_process",
    settings=(
        Setting(name="model_path", variables=("VICTOR_FP_LOCAL_MODEL",)),
        Setting(name="context"),
        Setting(name="threads"),
        Setting(name="gpu_layers"),
    ),
    local=True,
    source="tools/server/README.md of ggml-org/llama.cpp",
)

CHAT_LOCAL: tuple[ProviderSpec, ...] = (VLLM, LLAMACPP, LMSTUDIO, MLX, LOCAL)
