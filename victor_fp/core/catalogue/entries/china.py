"""Vendors in China that serve their own models, with addresses there and abroad."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from victor_fp.core.catalogue import embeddings
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
    SWITCH,
)
from victor_fp.core.catalogue.spec import (
    NOT_KNOWN,
    REASONING,
    ProviderSpec,
    Supports,
    derive_entry,
)
from victor_fp.core.dialects.chat import EFFORTS, ChatDialect
from victor_fp.core.dialects.policies.chat import KIMI_MODELS
from victor_fp.core.dialects.schemas import ANY_SCHEMAS, MOONSHOT_SCHEMAS
from victor_fp.core.dialects.tool_names import MOONSHOT_NAMES
from victor_fp.core.faults import (
    AuthRejected,
    ContentRefused,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionRefused,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
)

ZAI = ProviderSpec(
    name="zai",
    title="Z.ai",
    aliases=("zhipuai", "zhipu"),
    dialect=ChatDialect(
        request_model="zai",
        refuses=frozenset(
            {
                "top_k",
                "reasoning_budget",
                "presence_penalty",
                "frequency_penalty",
                "seed",
                "logprobs",
                "service_tier",
                "parallel_tool_calls",
                "tool_choice:required",
                "tool_choice:none",
                "name",
            }
        ),
        user_field="user_id",
        stop_limit=1,
        # Without it the arguments of a call are sent in one piece at the end.
        tool_stream=True,
        effort_form="thinking_and_effort",
        efforts=("none", "low", "medium", "high", "max"),
        reasoning_replay="reasoning_content",
        refusals=False,
        empty_content="empty",
        developer_role="system",
        schemas=ANY_SCHEMAS,
        # https://docs.z.ai/api-reference/api-code; unconfirmed: 1261 and those above 1302.
        codes={
            **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), AuthRejected),
            **dict.fromkeys(("1110", "1111", "1112", "1121", "1220"), PermissionRefused),
            **dict.fromkeys(("1113", "1304", "1308", "1309", "1310"), QuotaExhausted),
            **dict.fromkeys(("1211", "1212", "1221", "1222"), ModelNotFound),
            **dict.fromkeys(("1210", "1213", "1214", "1215"), InvalidRequest),
            "1261": ContextLengthExceeded,
            **dict.fromkeys(("1300", "1301"), ContentRefused),
            **dict.fromkeys(("1302", "1303"), RateLimited),
            **dict.fromkeys(("1305", "1312"), Overloaded),
            **dict.fromkeys(("1120", "1230", "1234"), ServerFailed),
        },
    ),
    base_url="https://api.z.ai/api/paas/v4",
    key_variables=("ZAI_API_KEY", "ZHIPUAI_API_KEY"),
    supports=Supports(images=True, reasoning=True),
    default_model="glm-4.7",
    context_window=128_000,
    source="https://docs.z.ai/api-reference/llm/chat-completion",
    confidence="recorded",
    date=FIRST_READ,
)

ZAI_CHINA = msgspec.structs.replace(
    ZAI,
    name="zai-china",
    limits_name="zai",
    title="Zhipu AI",
    aliases=("bigmodel",),
    embeddings=embeddings.ZAI,
    base_url="https://open.bigmodel.cn/api/paas/v4",
    confidence="documented",
)

QWEN = ProviderSpec(
    name="qwen",
    title="Qwen",
    aliases=("alibaba", "dashscope"),
    dialect=ChatDialect(
        request_model="qwen",
        refuses=frozenset({"frequency_penalty", "user", "service_tier", "tool_choice:required"}),
        stop_limit=None,
        effort_form="enable_thinking",
        efforts=("none", "high"),  # a switch: on or off
        budget_form="thinking_budget",
        refusals=False,
        empty_content="empty",
        developer_role="system",
        schemas=ANY_SCHEMAS,
        cache_marks="cache_control",
        audio_form="data_url",
        codes={
            "invalidapikey": AuthRejected,
            "accessdenied": PermissionRefused,
            "arrearage": QuotaExhausted,
            "data_inspection_failed": ContentRefused,
            "datainspectionfailed": ContentRefused,
            "modelnotfound": ModelNotFound,
            "limit_requests": RateLimited,
            "limit_burst_rate": RateLimited,
            "throttling": RateLimited,
            "throttling.ratequota": RateLimited,
            "throttling.burstrate": RateLimited,
            "throttling.allocationquota": RateLimited,
        },
    ),
    embeddings=embeddings.QWEN,
    base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    key_variables=("DASHSCOPE_API_KEY",),
    supports=Supports(images=True, audio=True, reasoning=True, json_schema=True),
    default_model="qwen-plus",
    context_window=131_072,
    source="https://www.alibabacloud.com/help/en/model-studio/use-qwen-by-calling-api",
    confidence="recorded",
    date=FIRST_READ,
)

QWEN_CHINA = msgspec.structs.replace(
    QWEN,
    name="qwen-china",
    limits_name="qwen",
    title="Qwen (China)",
    aliases=(),
    base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
    confidence="documented",
)

MOONSHOT = ProviderSpec(
    name="moonshot",
    title="Moonshot AI",
    aliases=("kimi",),
    dialect=ChatDialect(
        request_model="moonshot",
        # Images are accepted only as data.
        refuses=frozenset(
            {"top_k", "reasoning_budget", "seed", "service_tier", "parallel_tool_calls", "image_url", "store"}
        ),
        user_field="safety_identifier",
        models=KIMI_MODELS,
        tokens_field="max_completion_tokens",
        max_temperature=1.0,
        stop_limit=5,
        effort_form="thinking",
        reasoning_replay="reasoning_content",
        reasoning_filler=" ",  # an empty one is rejected like a missing one
        refusals=False,
        empty_content="empty",
        omits_empty_turns=True,  # https://github.com/MoonshotAI/kimi-code/issues/1985, also with reasoning
        developer_role="system",
        schemas=MOONSHOT_SCHEMAS,
        tool_names=MOONSHOT_NAMES,
    ),
    base_url="https://api.moonshot.ai/v1",
    key_variables=("MOONSHOT_API_KEY",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="kimi-k2.6",
    default_source=MODELS_DEV,
    context_window=131_072,
    source="https://platform.kimi.ai/docs/api/chat",
    confidence="recorded",
    date=FIRST_READ,
)

MOONSHOT_CHINA = msgspec.structs.replace(
    MOONSHOT,
    name="moonshot-china",
    limits_name="moonshot",
    title="Moonshot AI (China)",
    aliases=(),
    base_url="https://api.moonshot.cn/v1",
    confidence="documented",
)

MINIMAX_CHAT = msgspec.structs.replace(
    OPEN,
    codes={
        # https://platform.minimax.io/docs/api-reference/errorcode: also with status 200, in `base_resp`
        "1000": ServerFailed,
        "1001": TimedOut,
        **dict.fromkeys(("1002", "1039", "1041", "2045"), RateLimited),
        **dict.fromkeys(("1004", "2049"), AuthRejected),
        **dict.fromkeys(("1008", "2056"), QuotaExhausted),
        **dict.fromkeys(("1024", "1033"), ServerFailed),
        **dict.fromkeys(("1026", "1027"), ContentRefused),
        "2013": InvalidRequest,
    },
)

MINIMAX = ProviderSpec(
    name="minimax",
    title="MiniMax",
    dialect=MINIMAX_CHAT,
    base_url="https://api.minimax.io/v1",
    key_variables=("MINIMAX_API_KEY",),
    supports=NOT_KNOWN,
    default_model="MiniMax-M2.7",
    default_source=MODELS_DEV,
    source="https://platform.minimax.io/docs/guides/quickstart",
    date=READ,
)

MINIMAX_ANTHROPIC = derive_entry(
    MINIMAX,
    "anthropic",
    OPEN_MESSAGES,
    base_url="https://api.minimax.io/anthropic",
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
)

MINIMAX_CN = ProviderSpec(
    name="minimax-cn",
    title="MiniMax (China)",
    dialect=MINIMAX_CHAT,
    base_url="https://api.minimaxi.com/v1",
    key_variables=("MINIMAX_API_KEY",),
    supports=NOT_KNOWN,
    default_model="MiniMax-M2.7",
    default_source=MODELS_DEV,
    source="https://platform.minimaxi.com/docs/guides/quickstart",
    date=READ,
)

MINIMAX_CN_ANTHROPIC = derive_entry(
    MINIMAX_CN,
    "anthropic",
    OPEN_MESSAGES,
    base_url="https://api.minimaxi.com/anthropic",
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
)

XIAOMI = ProviderSpec(
    name="xiaomi",
    title="Xiaomi",
    dialect=SWITCH,
    base_url="https://api.xiaomimimo.com/v1",
    key_variables=("XIAOMI_API_KEY", "XIAOMI_MIMO_API_KEY"),
    supports=REASONING,
    default_model="mimo-v2.5-pro",
    default_source=MODELS_DEV,
    source="https://platform.xiaomimimo.com/static/docs/api/chat/anthropic-api.md",
    date=READ,
)

XIAOMI_ANTHROPIC = derive_entry(
    XIAOMI,
    "anthropic",
    OPEN_MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

STEPFUN = ProviderSpec(
    name="stepfun",
    title="StepFun",
    dialect=OPEN,
    base_url="https://api.stepfun.com/v1",
    key_variables=("STEPFUN_API_KEY",),
    supports=REASONING,
    default_model="step-3.7-flash",
    default_source=MODELS_DEV,
    source="https://platform.stepfun.com/docs/zh/api-reference/responses/responses-create",
    date=READ,
)

STEPFUN_RESPONSES = derive_entry(
    STEPFUN,
    "responses",
    RESPONSES,
)

STEPFUN_ANTHROPIC = derive_entry(
    STEPFUN,
    "anthropic",
    OPEN_MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

TENCENT_TOKENHUB = ProviderSpec(
    name="tencent-tokenhub",
    title="Tencent TokenHub",
    dialect=replace(SWITCH, effort_form="thinking_and_effort", efforts=EFFORTS),
    base_url="https://tokenhub.tencentmaas.com/v1",
    key_variables=("TENCENT_TOKENHUB_API_KEY", "TENCENT_API_KEY"),
    supports=REASONING,
    default_model="hy3-preview",
    default_source=MODELS_DEV,
    source="https://cloud.tencent.com/document/product/1823/131208",
    date=READ,
)

VOLCENGINE = ProviderSpec(
    name="volcengine",
    title="Volcengine Ark",
    aliases=("ark", "doubao"),
    dialect=SWITCH,
    base_url="https://ark.cn-beijing.volces.com/api/v3",
    key_variables=("VOLCENGINE_API_KEY", "ARK_API_KEY"),
    supports=REASONING,
    default_model="doubao-seed-2-1-lite-260915",
    default_source=LITELLM_MODELS,
    source=LITELLM,
    date=READ,
    confidence="listed",
)

VOLCENGINE_RESPONSES = derive_entry(
    VOLCENGINE,
    "responses",
    RESPONSES,
    confidence="listed",
)

MODELSCOPE = ProviderSpec(
    name="modelscope",
    title="ModelScope",
    dialect=ENABLE,
    base_url="https://api-inference.modelscope.cn/v1",
    key_variables=("MODELSCOPE_API_KEY",),
    supports=REASONING,
    default_model="Qwen/Qwen3-235B-A22B-Instruct-2507",
    default_source=MODELS_DEV,
    key_shared=True,
    source="https://modelscope.cn/docs/model-service/API-Inference/intro",
    date=READ,
)

QINIU_AI = ProviderSpec(
    name="qiniu-ai",
    title="Qiniu",
    dialect=replace(OPEN, refuses=frozenset({"top_k"}), budget_form="thinking", request_model="deepseek"),
    base_url="https://api.qnaigc.com/v1",
    key_variables=("QINIU_API_KEY",),
    supports=REASONING,
    default_model="gpt-oss-120b",
    default_source=MODELS_DEV,
    source="https://developer.qiniu.com/aitokenapi/13390/chat-completions",
    date=READ,
)

ENTRIES: tuple[ProviderSpec, ...] = (
    ZAI,
    ZAI_CHINA,
    QWEN,
    QWEN_CHINA,
    MOONSHOT,
    MOONSHOT_CHINA,
    MINIMAX,
    MINIMAX_ANTHROPIC,
    MINIMAX_CN,
    MINIMAX_CN_ANTHROPIC,
    XIAOMI,
    XIAOMI_ANTHROPIC,
    STEPFUN,
    STEPFUN_RESPONSES,
    STEPFUN_ANTHROPIC,
    TENCENT_TOKENHUB,
    VOLCENGINE,
    VOLCENGINE_RESPONSES,
    MODELSCOPE,
    QINIU_AI,
)
