"""What stands beside an answer, the same from a body and from a stream: how it ended, what it cost, what it cites."""

from __future__ import annotations

from typing import Any

import msgspec
from victor_fp_wire.cohere_v2.response import LogprobItem, Usage

from victor_fp.core.deltas import (
    Delta,
    ErrorReported,
    MetadataReported,
    StateReported,
    Stopped,
    StreamEnded,
    UsageReported,
)
from victor_fp.core.faults import Fault, ServerFailed, TimedOut
from victor_fp.core.json import Json
from victor_fp.core.protocols.cohere_v2.messages import PLAN
from victor_fp.core.requests import Endpoint

STOP_REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_use",
    # Finish reasons of the older API, which gateways still pass on.
    "ERROR_TOXIC": "content_filter",
    "ERROR_LIMIT": "length",
}
BROKEN = frozenset({"ERROR", "TIMEOUT"})
"""Finish reasons of answers that are none."""


def emit_plan(plan: str) -> list[Delta]:
    """The plan before calls: for the caller in metadata, for the vendor as state that goes back."""
    if not plan:
        return []
    return [StateReported({PLAN: plan}, alone=True), MetadataReported(metadata={PLAN: plan})]


def emit_citations(citations: list[dict[str, Any]]) -> list[Delta]:
    """Citations, in the vendor's form."""
    return [MetadataReported(metadata={"citations": list(citations)})] if citations else []


def emit_logprobs(items: list[LogprobItem]) -> list[Delta]:
    """Log probabilities, in the vendor's form."""
    told: list[Json] = [_to_plain(msgspec.to_builtins(item)) for item in items]
    return [MetadataReported(metadata={"logprobs": told})] if told else []


def emit_stop(endpoint: Endpoint, reason: str | None, usage: Usage | None, error: str | None) -> list[Delta]:
    """Counts, the reason, and the end; or the failure that the reason is."""
    deltas: list[Delta] = [] if usage is None else report_usage(usage)
    if error or reason in BROKEN:
        return [*deltas, ErrorReported(_fault_from_reason(endpoint, reason, error))]
    if reason:
        deltas.append(Stopped(STOP_REASONS.get(reason, reason), reason))
    return [*deltas, StreamEnded()]


def report_usage(usage: Usage) -> list[Delta]:
    """The tokens of prompt and answer. What is billed is less, and stands in `usage_raw` with everything else."""
    tokens, deltas = usage.tokens, list[Delta]()
    reported = UsageReported(
        prompt_tokens=None if tokens is None else _to_whole(tokens.input_tokens),
        completion_tokens=None if tokens is None else _to_whole(tokens.output_tokens),
        cache_read_input_tokens=_to_whole(usage.cached_tokens),
        reasoning_tokens=None if tokens is None else _to_whole(tokens.reasoning_tokens),
    )
    if reported != UsageReported():
        deltas.append(reported)
    if raw := _to_plain(msgspec.to_builtins(usage)):
        deltas.append(MetadataReported(metadata={"usage_raw": raw}))
    return deltas


def _fault_from_reason(endpoint: Endpoint, reason: str | None, error: str | None) -> Fault:
    name = endpoint.spec.name
    if reason == "TIMEOUT":
        words = error or "generation took too long"
        return TimedOut(provider=name, message=words, code=reason, phase="read", maybe_billed=True)
    return ServerFailed(provider=name, message=error or "generation broke", code=reason, maybe_billed=True)


def _to_whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _to_plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is absent; whole numbers as such."""
    out: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            out[name] = _to_plain(item)
        elif isinstance(item, float) and item.is_integer() and name != "logprobs":
            out[name] = int(item)
        elif item is not None:
            out[name] = item
    return out
