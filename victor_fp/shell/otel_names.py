"""The names of OpenTelemetry's GenAI conventions, for each supported version.

Sources: the semantic conventions of OpenTelemetry, "gen-ai" spans and metrics, at 1.36 and 1.41, and their successor in
a separate repository (semantic-conventions-genai, 0.1.0), here "genai-0.1". A name that a version does not define is
empty and is not emitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Version: TypeAlias = Literal["1.36", "1.41", "genai-0.1"]
"""Version of the semantic conventions."""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names of one version."""

    provider: str
    operation: str = "gen_ai.operation.name"
    output_type: str = "gen_ai.output.type"
    request_model: str = "gen_ai.request.model"
    stream: str = ""
    options: Mapping[str, str]
    """By our name of the option."""
    response_model: str = "gen_ai.response.model"
    response_id: str = "gen_ai.response.id"
    finish_reasons: str = "gen_ai.response.finish_reasons"
    first_chunk: str = ""
    usage: Mapping[str, str]
    """By the name in `usage`."""
    system: str = ""
    prompt: str
    completion: str
    error: str = "error.type"
    address: str = "server.address"
    port: str = "server.port"
    token_type: str = "gen_ai.token.type"  # noqa: S105  a name
    duration_metric: str = "gen_ai.client.operation.duration"
    usage_metric: str = "gen_ai.client.token.usage"
    """One histogram for all counts, distinguished by the token type."""
    usage_metrics: Mapping[str, str] = {}
    """One histogram for each count, by the name in `usage`."""
    first_chunk_metric: str = ""
    chunk_gap_metric: str = ""
    vendors: Mapping[str, str] = {}
    """Names of providers in the conventions, by our name; other providers keep their name."""


_OPTIONS = {
    "temperature": "gen_ai.request.temperature",
    "max_tokens": "gen_ai.request.max_tokens",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
}
_DIMENSIONS = {"dimensions": "gen_ai.embeddings.dimension.count"}
_COUNTS = {"prompt_tokens": "gen_ai.usage.input_tokens", "completion_tokens": "gen_ai.usage.output_tokens"}
_VENDORS = {
    "openai-responses": "openai",
    "azure": "azure.ai.openai",
    "azure-responses": "azure.ai.openai",
    "google": "gcp.gemini",
    "google-interactions": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "vertex-anthropic": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "deepseek-anthropic": "deepseek",
}

NAMES: Mapping[Version, Names] = {
    "1.36": Names(
        provider="gen_ai.system",
        options=_OPTIONS,
        usage=_COUNTS,
        prompt="gen_ai.prompt",
        completion="gen_ai.completion",
        vendors={**_VENDORS, "azure": "az.ai.openai", "azure-responses": "az.ai.openai", "xai": "xai"},
    ),
    "1.41": Names(
        provider="gen_ai.provider.name",
        stream="gen_ai.request.stream",
        first_chunk="gen_ai.response.time_to_first_chunk",
        options={**_OPTIONS, **_DIMENSIONS},
        usage={
            **_COUNTS,
            "cache_creation_input_tokens": "gen_ai.usage.cache_creation.input_tokens",
            "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
            "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
        },
        system="gen_ai.system_instructions",
        prompt="gen_ai.input.messages",
        completion="gen_ai.output.messages",
        first_chunk_metric="gen_ai.client.operation.time_to_first_chunk",
        chunk_gap_metric="gen_ai.client.operation.time_per_output_chunk",
        vendors={**_VENDORS, "xai": "x_ai"},
    ),
    "genai-0.1": Names(
        provider="gen_ai.provider.name",
        stream="gen_ai.request.stream",
        first_chunk="gen_ai.response.time_to_first_chunk",
        options={**_OPTIONS, **_DIMENSIONS, "reasoning_effort": "gen_ai.request.reasoning.level"},
        usage={
            **_COUNTS,
            "cache_creation_input_tokens": "gen_ai.usage.cache_write.input_tokens",
            "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
            "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
        },
        system="gen_ai.system_instructions",
        prompt="gen_ai.input.messages",
        completion="gen_ai.output.messages",
        duration_metric="gen_ai.client.inference.duration",
        usage_metric="",
        usage_metrics={
            "prompt_tokens": "gen_ai.client.inference.usage.input_tokens",
            "completion_tokens": "gen_ai.client.inference.usage.output_tokens",
            "cache_creation_input_tokens": "gen_ai.client.inference.usage.cache_write.input_tokens",
            "cache_read_input_tokens": "gen_ai.client.inference.usage.cache_read.input_tokens",
            "reasoning_tokens": "gen_ai.client.inference.usage.reasoning.output_tokens",
        },
        first_chunk_metric="gen_ai.client.inference.time_to_first_chunk",
        chunk_gap_metric="gen_ai.client.inference.time_per_output_chunk",
        vendors={**_VENDORS, "xai": "x_ai"},
    ),
}

OWN_ATTEMPTS = "victor_fp.tries"
OWN_OUTCOME = "victor_fp.outcome"
OWN_FALLBACKS = "victor_fp.fallbacks"
OWN_QUEUED = "victor_fp.queue_seconds"
OWN_RETRYING = "victor_fp.retry_seconds"
OWN_FAILED_ATTEMPT = "victor_fp.failed_try"
"""The event for a failed attempt. The conventions define no names for these."""

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Histogram buckets required by the conventions."""
