"""Decoding of a non-streaming message to deltas, with functions shared by the stream reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from victor_fp_wire.anthropic_messages.operations import CreateMessage
from victor_fp_wire.anthropic_messages.response import (
    ContentBlock,
    Message,
    MessageDelta,
    ResponseTextBlock,
    ResponseThinkingBlock,
    ResponseToolUseBlock,
    UnknownType,
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
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.json import Json, NotJson, Undecodable, decode_json_object, drop_nulls, encode_flawed_json
from victor_fp.core.protocols.anthropic_messages.errors import fault_from_error
from victor_fp.core.protocols.anthropic_messages.usage import describe_usage, report_usage
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.protocols.shared_events import emit_citations, emit_signature, is_error_body
from victor_fp.core.protocols.stop_reasons import STOP_REASONS
from victor_fp.core.requests import Endpoint
from victor_fp.core.streaming.tool_call_drafts import make_id

MESSAGE = build_decoder(CreateMessage.RESPONSE, keep_surrogates=True)


def read(endpoint: Endpoint, body: bytes) -> Sequence[Delta]:
    """Decode a 200 body to deltas."""
    message = MESSAGE.decode(body)
    if isinstance(message, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=message.reason))]
    if message.error is not None:
        return [ErrorReported(fault_from_error(endpoint, message.error, body))]
    if message.content is None and message.stop_reason is None:
        raw = decode_json_object(body)
        if not isinstance(raw, NotJson) and is_error_body(raw):
            return [ErrorReported(fault_from_error(endpoint, None, body))]
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message="the response contains no message"))]
    deltas = emit_start(message)
    for index, block in enumerate(message.content or ()):
        deltas += emit_block(block, index, message.id or "")
    deltas += emit_stop(message)
    if message.usage is not None:
        deltas.append(report_usage(message.usage))
        if facts := describe_usage(message.usage):
            deltas.append(MetadataReported(metadata=facts))
    deltas.append(StreamEnded())
    return deltas


def emit_start(message: Message) -> list[Delta]:
    """Emit the model and the identity of the message."""
    facts = drop_nulls({"id": message.id, "provider": message.provider, "container": message.container})
    if message.model is None and not facts:
        return []
    return [MetadataReported(model=message.model, metadata=facts)]


def emit_stop(source: Message | MessageDelta) -> list[Delta]:
    """Emit the stop reason and the metadata that accompanies it."""
    deltas: list[Delta] = []
    facts: dict[str, Json] = {}
    if source.stop_reason is not None:
        deltas.append(Stopped(STOP_REASONS.get(source.stop_reason, source.stop_reason), source.stop_reason))
    if source.stop_sequence is not None:
        facts["stop_sequence"] = source.stop_sequence
    if source.stop_details is not None:
        facts["stop_details"] = drop_nulls(msgspec.to_builtins(source.stop_details))
    if isinstance(source, MessageDelta):
        facts |= {} if source.container is None else {"container": source.container}
    else:
        facts |= describe_management(source.context_management)
    if facts:
        deltas.append(MetadataReported(metadata=facts))
    return deltas


def describe_management(edits: Mapping[str, Json] | None) -> dict[str, Json]:
    """Return the applied edits of context management as metadata."""
    return {} if edits is None else {"context_management": edits}


def emit_block(block: ContentBlock, index: int, seed: str) -> list[Delta]:
    """Emit a complete content block. Calls of server tools are kept as state to send back, not as calls for the caller."""
    match block:
        case ResponseTextBlock(text=text, citations=citations):
            return [*([TextDelta(text)] if text else []), *emit_citations(citations, has_text=bool(text)), BlockEnded()]
        case ResponseThinkingBlock(thinking=thinking, signature=signature):
            return [ReasoningDelta(thinking or ""), *emit_signature(signature), BlockEnded()]
        case ResponseToolUseBlock(input=arguments):
            started = build_call_start(block, index, seed)
            if isinstance(arguments, Mapping) or arguments is None:
                return [started]
            text = arguments if isinstance(arguments, str) else encode_flawed_json(arguments).decode()
            return [started, ToolCallArguments(index=index, id=started.id, text=text)]
        case _:
            return [StateReported(to_opaque(block), alone=True)]


def build_call_start(block: ResponseToolUseBlock, index: int, seed: str) -> ToolCallStarted:
    """Build the start of a call, with its arguments if they arrive as a non-empty object."""
    state: dict[str, Json] = {}
    if block.caller is not None and block.caller.get("type") != "direct":
        state["caller"] = block.caller
    if block.toolset_name is not None:
        state["toolset_name"] = block.toolset_name
    return ToolCallStarted(
        index=index,
        id=block.id or make_id(seed, index),
        name=block.name or "",
        arguments=dict(block.input) if isinstance(block.input, Mapping) and block.input else None,
        state=state or None,
    )


def to_opaque(block: ContentBlock) -> dict[str, Json]:
    """Return the block as received."""
    if isinstance(block, UnknownType):
        return dict(block.raw)
    return drop_nulls(msgspec.to_builtins(block))
