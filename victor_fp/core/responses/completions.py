"""Conversion of a body or a transcript to a completion, a final chunk, or a fault with the partial response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from returns.result import Failure, Result, Success

from victor_fp.core import faults
from victor_fp.core.conversation import BlockKind, build_provider_state
from victor_fp.core.faults import Attempt, Fault, InvalidResponse, Partial, StreamTruncated
from victor_fp.core.json import Json, NotJson, decode_json_object, merge_objects, unroll
from victor_fp.core.requests import Adjustment, Endpoint
from victor_fp.core.transcript import NO_CALLS, Transcript, build_blocks, build_usage
from victor_fp.core.types import CompletionResponse, StreamChunk
from victor_fp.core.usage.cost import compute_cost

TOO_DEEP = "the response is nested too deeply"
"""Message for JSON that is nested almost as deeply as the recursion limit."""


class ResponseContext(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The properties of a request that are needed to read its response."""

    endpoint: Endpoint
    model: str | None = None
    url: str | None = None
    """The URL of the request; faults contain it without secrets."""
    adjustments: tuple[Adjustment, ...] = ()
    tool_names: Mapping[str, str] = {}
    """The caller's tool names by the names that were sent, if they differ."""
    required_call: str | None = None
    """The tool that must be called; empty: any tool; None: no call is required."""


def join_text(transcript: Transcript, kind: BlockKind, separator: str = "") -> str:
    """Join the text of all blocks of one kind."""
    texts = ["".join(unroll(block.pieces)) for block in unroll(transcript.open_blocks) if block.kind == kind]
    return separator.join(filter(None, texts))


def build_completion(
    context: ResponseContext, transcript: Transcript, body: bytes
) -> Result[CompletionResponse, Fault]:
    """Build the response from a complete body, or return its fault."""
    if transcript.fault is not None:
        return Failure(with_context(context, transcript.fault))
    if transcript.stopped is None and not transcript.ended and not transcript.has_output:
        return Failure(with_context(context, InvalidResponse(message="the response contains no completion")))
    if context.required_call is not None and (missing := find_missing_call(context, transcript)) is not None:
        return Failure(with_partial(context, transcript, missing))
    raw = decode_json_object(body)
    try:
        return Success(_build_response(context, transcript, None if isinstance(raw, NotJson) else raw))
    except RecursionError:
        return Failure(with_context(context, InvalidResponse(message=TOO_DEEP, maybe_billed=True)))


def build_final_chunk(context: ResponseContext, transcript: Transcript) -> Result[StreamChunk, Fault]:
    """Build the final chunk of a stream, with the complete response, or return the fault."""
    if transcript.fault is not None:
        return Failure(with_partial(context, transcript, transcript.fault))
    if transcript.stopped is None:
        message = "the stream ended before its final event"
        return Failure(with_partial(context, transcript, StreamTruncated(message=message)))
    if context.required_call is not None and (missing := find_missing_call(context, transcript)) is not None:
        return Failure(with_partial(context, transcript, missing))
    response = _build_response(context, transcript)
    chunk = StreamChunk(
        is_final=True,
        tool_calls=response.tool_calls,
        stop_reason=response.stop_reason,
        usage=response.usage,
        model=response.model,
        metadata=response.metadata,
        response=response,
    )
    return Success(chunk)


_ENDED = frozenset({"stop", "tool_use"})
"""Stop reasons of complete responses, that is, not truncated, filtered or refused."""


def find_missing_call(context: ResponseContext, transcript: Transcript) -> InvalidResponse | None:
    """Return the fault for a response without the call that `tool_choice` requires; None if the call is not missing."""
    required, stopped = context.required_call, transcript.stopped
    if required is None or (stopped is not None and stopped.reason not in _ENDED):
        return None
    called = [call.name for call in transcript.calls]
    if (called and not required) or required in called or join_text(transcript, "refusal"):
        return None
    asked = f"a call of the tool {required!r}" if required else "a call of one of the tools"
    got = f"calls of {', '.join(map(repr, called))}" if called else "no call"
    return InvalidResponse(message=f"tool_choice requires {asked}, but the response has {got}", maybe_billed=True)


def fold_chunks(chunks: Sequence[StreamChunk]) -> CompletionResponse:
    """Fold chunks into a response, for custom providers whose final chunk has none."""
    final = chunks[-1] if chunks else StreamChunk(is_final=True)
    if final.response is not None:
        return final.response
    metadata = dict(final.metadata or {})
    if "reasoning_content" not in metadata:
        pieces = [str((chunk.metadata or {}).get("reasoning_content") or "") for chunk in chunks]
        if reasoning := "".join(pieces):
            metadata["reasoning_content"] = reasoning
    calls = final.tool_calls or [call for chunk in chunks for call in chunk.tool_calls or ()]
    return CompletionResponse(
        content="".join([chunk.content for chunk in chunks]),
        tool_calls=calls or None,
        stop_reason=final.stop_reason,
        usage=final.usage or next((chunk.usage for chunk in reversed(chunks) if chunk.usage), None),
        model=final.model or next((chunk.model for chunk in chunks if chunk.model), None),
        metadata=metadata or None,
    )


