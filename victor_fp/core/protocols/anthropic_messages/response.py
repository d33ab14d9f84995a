"""A whole message as deltas, and the parts of it that a stream's events share."""

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
from victor_fp.core.json import Json, encode_flawed_json
from victor_fp.core.protocols.anthropic_messages.errors import fault_from_error
from victor_fp.core.protocols.anthropic_messages.usage import describe_usage, report_usage
from victor_fp.core.protocols.operations import build_decoder
from victor_fp.core.requests import Endpoint
from victor_fp.core.tool_call_ids import make_id
from victor_fp.core.wire_decoding import Undecodable

MESSAGE = build_decoder(CreateMessage.RESPONSE, keep_surrogates=True)

STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_use",
    "refusal": "refusal",
}
"""The rest (pause_turn, and what is yet to come) stays the vendor's own word."""


def read(endpoint: Endpoint, body: bytes) -> Sequence[Delta]:
    """What a 200 body means."""
    message = MESSAGE.decode(body)
    if isinstance(message, Undecodable):
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message=message.reason))]
    if message.error is not None:
        return [ErrorReported(fault_from_error(endpoint, message.error, body))]
    if message.content is None and message.stop_reason is None:
        return [ErrorReported(InvalidResponse(provider=endpoint.spec.name, message="the body holds no message"))]
    deltas = emit_start(message)
    for place, block in enumerate(message.content or ()):
        deltas += emit_block(block, place, message.id or "")
    deltas += emit_stop(message)
    if message.usage is not None:
        deltas.append(report_usage(message.usage))
        if facts := describe_usage(message.usage):
            deltas.append(MetadataReported(metadata=facts))
    deltas.append(StreamEnded())
    return deltas


def emit_start(message: Message) -> list[Delta]:
    """Who answers, under which id."""
    facts = drop_nulls({"id": message.id, "provider": message.provider, "container": message.container})
    if message.model is None and not facts:
        return []
    return [MetadataReported(model=message.model, metadata=facts)]


def emit_stop(said: Message | MessageDelta) -> list[Delta]:
    """Why generation ended, and what is told along with it."""
    deltas: list[Delta] = []
    facts: dict[str, Json] = {}
    if said.stop_reason is not None:
        deltas.append(Stopped(STOP_REASONS.get(said.stop_reason, said.stop_reason), said.stop_reason))
    if said.stop_sequence is not None:
        facts["stop_sequence"] = said.stop_sequence
    if said.stop_details is not None:
        facts["stop_details"] = drop_nulls(msgspec.to_builtins(said.stop_details))
    if isinstance(said, MessageDelta):
        facts |= {} if said.container is None else {"container": said.container}
    else:
        facts |= describe_management(said.context_management)
    if facts:
        deltas.append(MetadataReported(metadata=facts))
    return deltas


def describe_management(edits: Mapping[str, Json] | None) -> dict[str, Json]:
    """What the vendor's context management did."""
    return {} if edits is None else {"context_management": edits}


def emit_block(block: ContentBlock, place: int, seed: str) -> list[Delta]:
    """A whole content block. Calls that the vendor answers itself are none of the caller's, but go back to it."""
    match block:
        case ResponseTextBlock(text=text, citations=citations):
            return [*([TextDelta(text)] if text else []), *emit_citations(text, citations), BlockEnded()]
        case ResponseThinkingBlock(thinking=thinking, signature=signature):
            return [ReasoningDelta(thinking or ""), *emit_signature(signature), BlockEnded()]
        case ResponseToolUseBlock(input=arguments):
            started = build_call_start(block, place, seed)
            if isinstance(arguments, Mapping) or arguments is None:
                return [started]
            text = arguments if isinstance(arguments, str) else encode_flawed_json(arguments).decode()
            return [started, ToolCallArguments(index=place, id=started.id, text=text)]
        case _:
            return [StateReported(to_opaque(block), alone=True)]


def build_call_start(block: ResponseToolUseBlock, place: int, seed: str) -> ToolCallStarted:
    """The head of a call, with its arguments where they come at once as an object that holds any."""
    state: dict[str, Json] = {}
    if block.caller is not None and block.caller.get("type") != "direct":
        state["caller"] = block.caller
    if block.toolset_name is not None:
        state["toolset_name"] = block.toolset_name
    return ToolCallStarted(
        index=place,
        id=block.id or make_id(seed, place),
        name=block.name or "",
        arguments=dict(block.input) if isinstance(block.input, Mapping) and block.input else None,
        state=state or None,
    )


def emit_citations(text: str | None, citations: Sequence[Mapping[str, Json]] | None) -> list[Delta]:
    """Citations go back with their text, and stand in the answer's metadata."""
    if not citations:
        return []
    told: dict[str, Json] = {"citations": list(citations)}
    return [*([StateReported(told)] if text else []), MetadataReported(metadata=told)]


def emit_signature(signature: str | None) -> list[Delta]:
    """The signature without which the vendor does not take its thinking back."""
    return [StateReported({"signature": signature})] if signature else []


def to_opaque(block: ContentBlock) -> dict[str, Json]:
    """The block as it came."""
    if isinstance(block, UnknownType):
        return dict(block.raw)
    return drop_nulls(msgspec.to_builtins(block))


def drop_nulls(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}
