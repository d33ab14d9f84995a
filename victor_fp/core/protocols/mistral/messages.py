"""Conversations in Mistral's roles, with thinking and references of earlier turns at their positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, assert_never

from msgspec import UNSET
from victor_fp_wire.mistral import request as wire

from victor_fp.core.conversation import Block, fit_call_id, read_turn_state, split_assistant_turn
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.json import Undecodable, WireDecoder, encode_json
from victor_fp.core.protocols.mistral.content import PIECES, SIGNATURE
from victor_fp.core.protocols.mistral.parts import build_chunk
from victor_fp.core.protocols.mistral.tools import CALL_ID
from victor_fp.core.protocols.openai_family.rules import Rules, accept_messages, read_result
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import Message, TextPart

_T = TypeVar("_T")
CONTENT: WireDecoder[wire.ContentChunk] = WireDecoder(wire.ContentChunk)
THOUGHTS: WireDecoder[wire.ThoughtChunk] = WireDecoder(wire.ThoughtChunk)


def build_messages(rules: Rules, request: ChatRequest) -> tuple[list[wire.RequestMessage], tuple[Adjustment, ...]]:
    """Build the messages and list what could not be sent."""
    messages, adjustments = accept_messages(rules, request.messages)
    last = len(messages) - 1
    built = [_build_message(rules, message, last=index == last) for index, message in enumerate(messages)]
    return [message for message in built if message is not None], adjustments


def _build_message(rules: Rules, message: Message, *, last: bool) -> wire.RequestMessage | None:
    match message.role:
        case "system" | "developer":
            return wire.SystemMessage(content=_build_instruction(message))
        case "user":
            return wire.UserMessage(content=_build_content(message))
        case "assistant":
            return _build_assistant(rules, message, last=last)
        case "tool":
            return _build_result(message)
        case _:
            assert_never(message.role)


def _build_instruction(message: Message) -> str | list[wire.SystemChunk]:
    """Build system content: one text or several text chunks."""
    texts = [part.text for part in message.content if isinstance(part, TextPart)]
    return message.text if isinstance(message.content, str) or len(texts) < 2 else [*map(_build_text, texts)]


def _build_content(message: Message) -> wire.RequestContent:
    """Build user content: a string for a single text, else chunks."""
    given = message.content
    if isinstance(given, str) or (len(given) == 1 and isinstance(given[0], TextPart)):
        return message.text
    return [build_chunk(part) for part in given] or ""


def _build_assistant(rules: Rules, message: Message, *, last: bool) -> wire.AssistantMessage | None:
    """Build an assistant turn. A final one is the start of the response and must be marked as prefix.

    None for a turn with neither content nor calls, which is rejected: https://github.com/OpenHands/OpenHands/issues/8685.
    """
    blocks = split_assistant_turn(message, MistralDialect.protocol)
    state = read_turn_state(message)
    chunks = _build_chunks(blocks) if state is not None and state.provider == rules.provider else []
    calls = [_build_call(block) for block in blocks if block.kind == "tool_call"]
    content = chunks or "".join(block.text for block in blocks if block.kind == "text")
    if not content and not calls:
        return None
    return wire.AssistantMessage(
        content=content,
        tool_calls=calls or UNSET,
        prefix=True if last and not calls else UNSET,
    )


def _build_chunks(blocks: Sequence[Block]) -> list[wire.ContentChunk]:
    """Build the turn's chunks in order; empty if all are text."""
    chunks: list[wire.ContentChunk] = []
    for block in blocks:
        if block.kind == "reasoning":
            if (thought := _build_thought(block)) is not None:
                chunks.append(thought)
        elif block.kind == "text" and block.text:
            chunks.append(_build_text(block.text))
        elif block.kind == "opaque":
            chunks += _read_state_chunks(block, CONTENT)
    return [] if all(isinstance(chunk, wire.TextChunk) for chunk in chunks) else chunks


def _build_thought(block: Block) -> wire.ThinkChunk | None:
    """Build thinking with its references and signature; None if it is empty."""
    pieces: list[wire.ThoughtChunk] = [_build_text(block.text)] if block.text else []
    pieces += _read_state_chunks(block, THOUGHTS)
    signature = block.state.get(SIGNATURE) if block.state is not None else None
    signed = signature if isinstance(signature, str) else UNSET
    if not pieces and signed is UNSET:
        return None
    return wire.ThinkChunk(thinking=pieces, closed=True, signature=signed)


def _read_state_chunks(block: Block, kind: WireDecoder[_T]) -> list[_T]:
    """Return the chunks in a block's state that the vendor accepts back."""
    held = block.state.get(PIECES) if block.state is not None else None
    pieces = [kind.decode(encode_json(piece)) for piece in held] if isinstance(held, list) else []
    return [piece for piece in pieces if not isinstance(piece, Undecodable)]


def _build_text(text: str) -> wire.TextChunk:
    return wire.TextChunk(text=text)


def _build_call(block: Block) -> wire.ToolCall:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    function = wire.FunctionCall(name=block.name, arguments=arguments)
    return wire.ToolCall(id=fit_call_id(block.id, CALL_ID), type="function", function=function)


def _build_result(message: Message) -> wire.ToolMessage:
    result = read_result(message)
    return wire.ToolMessage(
        content=result if isinstance(result, str) else [*map(build_chunk, result)],
        tool_call_id=fit_call_id(message.tool_call_id or "", CALL_ID),
        name=message.name or UNSET,
    )