def with_partial(context: ResponseContext, transcript: Transcript, fault: Fault) -> Fault:
    """Add the part of the response that was received to the fault of a stream."""
    if not transcript.has_output:
        return with_context(context, fault)
    partial = Partial(
        content=join_text(transcript, "text"),
        reasoning=join_text(transcript, "reasoning", "\n\n"),
        tool_calls=tuple({**call.build_call()} for call in transcript.calls),
        usage=build_usage(transcript.usage),
    )
    return msgspec.structs.replace(with_context(context, fault), partial=partial, maybe_billed=True)


def with_context(context: ResponseContext, fault: Fault) -> Fault:
    """Add the provider, model and URL of the request to a fault, where they are not set."""
    spec = context.endpoint.spec
    url = None if spec.transport == "embedded" else context.url  # an in-process engine has no URL
    return faults.with_context(fault, spec.name, context.model, url)


def _build_response(
    context: ResponseContext, transcript: Transcript, raw_response: Mapping[str, Json] | None = None
) -> CompletionResponse:
    """Build the response of a complete transcript."""
    blocks = unroll(transcript.open_blocks)
    model = transcript.model or context.model
    usage = build_usage(transcript.usage)
    stopped = transcript.stopped
    metadata: dict[str, Any] = {}
    if transcript.notes is not None:
        before, newest = transcript.notes
        metadata = dict(newest) if before is None else merge_objects(unroll(transcript.notes))
    if stopped is not None and stopped.raw is not None:
        metadata["stop_reason_raw"] = stopped.raw
    if any(block.kind != "text" or block.states is not None for block in blocks):
        metadata.update(_collect_block_metadata(context, transcript, model))
    if context.adjustments:
        metadata["adjustments"] = dump_adjustments(context.adjustments)
    price = context.endpoint.price
    if price is not None and (cost := compute_cost(price, (transcript.model, context.model), usage, metadata)):
        metadata["cost"] = cost
    calls = None if transcript.calls is NO_CALLS else [call.build_call() for call in transcript.calls]
    reason = None if stopped is None else stopped.reason
    if calls and stopped is not None and stopped.is_failure:
        pass  # the calls may be unrequested or incomplete
    elif calls and reason not in {"length", "content_filter", "refusal"}:
        reason = "tool_use"  # the vendor's reason is kept in `stop_reason_raw`
    elif reason in {"stop", "tool_use"}:
        # Some vendors report "stop" for a refusal.
        if reason == "tool_use":
            reason = "stop"
        if reason == "stop" and "refusal" in metadata:
            reason = "refusal"
    return CompletionResponse(
        content="".join(["".join(unroll(block.pieces)) for block in blocks if block.kind == "text"]),
        tool_calls=calls,
        stop_reason=reason,
        usage=usage,
        model=model,
        raw_response=raw_response,
        metadata=metadata or None,
    )


def _collect_block_metadata(context: ResponseContext, transcript: Transcript, model: str | None) -> dict[str, Any]:
    """Collect the metadata of blocks other than plain text."""
    metadata: dict[str, Any] = {}
    if reasoning := join_text(transcript, "reasoning", "\n\n"):
        metadata["reasoning_content"] = reasoning
    if refusal := join_text(transcript, "refusal"):
        metadata["refusal"] = refusal
    spec = context.endpoint.spec
    state = build_provider_state(spec.dialect.protocol, spec.name, model, build_blocks(transcript))
    if state is not None:
        metadata["provider_state"] = state
    return metadata


def dump_adjustments(adjustments: Sequence[Adjustment]) -> list[dict[str, str]]:
    """Convert adjustments to their form in metadata."""
    return [{"parameter": a.parameter, "action": a.action, "reason": a.reason} for a in adjustments]


def dump_attempts(attempts: Sequence[Attempt]) -> list[dict[str, object]]:
    """Convert attempts to their form in metadata."""
    return [msgspec.to_builtins(attempt) for attempt in attempts]


def load_attempts(metadata: Mapping[str, Any] | None) -> tuple[Attempt, ...]:
    """Return the attempts in the metadata of a response; () if there are none, or if they cannot be read."""
    if not metadata or "attempts" not in metadata:
        return ()
    try:
        return msgspec.convert(metadata["attempts"], tuple[Attempt, ...])
    except msgspec.ValidationError:  # a custom provider may use the name for something else
        return ()


def record_attempts(response: CompletionResponse, attempts: Sequence[Attempt]) -> CompletionResponse:
    """Add the attempts of the call to the metadata of its response."""
    metadata = {**(response.metadata or {}), "attempts": dump_attempts(attempts)}
    return response.model_copy(update={"metadata": metadata})
