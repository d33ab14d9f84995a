"""A conversation in Mistral's roles, with the thoughts and references of earlier turns in their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, assert_never

import msgspec
from msgspec import UNSET
from victor_fp_wire.mistral import request as wire

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.dialects.mistral import MistralDialect
from victor_fp.core.json import encode_json
from victor_fp.core.protocols.mistral.chunks import chunk_written, refused
from victor_fp.core.protocols.mistral.spoken import PIECES, SIGNATURE
from victor_fp.core.protocols.mistral.tools import call_id
from victor_fp.core.protocols.openai_chat.messages import result_texts
from victor_fp.core.request_building.conversation import Block, read_turn_state, split_assistant_turn
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import Message, TextPart
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

_T = TypeVar("_T")
CONTENT: WireDecoder[wire.ContentChunk] = WireDecoder(wire.ContentChunk)
THOUGHTS: WireDecoder[wire.ThoughtChunk] = WireDecoder(wire.ThoughtChunk)


def messages_written(
    spec: ProviderSpec, messages: Sequence[Message], untaken: list[Adjustment]
) -> list[wire.RequestMessage]:
    """Every message in order; what of them cannot be sent is added to `untaken`.

    A last turn of the assistant's begins the answer, which has to be marked.
    """
    if any(message.name and message.role != "tool" for message in messages):
        untaken.append(refused(spec, "name"))
    written = [_message(spec, message, untaken) for message in messages]
    last = written[-1] if written else None
    if isinstance(last, wire.AssistantMessage) and last.tool_calls is UNSET:
        written[-1] = msgspec.structs.replace(last, prefix=True)
    return written


def _message(spec: ProviderSpec, message: Message, untaken: list[Adjustment]) -> wire.RequestMessage:
    match message.role:
        case "system" | "developer":
            return wire.SystemMessage(content=_instruction(message))
        case "user":
            return wire.UserMessage(content=_content(spec, message, untaken))
        case "assistant":
            return _assistant(spec, message)
        case "tool":
            return _result(message)
        case _:
            assert_never(message.role)


def _instruction(message: Message) -> str | list[wire.SystemChunk]:
    """Instructions are text, in one piece or in several."""
    texts = [part.text for part in message.content if isinstance(part, TextPart)]
    return message.text if isinstance(message.content, str) or len(texts) < 2 else [*map(_said, texts)]


def _content(spec: ProviderSpec, message: Message, untaken: list[Adjustment]) -> wire.RequestContent:
    """Text as text where that says everything, else chunks."""
    given = message.content
    if isinstance(given, str) or (len(given) == 1 and isinstance(given[0], TextPart)):
        return message.text
    written = [chunk_written(spec, part) for part in given]
    untaken += [one for one in written if isinstance(one, Adjustment)]
    return [one for one in written if not isinstance(one, Adjustment)] or ""


def _assistant(spec: ProviderSpec, message: Message) -> wire.AssistantMessage:
    blocks = split_assistant_turn(message, MistralDialect.protocol)
    state = read_turn_state(message)
    chunks = _chunks(blocks) if state is not None and state.provider == spec.name else []
    calls = [_call(block) for block in blocks if block.kind == "tool_call"]
    return wire.AssistantMessage(
        content=chunks or "".join(block.text for block in blocks if block.kind == "text"),
        tool_calls=calls or UNSET,
    )


def _chunks(blocks: Sequence[Block]) -> list[wire.ContentChunk]:
    """The turn as it came, in its order; none where it is nothing but text."""
    chunks: list[wire.ContentChunk] = []
    for block in blocks:
        if block.kind == "reasoning":
            if (thought := _thought(block)) is not None:
                chunks.append(thought)
        elif block.kind == "text" and block.text:
            chunks.append(_said(block.text))
        elif block.kind == "opaque":
            chunks += _kept(block, CONTENT)
    return [] if all(isinstance(chunk, wire.TextChunk) for chunk in chunks) else chunks


def _thought(block: Block) -> wire.ThinkChunk | None:
    """A thought with what it refers to and its signature; None where it is empty."""
    pieces: list[wire.ThoughtChunk] = [_said(block.text)] if block.text else []
    pieces += _kept(block, THOUGHTS)
    signature = block.state.get(SIGNATURE) if block.state is not None else None
    signed = signature if isinstance(signature, str) else UNSET
    if not pieces and signed is UNSET:
        return None
    return wire.ThinkChunk(thinking=pieces, closed=True, signature=signed)


def _kept(block: Block, kind: WireDecoder[_T]) -> list[_T]:
    """The pieces that a block keeps in its state, as far as the vendor takes them back."""
    held = block.state.get(PIECES) if block.state is not None else None
    pieces = [kind.decode(encode_json(piece)) for piece in held] if isinstance(held, list) else []
    return [piece for piece in pieces if not isinstance(piece, Undecodable)]


def _said(text: str) -> wire.TextChunk:
    return wire.TextChunk(text=text)


def _call(block: Block) -> wire.ToolCall:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    function = wire.FunctionCall(name=block.name, arguments=arguments)
    return wire.ToolCall(id=call_id(block.id), type="function", function=function)


def _result(message: Message) -> wire.ToolMessage:
    texts = result_texts(message)
    return wire.ToolMessage(
        content=[*map(_said, texts)] if len(texts) > 1 and any(texts) else "".join(texts),
        tool_call_id=call_id(message.tool_call_id or ""),
        name=message.name or UNSET,
    )
