"""Decoding of responses and stream events to deltas: parts, usage, stop reasons and metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from victor_fp_wire.gemini.operations import GenerateContent
from victor_fp_wire.gemini.response import (
    Candidate,
    GenerateContentResponse,
    Part,
    PromptFeedback,
    UsageMetadata,
)

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    MetadataReported,
    ReasoningDelta,
    StateReported,
    Stopped,
    StreamEnded,
    TextDelta,
    UsageReported,
)
from victor_fp.core.faults import ContentRefused, InvalidResponse
from victor_fp.core.json import Json, Undecodable
from victor_fp.core.protocols.gemini.errors import fault_from_error, find_status, is_error
from victor_fp.core.protocols.gemini.function_calls import NO_CALLS, CallProgress, read_call
from victor_fp.core.protocols.gemini.notes import emit_replaced_notes, read_candidate_notes, to_plain
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.stop_reasons import STOP_REASONS
from victor_fp.core.requests import Endpoint

RESPONSES = build_decoder(GenerateContent.RESPONSE, keep_surrogates=True)
"""Decoder of bodies and stream events, which have the same type."""

FAILURES = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
"""Finish reasons of failed generations. https://ai.google.dev/api/generate-content#FinishReason"""


class GeminiProgress(msgspec.Struct, frozen=True, kw_only=True):
    """State carried from one event of a response to the next."""

    id: str | None = None
    created: str | None = None
    model: str | None = None
    calls: CallProgress = NO_CALLS
    usage: UsageMetadata | None = None
    """The newest count of each kind; later events may repeat only some."""
    notes: Mapping[str, Json] = {}
    """Metadata of which a later value replaces an earlier one."""


START = GeminiProgress()


def read(endpoint: Endpoint, body: bytes) -> Sequence[Delta]:
    """Decode a 200 body to deltas."""
    response = RESPONSES.decode(body)
    if isinstance(response, Undecodable) or not (response.candidates or _is_refusal(response.prompt_feedback)):
        error = find_status(body)
        if error is not None or is_error(body):
            return [ErrorReported(fault_from_error(endpoint, error, body))]
        reason = response.reason if isinstance(response, Undecodable) else "neither candidates nor a block reason"
        return [
            ErrorReported(
                InvalidResponse(provider=endpoint.spec.name, message=f"the response contains no completion: {reason}")
            )
        ]
    progress, deltas = read_response(endpoint, START, response)
    return [*deltas, *emit_last_notes(progress), StreamEnded()]


def read_response(
    endpoint: Endpoint, progress: GeminiProgress, response: GenerateContentResponse
) -> tuple[GeminiProgress, list[Delta]]:
    """Return the deltas of a response or stream event."""
    progress, deltas = _read_identity(progress, response)
    for candidate in response.candidates or ():
        # Other candidates exist only if requested by extra_body, and are in raw_response.
        if not candidate.index:
            progress, found = _read_candidate(progress, candidate)
            deltas += found
            break
    if response.usage_metadata is not None:
        usage = _merge_usage(progress.usage, response.usage_metadata)
        deltas.append(_report_usage(usage))
        progress = msgspec.structs.replace(progress, usage=usage)
    if (feedback := response.prompt_feedback) is not None and _is_refusal(feedback):
        deltas.append(ErrorReported(_build_refusal(endpoint, progress.model, feedback)))
    if notes := emit_replaced_notes(response):
        progress = msgspec.structs.replace(progress, notes={**progress.notes, **notes})
    return progress, deltas


def emit_last_notes(progress: GeminiProgress) -> list[Delta]:
    """Return the metadata that are final only at the end."""
    notes: dict[str, Json] = dict(progress.notes)
    if progress.usage is not None:
        usage = to_plain(progress.usage)
        if tier := usage.get("serviceTier"):
            notes["service_tier"] = tier
        if any(not isinstance(value, int) for value in usage.values()):
            notes["usage_raw"] = usage
    return [MetadataReported(metadata=notes)] if notes else []


