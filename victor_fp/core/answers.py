"""What a transcript amounts to at its end: a completion, a final chunk, or a fault with what had come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core.chains import join_chain
from victor_fp.core.cost import compute_cost
from victor_fp.core.faults import Fault, InvalidResponse, Partial, StreamTruncated
from victor_fp.core.json import NotJson, decode_json_object
from victor_fp.core.request_building.conversation import BlockKind, build_provider_state
from victor_fp.core.requests import Adjustment, Endpoint
from victor_fp.core.transcript import Transcript, build_blocks, build_usage
from victor_fp.core.types import CompletionResponse, StreamChunk


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer needs to know of its question."""

    endpoint: Endpoint
    model: str | None = None
    adjustments: tuple[Adjustment, ...] = ()


def text_of(transcript: Transcript, kind: BlockKind, joint: str = "") -> str:
    """The text of all blocks of one kind."""
    return joint.join(text for block in transcript.blocks if block.kind == kind and (text := join_chain(block.pieces)))


def completion(asked: Asked, transcript: Transcript, body: bytes) -> Result[CompletionResponse, Fault]:
    """A whole body's answer."""
    if transcript.fault is not None:
        return Failure(placed(asked, transcript.fault))
    if not transcript.blocks and transcript.stopped is None and not transcript.ended:
        return Failure(placed(asked, InvalidResponse(message="the answer holds no completion")))
    raw = decode_json_object(body)
    return Success(
        CompletionResponse(
            content=text_of(transcript, "text"),
            raw_response=None if isinstance(raw, NotJson) else raw,
            **_facts(asked, transcript),
        )
    )


def final_chunk(asked: Asked, transcript: Transcript) -> Result[StreamChunk, Fault]:
    """A stream's end: the one final chunk, or why there is none."""
    if transcript.fault is not None:
        return Failure(broken_off(asked, transcript, transcript.fault))
    if transcript.stopped is None:
        message = "the stream ended without the protocol's own ending"
        return Failure(broken_off(asked, transcript, StreamTruncated(message=message)))
    facts = _facts(asked, transcript)
    response = CompletionResponse(content=text_of(transcript, "text"), **facts)
    return Success(StreamChunk(is_final=True, response=response, **facts))


def broken_off(asked: Asked, transcript: Transcript, fault: Fault) -> Fault:
    """A fault that ends a stream, with everything that had reached the caller."""
    if not transcript.spoken:
        return placed(asked, fault)
    partial = Partial(
        content=text_of(transcript, "text"),
        reasoning=text_of(transcript, "reasoning", "\n\n"),
        tool_calls=tuple({**call.call()} for call in transcript.calls),
        usage=build_usage(transcript.usage),
    )
    return msgspec.structs.replace(placed(asked, fault), partial=partial, maybe_billed=True)


def placed(asked: Asked, fault: Fault) -> Fault:
    """A fault that says who and which model."""
    return msgspec.structs.replace(
        fault, provider=fault.provider or asked.endpoint.spec.name, model=fault.model or asked.model
    )


def _facts(asked: Asked, transcript: Transcript) -> dict[str, Any]:
    """The fields that a completion and a final chunk share."""
    model = transcript.model or asked.model
    usage = build_usage(transcript.usage)
    metadata = _metadata(asked, transcript, model)
    price = asked.endpoint.price
    if price is not None and (cost := compute_cost(price, (transcript.model, asked.model), usage, metadata)):
        metadata["cost"] = cost
    return {
        "tool_calls": [call.call() for call in transcript.calls] or None,
        "stop_reason": _stop_reason(transcript),
        "usage": usage,
        "model": model,
        "metadata": metadata or None,
    }


def _stop_reason(transcript: Transcript) -> str | None:
    """The vendor's reason, made true: calls decide between stop and tool_use, a refusal is one."""
    if transcript.stopped is None:
        return "tool_use" if transcript.calls else None
    reason = transcript.stopped.reason
    if transcript.calls and reason not in ("length", "content_filter", "refusal"):
        return "tool_use"
    if reason == "tool_use" and not transcript.calls:
        return "stop"
    if reason == "stop" and any(block.kind == "refusal" for block in transcript.blocks):
        return "refusal"
    return reason


def _metadata(asked: Asked, transcript: Transcript, model: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = dict(transcript.metadata)
    if transcript.stopped is not None and transcript.stopped.raw is not None:
        metadata["stop_reason_raw"] = transcript.stopped.raw
    if all(block.kind == "text" and block.state is None for block in transcript.blocks):
        pass
    else:
        if reasoning := text_of(transcript, "reasoning", "\n\n"):
            metadata["reasoning_content"] = reasoning
        if refusal := text_of(transcript, "refusal"):
            metadata["refusal"] = refusal
        spec = asked.endpoint.spec
        state = build_provider_state(spec.dialect.protocol, spec.name, model, build_blocks(transcript))
        if state is not None:
            metadata["provider_state"] = state
    if asked.adjustments:
        metadata["adjustments"] = adjustments_as_dicts(asked.adjustments)
    return metadata


def adjustments_as_dicts(adjustments: Sequence[Adjustment]) -> list[dict[str, str]]:
    """Adjustments as they stand in metadata."""
    return [{"parameter": a.parameter, "action": a.action, "reason": a.reason} for a in adjustments]
