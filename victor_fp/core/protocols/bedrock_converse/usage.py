"""Token counts, and the facts beside an answer that a body and the stream's last event share."""

from __future__ import annotations

import msgspec
from victor_fp_wire.bedrock_converse.response import (
    ConverseResponse,
    ConverseStreamMetadataEvent,
    TokenUsage,
)

from victor_fp.core.deltas import Delta, MetadataReported, UsageReported
from victor_fp.core.json import Json


def emit_usage(said: ConverseResponse | ConverseStreamMetadataEvent) -> list[Delta]:
    """The counts, and what is noted."""
    deltas: list[Delta] = [] if said.usage is None else [report_usage(said.usage)]
    facts: dict[str, Json] = {}
    if said.metrics is not None:
        facts["metrics"] = list_given_fields(said.metrics)
    if said.trace:
        facts["trace"] = said.trace
    if said.performance_config is not None and said.performance_config.latency is not None:
        facts["performance_config"] = list_given_fields(said.performance_config)
    if said.service_tier is not None and said.service_tier.type is not None:
        facts["service_tier"] = said.service_tier.type
    if said.usage is not None and (said.usage.cache_details or said.usage.server_tool_usage):
        facts["usage_raw"] = list_given_fields(said.usage)
    return [*deltas, MetadataReported(metadata=facts)] if facts else deltas


def report_usage(usage: TokenUsage) -> UsageReported:
    """The standard counts. The vendor's inputTokens leaves out what was read from or written to the cache; ours not."""
    read, written = usage.cache_read_input_tokens, usage.cache_write_input_tokens
    return UsageReported(
        prompt_tokens=None if usage.input_tokens is None else usage.input_tokens + (read or 0) + (written or 0),
        completion_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
    )


def list_given_fields(struct: msgspec.Struct) -> dict[str, Json]:
    """A wire struct's fields that have a value, under the vendor's names."""
    return {name: value for name, value in msgspec.to_builtins(struct).items() if value is not None}
