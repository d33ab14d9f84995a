"""Text and thinking of a message or a delta, wherever a vendor puts them."""

from __future__ import annotations

import msgspec
from victor_fp_wire.openai_chat.response import (
    ChunkDelta,
    ContentChunk,
    ResponseContent,
    ResponseMessage,
    ThinkingText,
)

from victor_fp.core.deltas import Delta, Noted, ProviderState, ReasoningDelta, RefusalDelta, TextDelta
from victor_fp.core.json import Json

REFERENCES = "references"
"""Where the state of a block keeps what it refers to."""


def reasoning_in(message: ResponseMessage | ChunkDelta) -> str:
    """Thinking beside the content. Servers that fill both fields say the same in both."""
    return message.reasoning_content or message.reasoning or _reasoning_in_details(message.reasoning_details)


def _reasoning_in_details(details: list[dict[str, Json]] | None) -> str:
    """The readable part of OpenRouter's details, for answers that have no plain reasoning."""
    if not details:
        return ""
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def content_deltas(content: ResponseContent | None) -> list[Delta]:
    """Content as text, or as Mistral's list of text, thinking and other pieces."""
    if not content:
        return []
    if isinstance(content, str):
        return [TextDelta(content)]
    return [delta for chunk in content for delta in _piece(chunk)]


def _piece(chunk: ContentChunk) -> list[Delta]:
    if chunk.thinking:
        return _thought(chunk.thinking)
    if chunk.refusal:
        return [RefusalDelta(chunk.refusal)]
    if chunk.reference_ids:
        reference: dict[str, Json] = {"type": "reference", "reference_ids": chunk.reference_ids}
        return [ProviderState({REFERENCES: [reference]}, alone=True), Noted(metadata={"citations": [reference]})]
    return [TextDelta(chunk.text)] if chunk.text else []


def _thought(thinking: str | list[ThinkingText]) -> list[Delta]:
    """Thinking, and what it refers to, which goes back with it."""
    if isinstance(thinking, str):
        return [ReasoningDelta(thinking)]
    text = "".join(piece.text or "" for piece in thinking)
    references: list[Json] = [_plain(piece) for piece in thinking if piece.reference_ids or piece.tool]
    if not references:
        return [ReasoningDelta(text)] if text else []
    return [ReasoningDelta(text), ProviderState({REFERENCES: references}), Noted(metadata={"citations": references})]


def _plain(piece: ThinkingText) -> dict[str, Json]:
    fields: dict[str, Json] = msgspec.to_builtins(piece)
    return {name: value for name, value in fields.items() if value is not None}
