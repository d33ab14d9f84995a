"""Batch APIs of the providers in the catalogue: their protocols and limits."""

from __future__ import annotations

from collections.abc import Mapping

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.batches import (
    AnthropicBatches,
    BatchLimits,
    BatchSupport,
    BedrockBatches,
    CohereBatches,
    FireworksBatches,
    GeminiBatches,
    MistralBatches,
    OpenAIBatches,
    OpenRouterBatches,
    VertexBatches,
    XAIBatches,
)

MB = 1_000_000

_OPENAI = BatchSupport(
    dialect=OpenAIBatches(),
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=200 * MB,
        results_hours=30 * 24,
        price_factor=0.5,
        source="https://developers.openai.com/api/docs/guides/batch",
        date="2026-11-20",
    ),
)
_AZURE = BatchSupport(
    dialect=OpenAIBatches(),
    # The page on quotas gives 100,000 requests, the REST reference 50,000. Batches continue after the 24 hours.
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=200 * MB,
        price_factor=0.5,
        source="https://learn.microsoft.com/en-us/azure/foundry/openai/how-to/batch",
        date="2026-11-20",
    ),
)
_GROQ = BatchSupport(
    dialect=OpenAIBatches(),
    # The SDK gives 100 MB, the guide 200 MB.
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=100 * MB,
        price_factor=0.5,
        source="https://console.groq.com/docs/batch",
        date="2026-11-20",
    ),
)
_TOGETHER = BatchSupport(
    dialect=OpenAIBatches(purpose="batch-api", upload="files/upload", lines_have_url=False, accepts_metadata=False),
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=100 * MB,
        price_factor=0.5,
        discounted_models=(
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "meta-llama/Llama-3-70b-chat-hf",
            "Qwen/Qwen2.5-7B-Instruct-Turbo",
            "mistralai/Mixtral-8x7B-Instruct-v0.1",
            "zai-org/GLM-4.5-Air-FP8",
        ),
        source="https://docs.together.ai/docs/inference/batch/overview",
        date="2026-11-30",
    ),
)
_QWEN = BatchSupport(
    dialect=OpenAIBatches(accepts_metadata=False),
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=500 * MB,
        price_factor=0.5,
        source="https://help.aliyun.com/en/model-studio/batch-interfaces-compatible-with-openai/",
        date="2026-11-20",
    ),
)
_MOONSHOT = BatchSupport(
    dialect=OpenAIBatches(),
    # The guide gives no number of requests.
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=100 * MB,
        price_factor=0.6,
        source="https://platform.kimi.ai/docs/api/batch-create.md",
        date="2026-11-20",
    ),
)
_ZAI_CHINA = BatchSupport(
    dialect=OpenAIBatches(route_prefix="/v4"),
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=100 * MB,
        price_factor=0.5,
        source="https://docs.bigmodel.cn/cn/faq/batch-api-issues.md",
        date="2026-11-20",
    ),
)
_CEREBRAS = BatchSupport(
    # https://inference-docs.cerebras.ai/api-reference/batch/cancel-batch, 2026-11-30
    dialect=OpenAIBatches(cancel="delete"),
    # A private preview; its page gives no numbers, so these are OpenAI's.
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=200 * MB,
        price_factor=0.5,
        source="https://inference-docs.cerebras.ai/capabilities/batch",
        date="2026-11-20",
    ),
)
_ANTHROPIC = BatchSupport(
    dialect=AnthropicBatches(),
    limits=BatchLimits(
        max_requests=100_000,
        max_bytes=256 * MB,
        mixes_models=True,
        results_hours=29 * 24,
        price_factor=0.5,
        source="https://platform.claude.com/docs/en/build-with-claude/batch-processing",
        date="2026-11-20",
    ),
)
_GEMINI = BatchSupport(
    dialect=GeminiBatches(),
    # Requests are sent in the body; files of up to 2 GB are not used. No number of requests is documented; this one
    # bounds the size of the results, which are returned in one body.
    limits=BatchLimits(
        max_requests=5_000,
        max_bytes=20 * MB,
        window_hours=48,
        price_factor=0.5,
        source="https://ai.google.dev/gemini-api/docs/batch-api",
        date="2026-11-20",
    ),
)
_MISTRAL = BatchSupport(
    dialect=MistralBatches(),
    limits=BatchLimits(
        max_requests=100_000,
        max_bytes=512 * MB,
        results_hours=24,
        price_factor=0.5,
        source="https://docs.mistral.ai/resources/known-limitations",
        date="2026-11-30",
    ),
)
_COHERE = BatchSupport(
    dialect=CohereBatches(),
    # A dataset may have 1.5 GB, and is deleted after 30 days. No number of requests, no window and no price are documented.
    # The number of requests bounds the size of the results, whose parts are read as a whole; that of bytes is our own limit,
    # so that a batch fits into memory.
    limits=BatchLimits(
        max_requests=5_000,
        max_bytes=200 * MB,
        window_hours=0,
        results_hours=30 * 24,
        source="https://docs.cohere.com/docs/datasets",
        date="2026-11-30",
    ),
)
_FIREWORKS = BatchSupport(
    dialect=FireworksBatches(),
    # A dataset may have 500 MB, but one upload at most 150 MB. The number of requests is not limited; this one is our own.
    limits=BatchLimits(
        max_requests=100_000,
        max_bytes=150 * MB,
        price_factor=0.5,
        source="https://docs.fireworks.ai/guides/batch-inference",
        date="2026-11-30",
    ),
)
_XAI = BatchSupport(
    dialect=XAIBatches(),
    # Unlimited, but more than 100,000 may be throttled. The number of bytes is our own limit, so that a batch fits into
    # memory.
    limits=BatchLimits(
        max_requests=100_000,
        max_bytes=200 * MB,
        mixes_models=True,
        price_factor=0.5,
        source="https://docs.x.ai/docs/guides/batch-api",
        date="2026-11-20",
    ),
)
_OPENROUTER = BatchSupport(
    dialect=OpenRouterBatches(),
    limits=BatchLimits(
        max_requests=5_000,
        max_bytes=200 * MB,
        results_hours=30 * 24,
        price_factor=0.5,
        source="https://openrouter.ai/docs/guides/features/batch-api.md",
        date="2026-11-30",
    ),
)
_VERTEX = BatchSupport(
    dialect=VertexBatches(),
    # Files may have 1 GB; the number of bytes is our own limit, so that a batch fits into memory. Jobs wait up to 72 hours
    # before the 24 begin.
    limits=BatchLimits(
        max_requests=200_000,
        max_bytes=200 * MB,
        price_factor=0.5,
        source="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini",
        date="2026-11-30",
    ),
)
_VERTEX_ANTHROPIC = BatchSupport(
    dialect=VertexBatches(publisher="anthropic", id_place="custom_id"),
    # The page gives no limits of a job: the numbers are Anthropic's own, and the bytes those of the Gemini jobs.
    limits=BatchLimits(
        max_requests=100_000,
        max_bytes=200 * MB,
        price_factor=0.5,
        source="https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/batch",
        date="2026-11-30",
    ),
)
_BEDROCK = BatchSupport(
    dialect=BedrockBatches(),
    # Quotas differ by model; these are the usual ones. Files may have 1 GB; the number of bytes is our own limit, so that
    # a batch fits into memory.
    limits=BatchLimits(
        max_requests=50_000,
        max_bytes=200 * MB,
        price_factor=0.5,
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data.html",
        date="2026-11-30",
    ),
)
BATCHES: Mapping[str, BatchSupport] = {
    "openai": _OPENAI,
    "openai-responses": _OPENAI,
    "azure": _AZURE,
    "azure-responses": _AZURE,
    "groq": _GROQ,
    "together": _TOGETHER,
    "qwen": _QWEN,
    "qwen-china": _QWEN,
    "moonshot": _MOONSHOT,
    "moonshot-china": _MOONSHOT,
    "zai-china": _ZAI_CHINA,
    "cerebras": _CEREBRAS,
    "anthropic": _ANTHROPIC,
    "google": _GEMINI,
    "mistral": _MISTRAL,
    "cohere": _COHERE,
    "fireworks": _FIREWORKS,
    "xai": _XAI,
    "xai-responses": _XAI,
    "openrouter": _OPENROUTER,
    "openrouter-responses": _OPENROUTER,
    "vertex": _VERTEX,
    "vertex-anthropic": _VERTEX_ANTHROPIC,
    "bedrock": _BEDROCK,
}
"""Batch APIs by the name of the entry. The `batch` of an entry has precedence over this table."""


def find_batch_support(spec: ProviderSpec) -> BatchSupport | None:
    """Return the batch API of an entry; None if it has none."""
    return spec.batch or BATCHES.get(spec.name)
