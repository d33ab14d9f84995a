"""Coding plans: subscriptions for coding agents, with addresses, and mostly keys, of their own."""

from __future__ import annotations

import msgspec

from victor_fp.core.catalogue.entries.china import MOONSHOT, QWEN, ZAI, ZAI_CHINA
from victor_fp.core.catalogue.entries.common import (
    MESSAGES_AUTH,
    MESSAGES_HEADERS,
    MODELS_DEV,
    OPEN,
    OPEN_MESSAGES,
    READ,
)
from victor_fp.core.catalogue.spec import (
    REASONING,
    ProviderSpec,
    derive_entry,
)

ZAI_CODING = msgspec.structs.replace(
    ZAI,
    name="zai-coding",
    limits_name="zai",
    title="Z.ai coding plan",
    aliases=(),
    base_url="https://api.z.ai/api/coding/paas/v4",
    key_name="zai",
    confidence="documented",
)

STEPFUN_AI = ProviderSpec(
    name="stepfun-ai",
    title="StepFun plan",
    dialect=OPEN,
    base_url="https://api.stepfun.ai/step_plan/v1",
    key_variables=("STEPFUN_API_KEY",),
    supports=REASONING,
    default_model="step-3.5-flash",
    default_source=MODELS_DEV,
    source="https://platform.stepfun.ai/docs/en/step-plan/integrations/reasoning-api",
    date=READ,
)

STEPFUN_AI_ANTHROPIC = derive_entry(
    STEPFUN_AI,
    "anthropic",
    OPEN_MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
    confidence="listed",
)

QWEN_CODING = msgspec.structs.replace(
    QWEN,
    name="qwen-coding",
    limits_name="qwen",
    title="Alibaba coding plan",
    aliases=("alibaba-coding-plan",),
    embeddings=None,
    base_url="https://coding-intl.dashscope.aliyuncs.com/v1",
    key_variables=("ALIBABA_CODING_PLAN_API_KEY",),
    default_model="qwen3.6-plus",
    default_source=MODELS_DEV,
    source="https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages",
    date=READ,
    confidence="documented",
)

QWEN_CODING_ANTHROPIC = derive_entry(
    QWEN_CODING,
    "anthropic",
    OPEN_MESSAGES,
    base_url="https://coding-intl.dashscope.aliyuncs.com/apps/anthropic",
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
)

ZAI_CHINA_CODING = msgspec.structs.replace(
    ZAI_CHINA,
    name="zai-china-coding",
    limits_name="zai",
    title="Zhipu AI coding plan",
    aliases=("zhipuai-coding-plan",),
    embeddings=None,
    base_url="https://open.bigmodel.cn/api/coding/paas/v4",
    key_variables=("ZHIPU_API_KEY",),
    default_model="glm-4.7",
    default_source=MODELS_DEV,
    source="https://docs.bigmodel.cn/cn/coding-plan/latest-model",
    date=READ,
    confidence="documented",
)

ZAI_CHINA_CODING_ANTHROPIC = derive_entry(
    ZAI_CHINA_CODING,
    "anthropic",
    OPEN_MESSAGES,
    base_url="https://open.bigmodel.cn/api/anthropic",
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
)

KIMI_CODING = msgspec.structs.replace(
    MOONSHOT,
    name="kimi-coding",
    limits_name="moonshot",
    title="Kimi for coding",
    aliases=("kimi-for-coding",),
    base_url="https://api.kimi.com/coding/v1",
    key_variables=("KIMI_API_KEY",),
    default_model="k2p7",
    default_source=MODELS_DEV,
    source="https://www.kimi.com/code/docs/en/third-party-tools/other-coding-agents.html",
    date=READ,
    confidence="documented",
)

KIMI_CODING_ANTHROPIC = derive_entry(
    KIMI_CODING,
    "anthropic",
    OPEN_MESSAGES,
    auth=MESSAGES_AUTH,
    headers=MESSAGES_HEADERS,
)

ENTRIES: tuple[ProviderSpec, ...] = (
    ZAI_CODING,
    STEPFUN_AI,
    STEPFUN_AI_ANTHROPIC,
    QWEN_CODING,
    QWEN_CODING_ANTHROPIC,
    ZAI_CHINA_CODING,
    ZAI_CHINA_CODING_ANTHROPIC,
    KIMI_CODING,
    KIMI_CODING_ANTHROPIC,
)
