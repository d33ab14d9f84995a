"""Conversion of LangChain's messages to this package's, and of responses and chunks to LangChain's messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk

from victor_fp.core.types import CompletionResponse, StreamChunk, Usage
from victor_fp.integrations.tool_call_pieces import ToolCallPieces

STATE = "provider_state"
"""Key in `additional_kwargs` of the state that the vendor requires on the next turn."""
_KEPT_APART = frozenset({"reasoning_content", "refusal", STATE, "tool_call_deltas"})


def read_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Convert a conversation to dicts that every provider accepts. Raises TypeError for an unsupported message type."""
    return [_read_message(message) for message in messages]


def _read_message(message: BaseMessage) -> dict[str, Any]:
    read = _read_by_kind(message)
    return read | ({"cache": True} if _is_cached(message) else {})


def _is_cached(message: BaseMessage) -> bool:
    """Return whether a block has Anthropic's `cache_control` marker."""
    blocks = message.content if isinstance(message.content, list) else []
    return any(isinstance(block, dict) and "cache_control" in block for block in blocks)


def _read_by_kind(message: BaseMessage) -> dict[str, Any]:
    match message:
        case SystemMessage():
            return {"role": "system", "content": message.text}
        case AIMessage():
            return _read_assistant(message)
        case ToolMessage():
            return {
                "role": "tool",
                "content": _read_content(message),
                "tool_call_id": message.tool_call_id,
                "name": message.name,
                "is_error": message.status == "error",
            }
        case HumanMessage():
            return {"role": "user", "content": _read_content(message), "name": message.name}
        case ChatMessage():
            return {"role": message.role, "content": _read_content(message)}
        case _:
            raise TypeError(f"messages of type {type(message).__name__} cannot be sent")


def _read_assistant(message: AIMessage) -> dict[str, Any]:
    calls: list[dict[str, Any]] = [
        {"id": call["id"] or "", "name": call["name"], "arguments": call["args"]} for call in message.tool_calls
    ]
    calls += [
        {"id": call["id"] or "", "name": call["name"] or "", "arguments": call["args"] or ""}
        for call in message.invalid_tool_calls
    ]
    read: dict[str, Any] = {"role": "assistant", "content": message.text, "name": message.name}
    if calls:
        read["tool_calls"] = calls
    state = message.additional_kwargs.get(STATE)
    if state is not None:
        read["metadata"] = {STATE: state}
    elif reasoning := _read_reasoning(message):
        read["reasoning_content"] = reasoning
    return read


def _read_reasoning(message: AIMessage) -> str:
    """Return the reasoning of a message from another model, in LangChain's or Anthropic's format."""
    texts: list[str] = []
    for block in message.content_blocks:
        match dict(block):
            case {"type": "reasoning", "reasoning": str(text)}:
                texts.append(text)
            case {"type": "non_standard", "value": {"type": "thinking", "thinking": str(text)}}:
                texts.append(text)
            case _:
                pass
    return "\n\n".join(texts)


def _read_content(message: BaseMessage) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [_read_block(dict(block)) for block in message.content_blocks]


def _read_block(block: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a standard content block of LangChain to a part. Raises TypeError for an unsupported block type."""
    match block:
        case {"type": "text" | "text-plain", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "image" | "audio" | "file" as kind, "url": str(url)}:
            return {"type": kind, "url": url}
        case {"type": "image" | "audio" | "file" as kind, "base64": str(data)}:
            part = {"type": kind, "data": data, "media_type": block.get("mime_type")}
            name = block.get("filename") or (block.get("extras") or {}).get("filename")
            return part | ({"filename": name} if kind == "file" and name else {})
        case {"type": "non_standard", "value": Mapping() as value}:
            return dict(value)  # a part in this package's or OpenAI's format
        case _:
            raise TypeError(f"content blocks of type {block.get('type')!r} cannot be sent")


def to_message(response: CompletionResponse) -> AIMessage:
    """Convert a complete response."""
    calls = response.tool_calls or []
    return AIMessage(
        content=response.content,
        tool_calls=[
            tool_call(id=call["id"], name=call["name"], args=call["arguments"])
            for call in calls
            if isinstance(call["arguments"], dict)
        ],
        invalid_tool_calls=[
            invalid_tool_call(id=call["id"], name=call["name"], args=call["arguments"], error="not a JSON object")
            for call in calls
            if isinstance(call["arguments"], str)
        ],
        usage_metadata=to_usage(response.usage),
        additional_kwargs=_collect_additional(response.metadata),
        response_metadata=_build_response_metadata(response.model, response.stop_reason, response.metadata),
    )


def to_chunk(chunk: StreamChunk, calls: ToolCallPieces) -> AIMessageChunk:
    """Convert a chunk of a stream. Only the last one has usage, state and metadata, so that added chunks repeat nothing."""
    pieces = [
        tool_call_chunk(id=piece.id, name=piece.name, args=piece.arguments, index=piece.index)
        for piece in calls.read(chunk)
    ]
    if not chunk.is_final:
        reasoning = (chunk.metadata or {}).get("reasoning_content")
        additional = {"reasoning_content": reasoning} if reasoning else {}
        return AIMessageChunk(content=chunk.content, additional_kwargs=additional, tool_call_chunks=pieces)
    additional = _collect_additional(chunk.metadata)
    additional.pop("reasoning_content", None)  # already in earlier chunks
    return AIMessageChunk(
        content=chunk.content,
        additional_kwargs=additional,
        response_metadata=_build_response_metadata(chunk.model, chunk.stop_reason, chunk.metadata),
        usage_metadata=to_usage(chunk.usage),
        tool_call_chunks=pieces,
        chunk_position="last",
    )


def to_usage(usage: Usage | None) -> UsageMetadata | None:
    """Convert token counts; LangChain cannot represent partially known counts."""
    if not usage:
        return None
    given, made = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    converted = UsageMetadata(
        input_tokens=given, output_tokens=made, total_tokens=usage.get("total_tokens", given + made)
    )
    details = InputTokenDetails()
    if "cache_read_input_tokens" in usage:
        details["cache_read"] = usage["cache_read_input_tokens"]
    if "cache_creation_input_tokens" in usage:
        details["cache_creation"] = usage["cache_creation_input_tokens"]
    if details:
        converted["input_token_details"] = details
    if "reasoning_tokens" in usage:
        converted["output_token_details"] = OutputTokenDetails(reasoning=usage["reasoning_tokens"])
    return converted


def _collect_additional(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Collect `additional_kwargs`: reasoning, a refusal, and the state that the vendor requires on the next turn."""
    given = metadata or {}
    return {name: given[name] for name in ("reasoning_content", "refusal", STATE) if given.get(name)}


def _build_response_metadata(
    model: str | None, reason: str | None, metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    rest = {name: value for name, value in (metadata or {}).items() if name not in _KEPT_APART}
    named = {"model_name": model, "finish_reason": reason}
    return {name: value for name, value in named.items() if value is not None} | rest
