"""Text and thinking of a message or a delta, wherever a vendor puts them."""

from __future__ import annotations

from victor_fp_wire.openai_chat.response import ChunkDelta, ContentChunk, ResponseContent, ResponseMessage

from victor_fp.core.deltas import Delta, ReasoningDelta, RefusalDelta, TextDelta
from victor_fp.core.json import Json


def find_reasoning(message: ResponseMessage | ChunkDelta) -> str:
    """Thinking beside the content. Servers that fill both fields say the same in both."""
    return message.reasoning_content or message.reasoning or _find_reasoning_in_details(message.reasoning_details)


def _find_reasoning_in_details(details: list[dict[str, Json]] | None) -> str:
    """The readable part of OpenRouter's details, for answers that have no plain reasoning."""
    if not details:
        return ""
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def content_deltas(content: ResponseContent | None) -> list[Delta]:
    """Content as text, or as the list of text and thinking that servers of Mistral's models pass on."""
    if not content:
        return []
    if isinstance(content, str):
        return [TextDelta(content)]
    return [delta for chunk in content for delta in _piece(chunk)]


def _piece(chunk: ContentChunk) -> list[Delta]:
    if thought := _find_thought(chunk):
        return [ReasoningDelta(thought)]
    if chunk.refusal:
        return [RefusalDelta(chunk.refusal)]
    return [TextDelta(chunk.text)] if chunk.text else []


def _find_thought(chunk: ContentChunk) -> str:
    thinking = chunk.thinking or ""
    return thinking if isinstance(thinking, str) else "".join(piece.text or "" for piece in thinking)
