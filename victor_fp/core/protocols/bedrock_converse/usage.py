"""Token usage and metadata of a response body or of the stream's metadata event."""

from __future__ import annotations

import msgspec
from victor_fp_wire.bedrock_converse.response import (
    ConverseResponse,
    ConverseStreamMetadataEvent,
    TokenUsage,
)

from victor_fp.core.deltas import Delta, MetadataReported, UsageReported
from victor_fp.core.json import Json


def emit_usage(source: ConverseResponse | ConverseStreamMetadataEvent) -> list[Delta]:
    """Emit the token usage and the metadata."""
    deltas: list[Delta] = [] if source.usage is None else [report_usage(source.usage)]
    facts: dict[str, Json] = {}
    if source.metrics is not None:
        facts["metrics"] = list_given_fields(source.metrics)
    if source.trace:
        facts["trace"] = source.trace
    if source.performance_config is not None and source.performance_config.latency is not None:
        facts["performance_config"] = list_given_fields(source.performance_config)
    if source.service_tier is not None and source.service_tier.type is not None:
        facts["service_tier"] = source.service_tier.type
    if source.usage is not None and (source.usage.cache_details or source.usage.server_tool_usage):
        facts["usage_raw"] = list_given_fields(source.usage)
    return [*deltas, MetadataReported(metadata=facts)] if facts else deltas


def report_usage(usage: TokenUsage) -> UsageReported:
    """Return the standard counts. Prompt tokens include cache reads and writes, which the vendor's inputTokens exclude."""
    read, written = usage.cache_read_input_tokens, usage.cache_write_input_tokens
    return UsageReported(
        prompt_tokens=None if usage.input_tokens is None else usage.input_tokens + (read or 0) + (written or 0),
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
    )


def list_given_fields(struct: msgspec.Struct) -> dict[str, Json]:
    """Return the fields of a wire struct that have a value, under the vendor's names."""
    return {name: value for name, value in msgspec.to_builtins(struct).items() if value is not None}
