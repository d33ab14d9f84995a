"""Text, reasoning and calls of a message or delta, in any vendor's fields."""

from __future__ import annotations

from victor_fp_wire.openai_chat.response import (
    ChunkDelta,
    ContentChunk,
    FunctionCall,
    ResponseContent,
    ResponseMessage,
    ToolCall,
)

from victor_fp.core.deltas import Delta, ReasoningDelta, RefusalDelta, TextDelta
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.tool_calls import Fragment, is_empty_fragment


def find_reasoning(message: ResponseMessage | ChunkDelta) -> str:
    """Return the reasoning outside of the content. Servers that fill several of the fields repeat it."""
    reasoning = message.reasoning_content or message.reasoning or ""
    return reasoning or (_join_details(message.reasoning_details) if message.reasoning_details else "")


def _join_details(details: list[dict[str, Json]]) -> str:
    """Join the readable parts of OpenRouter's reasoning details, for responses without plain reasoning."""
    texts = (detail.get("text") or detail.get("summary") for detail in details)
    return "".join(text for text in texts if isinstance(text, str))


def emit_content(content: ResponseContent | None) -> list[Delta]:
    """Emit content: text, or the list of text and thinking chunks of Mistral models."""
    if not content:
        return []
    if isinstance(content, str):
        return [TextDelta(content)]
    return [delta for chunk in content for delta in _emit_piece(chunk)]


def read_fragments(message: ResponseMessage | ChunkDelta) -> list[Fragment]:
    """Read the calls, or fragments of calls, of a message or delta, including the legacy `function_call`."""
    fragments = [_read_fragment(call) for call in message.tool_calls or ()]
    if message.function_call is not None:
        call = message.function_call
        fragments.append(Fragment(name=call.name or "", arguments=call.arguments))
    return [fragment for fragment in fragments if not is_empty_fragment(fragment)]


def _read_fragment(call: ToolCall) -> Fragment:
    """Read a tool call; custom tools have text input in place of arguments."""
    extra = call.extra_content
    state: dict[str, Json] | None = {"extra_content": extra} if isinstance(extra, dict) else None
    if call.custom is not None and (call.custom.name or call.custom.input):
        return Fragment(index=call.index, id=call.id or "", name=call.custom.name or "", arguments=call.custom.input)
    function = call.function or FunctionCall()
    return Fragment(
        index=call.index, id=call.id or "", name=function.name or "", arguments=function.arguments, state=state
    )


def _emit_piece(chunk: ContentChunk) -> list[Delta]:
    if thought := _find_thought(chunk):
        return [ReasoningDelta(thought)]
    if chunk.refusal:
        return [RefusalDelta(chunk.refusal)]
    return [TextDelta(chunk.text)] if chunk.text else []


def _find_thought(chunk: ContentChunk) -> str:
    thinking = chunk.thinking or ""
    return thinking if isinstance(thinking, str) else "".join(piece.text or "" for piece in thinking)
