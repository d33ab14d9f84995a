"""Vendors in China that serve their own models, with addresses there and abroad."""

from __future__ import annotations

import msgspec

from victor_fp.core.catalogue import embeddings
from victor_fp.core.catalogue.spec import ProviderSpec, Supports
from victor_fp.core.dialects.chat import ChatDialect
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
)
from victor_fp.core.models.chat import KIMI_MODELS

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
        # Without it the arguments of a call come in one piece at the end.
        tool_stream=True,
        effort_form="thinking_and_effort",
        efforts=("none", "low", "medium", "high", "max"),
        reasoning_back="reasoning_content",
        refusals=False,
        wordless="empty",
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
)
ZAI_CODING = msgspec.structs.replace(
    ZAI,
    name="zai-coding",
    limits_name="zai",
    title="Z.ai coding plan",
    aliases=(),
    base_url="https://api.z.ai/api/coding/paas/v4",
    key_name="zai",
)
ZAI_CHINA = msgspec.structs.replace(
    ZAI,
    name="zai-china",
    limits_name="zai",
    title="Zhipu AI",
    aliases=("bigmodel",),
    embeddings=embeddings.ZAI,
    base_url="https://open.bigmodel.cn/api/paas/v4",
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
        wordless="empty",
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
)
QWEN_CHINA = msgspec.structs.replace(
    QWEN,
    name="qwen-china",
    limits_name="qwen",
    title="Qwen (China)",
    aliases=(),
    base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
)

MOONSHOT = ProviderSpec(
    name="moonshot",
    title="Moonshot AI",
    aliases=("kimi",),
    dialect=ChatDialect(
        request_model="moonshot",
        # Images go by value only.
        refuses=frozenset({"top_k", "reasoning_budget", "seed", "service_tier", "parallel_tool_calls", "image_url"}),
        user_field="safety_identifier",
        models=KIMI_MODELS,
        tokens_field="max_completion_tokens",
        most_temperature=1.0,
        stop_limit=5,
        effort_form="thinking",
        reasoning_back="reasoning_content",
        reasoning_filler=" ",  # an empty one is refused like none
        refusals=False,
        wordless="empty",
        developer_role="system",
        schemas=MOONSHOT_SCHEMAS,
        tool_names=MOONSHOT_NAMES,
    ),
    base_url="https://api.moonshot.ai/v1",
    key_variables=("MOONSHOT_API_KEY",),
    supports=Supports(images=True, reasoning=True, json_schema=True),
    default_model="kimi-k2.5",
    context_window=131_072,
    source="https://platform.kimi.ai/docs/api/chat",
)
MOONSHOT_CHINA = msgspec.structs.replace(
    MOONSHOT,
    name="moonshot-china",
    limits_name="moonshot",
    title="Moonshot AI (China)",
    aliases=(),
    base_url="https://api.moonshot.cn/v1",
)

ENTRIES: tuple[ProviderSpec, ...] = (
    ZAI,
    ZAI_CODING,
    ZAI_CHINA,
    QWEN,
    QWEN_CHINA,
    MOONSHOT,
    MOONSHOT_CHINA,
)
