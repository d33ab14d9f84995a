"""Stop reason, usage and metadata of a response, shared by bodies and streams."""

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
from victor_fp.core.protocols.stop_reasons import STOP_REASONS
from victor_fp.core.requests import Endpoint

FAILURES = frozenset({"ERROR", "TIMEOUT"})
"""Finish reasons of failed responses."""


def emit_plan(plan: str) -> list[Delta]:
    """Emit the tool plan, as metadata and as state to send back."""
    if not plan:
        return []
    return [StateReported({PLAN: plan}, alone=True), MetadataReported(metadata={PLAN: plan})]


def emit_citations(citations: list[dict[str, Any]]) -> list[Delta]:
    """Emit citations in the vendor's form."""
    return [MetadataReported(metadata={"citations": list(citations)})] if citations else []


def emit_logprobs(items: list[LogprobItem]) -> list[Delta]:
    """Emit log probabilities in the vendor's form."""
    logprobs: list[Json] = [_to_plain(msgspec.to_builtins(item)) for item in items]
    return [MetadataReported(metadata={"logprobs": logprobs})] if logprobs else []


def emit_stop(endpoint: Endpoint, reason: str | None, usage: Usage | None, error: str | None) -> list[Delta]:
    """Emit the usage, the stop reason and the end; or the fault if the reason is a failure."""
    deltas: list[Delta] = [] if usage is None else report_usage(usage)
    if error or reason in FAILURES:
        return [*deltas, ErrorReported(_fault_from_reason(endpoint, reason, error))]
    if reason:
        deltas.append(Stopped(STOP_REASONS.get(reason, reason), reason))
    return [*deltas, StreamEnded()]


def report_usage(usage: Usage) -> list[Delta]:
    """Emit prompt and completion tokens. Billed units, which differ from them, are in `usage_raw` with all other counts."""
    tokens, deltas = usage.tokens, list[Delta]()
    reported = UsageReported(
        prompt_tokens=None if tokens is None else _to_int(tokens.input_tokens),
        completion_tokens=None if tokens is None else _to_int(tokens.output_tokens),
        cache_read_input_tokens=_to_int(usage.cached_tokens),
        reasoning_tokens=None if tokens is None else _to_int(tokens.reasoning_tokens),
    )
    if reported != UsageReported():
        deltas.append(reported)
    if raw := _to_plain(msgspec.to_builtins(usage)):
        deltas.append(MetadataReported(metadata={"usage_raw": raw}))
    return deltas


def _fault_from_reason(endpoint: Endpoint, reason: str | None, error: str | None) -> Fault:
    name = endpoint.spec.name
    if reason == "TIMEOUT":
        message = error or "generation took too long"
        return TimedOut(provider=name, message=message, code=reason, phase="read", maybe_billed=True)
    return ServerFailed(provider=name, message=error or "generation failed", code=reason, maybe_billed=True)


def _to_int(value: float | None) -> int | None:
    return None if value is None else int(value)


def _to_plain(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy without None values, with integral floats as int."""
    out: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            out[name] = _to_plain(item)
        elif isinstance(item, float) and item.is_integer() and name != "logprobs":
            out[name] = int(item)
        elif item is not None:
            out[name] = item
    return out
