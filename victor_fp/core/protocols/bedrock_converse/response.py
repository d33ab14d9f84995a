"""Decoding of a non-streaming response to deltas, with functions shared by the stream reader."""

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
from victor_fp.core.json import Json, NotJson, Undecodable, decode_json_object, encode_flawed_json
from victor_fp.core.protocols.bedrock_converse.errors import fault_from_exception
from victor_fp.core.protocols.bedrock_converse.usage import emit_usage
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import emit_citations, emit_signature, is_error_body
from victor_fp.core.protocols.stop_reasons import STOP_REASONS
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.tool_call_drafts import make_id

_RESPONSE = build_decoder(Converse.RESPONSE, keep_surrogates=True)

FAILURES = frozenset({"malformed_tool_use", "malformed_model_output"})
"""Stop reasons of failed generations."""

SERVER_SIDE = "server_tool_use"
"""Type of a call that the vendor executes itself."""


def read(endpoint: Endpoint, body: bytes) -> Sequence[Delta]:
    """Decode a 200 body to deltas."""
    response = _RESPONSE.decode(body)
    if isinstance(response, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=response.reason))]
    message = None if response.output is None else response.output.message
    if message is None and response.stop_reason is None:
        return [ErrorReported(_fault_from_empty_body(endpoint, body))]
    blocks = [] if message is None else message.content or []
    raw_blocks = _list_raw_blocks(body) if any(map(is_opaque, blocks)) else []
    deltas: list[Delta] = []
    for index, block in enumerate(blocks):
        deltas += _emit_opaque(raw_blocks, index) if is_opaque(block) else emit_block(block, index)
    return [*deltas, *emit_stop(response), *emit_usage(response), StreamEnded()]


def _fault_from_empty_body(endpoint: Endpoint, body: bytes) -> Fault:
    """Return the fault for a body without a message; for an unknown path, AWS has the error in `Output`."""
    fields = decode_json_object(body)
    if not isinstance(fields, NotJson):
        inner = fields.get("Output")
        named = (inner if isinstance(inner, Mapping) else fields).get("__type")
        name = named if isinstance(named, str) else ""
        if name or is_error_body(fields):
            return fault_from_exception(endpoint, name, body, maybe_billed=False)
    return InvalidResponse(provider=endpoint.spec.name, message="the response contains no message")


def _list_raw_blocks(body: bytes) -> list[dict[str, Json]]:
    """Return the content blocks with all their fields, as received."""
    inner: Json | NotJson = decode_json_object(body)
    for name in ("output", "message", "content"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return [dict(block) for block in inner if isinstance(block, Mapping)] if isinstance(inner, list) else []


def _emit_opaque(raw_blocks: Sequence[dict[str, Json]], index: int) -> list[Delta]:
    """Emit a block that only the vendor interprets; nothing if it is empty."""
    block = raw_blocks[index] if index < len(raw_blocks) else {}
    return [StateReported(block, alone=True)] if block else []


def is_opaque(block: ContentBlock) -> bool:
    """Return whether a block is sent back as received: calls and results of server tools, images, unknown blocks."""
    if block.tool_use is not None:
        return block.tool_use.type == SERVER_SIDE
    if block.reasoning_content is not None:
        return block.reasoning_content.reasoning_text is None
    return block.text is None and block.citations_content is None


def emit_block(block: ContentBlock, index: int) -> list[Delta]:
    """Emit a complete content block that is not opaque."""
    if block.tool_use is not None:
        return _emit_call(block.tool_use, index)
    if block.reasoning_content is not None:
        return [*_emit_reasoning(block.reasoning_content.reasoning_text or ReasoningTextBlock()), BlockEnded()]
    if block.citations_content is not None:
        return [*_emit_cited_text(block.citations_content), BlockEnded()]
    return [TextDelta(block.text or ""), BlockEnded()]


def _emit_call(use: ToolUseBlock, index: int) -> list[Delta]:
    started = build_call_started(use, index, use.input if isinstance(use.input, Mapping) else None)
    if isinstance(use.input, Mapping) or use.input is None:
        return [started]
    text = use.input if isinstance(use.input, str) else encode_flawed_json(use.input).decode()
    return [started, ToolCallArguments(index=index, id=started.id, text=text)]


def build_call_started(
    use: ToolUseBlock | ToolUseBlockStart, index: int, arguments: Mapping[str, Json] | None = None
) -> ToolCallStarted:
    """Build the start of a call, with its arguments if they arrive as a non-empty object."""
    return ToolCallStarted(
        index=index,
        id=use.tool_use_id or make_id(use.name or "", index),
        name=use.name or "",
        arguments=dict(arguments) if arguments else None,
    )


def _emit_reasoning(thought: ReasoningTextBlock) -> list[Delta]:
    return [ReasoningDelta(thought.text or ""), *emit_signature(thought.signature)]


def _emit_cited_text(block: CitationsContentBlock) -> list[Delta]:
    text = "".join(piece.text or "" for piece in block.content or ())
    return [TextDelta(text), *emit_citations(block.citations, has_text=bool(text))]


def emit_stop(source: ConverseResponse | MessageStopEvent) -> list[Delta]:
    """Emit the stop reason, and the additional model fields that were requested."""
    deltas: list[Delta] = []
    if source.stop_reason is not None:
        reason = STOP_REASONS.get(source.stop_reason, source.stop_reason)
        deltas.append(Stopped(reason, source.stop_reason, is_failure=reason in FAILURES))
    if source.additional_model_response_fields is not None:
        deltas.append(
            MetadataReported(metadata={"additional_model_response_fields": source.additional_model_response_fields})
        )
    return deltas