def _read_identity(progress: GeminiProgress, response: GenerateContentResponse) -> tuple[GeminiProgress, list[Delta]]:
    """Return id, creation time and model if they are new."""
    id_ = response.response_id or progress.id
    created = response.create_time or progress.created
    model = response.model_version or progress.model
    if id_ == progress.id and created == progress.created and model == progress.model:
        return progress, []
    metadata: dict[str, Json] = {}
    if id_:
        metadata["id"] = id_
    if created:
        metadata["created"] = created
    read = msgspec.structs.replace(progress, id=id_, created=created, model=model)
    return read, [MetadataReported(model=model, metadata=metadata)]


def _read_candidate(progress: GeminiProgress, candidate: Candidate) -> tuple[GeminiProgress, list[Delta]]:
    deltas: list[Delta] = []
    if candidate.content is not None:
        for part in candidate.content.parts or ():
            if part.function_call is not None:
                seed = progress.id or progress.created
                calls, found = read_call(progress.calls, seed, part.function_call, part.thought_signature)
                deltas += found
                progress = msgspec.structs.replace(progress, calls=calls)
            elif part.text is not None:
                deltas += _read_text(part, part.text)
            else:
                deltas += _keep_part(part)
    if candidate.finish_reason:
        reason = STOP_REASONS.get(candidate.finish_reason, candidate.finish_reason)
        deltas.append(Stopped(reason, candidate.finish_reason, is_failure=reason in FAILURES))
    if notes := read_candidate_notes(candidate):
        deltas.append(MetadataReported(metadata=notes))
    return progress, deltas


def _read_text(part: Part, text: str) -> Sequence[Delta]:
    """Return text or a thought. A signed part is a separate block, since its signature belongs to this part."""
    signature = part.thought_signature
    if not text:
        return _keep_part(part) if signature else ()
    delta = ReasoningDelta(text) if part.thought else TextDelta(text)
    if signature:
        state: dict[str, Json] = {"thoughtSignature": signature}
        return (BlockEnded(), delta, StateReported(state), BlockEnded())
    return (delta,)


def _keep_part(part: Part) -> Sequence[Delta]:
    """Return any other part (images, executed code) as metadata, and as state for the next turn."""
    fields = to_plain(part)
    if not fields:
        return ()
    shown = {name: value for name, value in fields.items() if name not in ("thoughtSignature", "text", "thought")}
    if not shown:
        # A part with only a signature is rejected, so it is sent with an empty text.
        return (StateReported({"part": {"text": "", **fields}}, alone=True),)
    note: dict[str, Json] = {**shown, "thought": True} if part.thought else shown
    return MetadataReported(metadata={"parts": [note]}), StateReported({"part": fields}, alone=True)


def _merge_usage(old: UsageMetadata | None, new: UsageMetadata) -> UsageMetadata:
    if old is None:
        return new
    fields = {name: value for name in new.__struct_fields__ if (value := getattr(new, name)) is not None}
    return msgspec.structs.replace(old, **fields)


def _report_usage(usage: UsageMetadata) -> UsageReported:
    """Return the usage. The vendor counts thoughts apart from candidates, and server tool results apart from the prompt."""
    return UsageReported(
        prompt_tokens=sum_counts(usage.prompt_token_count, usage.tool_use_prompt_token_count),
        completion_tokens=sum_counts(usage.candidates_token_count, usage.thoughts_token_count),
        total_tokens=usage.total_token_count,
        cache_read_input_tokens=usage.cached_content_token_count,
        reasoning_tokens=usage.thoughts_token_count,
    )


def sum_counts(count: int | None, additional: int | None) -> int | None:
    """Return the sum of two counts, of which each may be missing; None if both are."""
    return count if additional is None else (count or 0) + additional


def _is_refusal(feedback: PromptFeedback | None) -> bool:
    return feedback is not None and bool(feedback.block_reason or feedback.block_reason_message)


def _build_refusal(endpoint: Endpoint, model: str | None, feedback: PromptFeedback) -> ContentRefused:
    reason = feedback.block_reason or "no reason given"
    details = f": {feedback.block_reason_message}" if feedback.block_reason_message else ""
    return ContentRefused(
        provider=endpoint.spec.name,
        model=model,
        message=f"the prompt was blocked ({reason}){details}",
        code=feedback.block_reason,
    )
