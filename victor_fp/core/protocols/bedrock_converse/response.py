"""A whole answer as deltas, and the parts of it that a stream's events share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from victor_fp_wire.bedrock_converse.operations import Converse
from victor_fp_wire.bedrock_converse.response import (
    CitationsContentBlock,
    ContentBlock,
    ConverseResponse,
    MessageStopEvent,
    ReasoningTextBlock,
    ToolUseBlock,
    ToolUseBlockStart,
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
    ToolCallArguments,
    ToolCallStarted,
)
from victor_fp.core.faults import Fault, InvalidResponse
from victor_fp.core.json import Json, NotJson, decode_json_object, encode_flawed_json
from victor_fp.core.protocols.bedrock_converse.errors import fault_from_exception
from victor_fp.core.protocols.bedrock_converse.usage import emit_usage
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.requests import Endpoint
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.wire_decoding import Undecodable

_ANSWER = build_decoder(Converse.RESPONSE, keep_surrogates=True)

STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_use",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
"""The rest stays the vendor's own word."""
FAILURES = frozenset({"malformed_tool_use", "malformed_model_output"})
"""Words for generation that failed."""

SERVER_SIDE = "server_tool_use"
"""The type of a call that the vendor answers itself."""


def read(endpoint: Endpoint, body: bytes) -> Sequence[Delta]:
    """What a 200 body means."""
    answer = _ANSWER.decode(body)
    if isinstance(answer, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=answer.reason))]
    message = None if answer.output is None else answer.output.message
    if message is None and answer.stop_reason is None:
        return [ErrorReported(_fault_from_empty_body(endpoint, body))]
    blocks = [] if message is None else message.content or []
    as_sent = _list_raw_blocks(body) if any(map(is_opaque, blocks)) else []
    deltas: list[Delta] = []
    for place, block in enumerate(blocks):
        deltas += _emit_unread(as_sent, place) if is_opaque(block) else emit_block(block, place)
    return [*deltas, *emit_stop(answer), *emit_usage(answer), StreamEnded()]


def _fault_from_empty_body(endpoint: Endpoint, body: bytes) -> Fault:
    fields = decode_json_object(body)
    named = None if isinstance(fields, NotJson) else fields.get("__type")
    if isinstance(named, str):
        return fault_from_exception(endpoint, named, body, maybe_billed=False)
    return InvalidResponse(provider=endpoint.spec.name, message="the body holds no message")


def _list_raw_blocks(body: bytes) -> list[dict[str, Json]]:
    """The content blocks with everything that stands in them."""
    inner: Json | NotJson = decode_json_object(body)
    for name in ("output", "message", "content"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return [dict(block) for block in inner if isinstance(block, Mapping)] if isinstance(inner, list) else []


def _emit_unread(as_sent: Sequence[dict[str, Json]], place: int) -> list[Delta]:
    """A block that only the vendor reads. One without content says nothing."""
    block = as_sent[place] if place < len(as_sent) else {}
    return [StateReported(block, alone=True)] if block else []


def is_opaque(block: ContentBlock) -> bool:
    """Whether a block goes back as it came: the vendor's own calls and their results, images, what nobody knows."""
    if block.tool_use is not None:
        return block.tool_use.type == SERVER_SIDE
    if block.reasoning_content is not None:
        return block.reasoning_content.reasoning_text is None
    return block.text is None and block.citations_content is None


def emit_block(block: ContentBlock, place: int) -> list[Delta]:
    """A whole content block that is not opaque."""
    if block.tool_use is not None:
        return _emit_call(block.tool_use, place)
    if block.reasoning_content is not None:
        return [*_emit_reasoning(block.reasoning_content.reasoning_text or ReasoningTextBlock()), BlockEnded()]
    if block.citations_content is not None:
        return [*_emit_cited_text(block.citations_content), BlockEnded()]
    return [TextDelta(block.text or ""), BlockEnded()]


def _emit_call(use: ToolUseBlock, place: int) -> list[Delta]:
    started = build_call_started(use, place, use.input if isinstance(use.input, Mapping) else None)
    if isinstance(use.input, Mapping) or use.input is None:
        return [started]
    text = use.input if isinstance(use.input, str) else encode_flawed_json(use.input).decode()
    return [started, ToolCallArguments(index=place, id=started.id, text=text)]


def build_call_started(
    use: ToolUseBlock | ToolUseBlockStart, place: int, arguments: Mapping[str, Json] | None = None
) -> ToolCallStarted:
    """The head of a call, with its arguments where they come at once as an object that holds any."""
    return ToolCallStarted(
        index=place,
        id=use.tool_use_id or make_id(use.name or "", place),
        name=use.name or "",
        arguments=dict(arguments) if arguments else None,
    )


def _emit_reasoning(thought: ReasoningTextBlock) -> list[Delta]:
    return [ReasoningDelta(thought.text or ""), *emit_signature(thought.signature)]


def emit_signature(signature: str | None) -> list[Delta]:
    """The signature without which the vendor does not take its reasoning back."""
    return [StateReported({"signature": signature})] if signature else []


def _emit_cited_text(block: CitationsContentBlock) -> list[Delta]:
    text = "".join(piece.text or "" for piece in block.content or ())
    return [TextDelta(text), *emit_citations(block.citations or (), spoken=bool(text))]


def emit_citations(citations: Sequence[Mapping[str, Json]], *, spoken: bool) -> list[Delta]:
    """Citations go back with their text, and stand in the answer's metadata."""
    if not citations:
        return []
    told_: dict[str, Json] = {"citations": list(citations)}
    return [*([StateReported(told_)] if spoken else []), MetadataReported(metadata=told_)]


def emit_stop(said: ConverseResponse | MessageStopEvent) -> list[Delta]:
    """Why generation ended, and the model's own fields that were asked for."""
    deltas: list[Delta] = []
    if said.stop_reason is not None:
        reason = STOP_REASONS.get(said.stop_reason, said.stop_reason)
        deltas.append(Stopped(reason, said.stop_reason, is_failure=reason in FAILURES))
    if said.additional_model_response_fields is not None:
        deltas.append(
            MetadataReported(metadata={"additional_model_response_fields": said.additional_model_response_fields})
        )
    return deltas
