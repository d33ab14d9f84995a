"""Conversion of Pydantic AI's messages to this package's, and of responses to its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FinishReason,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from victor_fp.core.json import decode_json
from victor_fp.core.types import CompletionResponse, Usage

STATE = "provider_state"
"""Key in a response's `provider_details` of the state that the vendor requires on the next turn."""
_FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_use": "tool_call",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}


def read_messages(messages: Sequence[ModelMessage], instructions: Sequence[str]) -> list[dict[str, Any]]:
    """Convert a conversation to dicts that every provider accepts, with the instructions after the first system prompts.

    Raises TypeError for an unsupported part.
    """
    read: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                read += _read_request_part(part)
        else:
            read += _read_response(message)
    first = next((index for index, one in enumerate(read) if one["role"] != "system"), len(read))
    read[first:first] = [{"role": "system", "content": text} for text in instructions]
    return read


def _read_request_part(part: object) -> list[dict[str, Any]]:
    match part:
        case SystemPromptPart():
            return [{"role": "system", "content": part.content}]
        case UserPromptPart():
            return [_read_prompt(part.content)]
        case ToolReturnPart():
            files = [_read_content(file) for file in part.files]
            text = part.model_response_str(wrap_if_error=False)
            content: Any = [*([{"type": "text", "text": text}] if text else []), *files] if files else text
            return [
                {
                    "role": "tool",
                    "tool_call_id": part.tool_call_id,
                    "name": part.tool_name,
                    "content": content,
                    "is_error": part.outcome != "success",
                }
            ]
        case _:
            raise TypeError(f"request parts of type {type(part).__name__} cannot be sent")


def _read_prompt(content: str | Sequence[UserContent]) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "user", "content": content}
    parts = [_read_content(item) for item in content if not isinstance(item, CachePoint)]
    is_cached = any(isinstance(item, CachePoint) for item in content)
    return {"role": "user", "content": parts, **({"cache": True} if is_cached else {})}


def _read_content(item: object) -> dict[str, Any]:
    match item:
        case str():
            return {"type": "text", "text": item}
        case TextContent():
            return {"type": "text", "text": item.content}
        case ImageUrl():
            return {"type": "image", "url": item.url}
        case AudioUrl():
            return {"type": "audio", "url": item.url}
        case DocumentUrl():
            return {"type": "file", "url": item.url}
        case BinaryContent():
            kind = "image" if item.is_image else "audio" if item.is_audio else "file"
            return {"type": kind, "data": item.data, "media_type": item.media_type}
        case _:
            raise TypeError(f"content of type {type(item).__name__} cannot be sent")


def _read_response(message: ModelResponse) -> list[dict[str, Any]]:
    texts: list[str] = []
    thinking: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case TextPart():
                texts.append(part.content)
            case ThinkingPart():
                thinking.append(part.content)
            case ToolCallPart():
                calls.append({"id": part.tool_call_id, "name": part.tool_name, "arguments": _read_arguments(part.args)})
            case _:
                raise TypeError(f"response parts of type {type(part).__name__} cannot be sent")
    if not texts and not thinking and not calls:
        return []
    read: dict[str, Any] = {"role": "assistant", "content": "".join(texts)}
    if calls:
        read["tool_calls"] = calls
    state = (message.provider_details or {}).get(STATE)
    if state is not None:
        read["metadata"] = {STATE: state}
    elif thinking:
        read["reasoning_content"] = "\n\n".join(thinking)
    return [read]


def _read_arguments(given: str | Mapping[str, Any] | None) -> dict[str, Any] | str:
    """Return the arguments as an object, or as text if they are not a JSON object."""
    if not isinstance(given, str):
        return dict(given or {})
    value = decode_json(given or "{}")
    return value if isinstance(value, dict) else given


def to_response(response: CompletionResponse, *, provider: str, address: str | None) -> ModelResponse:
    """Convert a complete response."""
    metadata = response.metadata or {}
    parts: list[ModelResponsePart] = []
    if reasoning := metadata.get("reasoning_content"):
        parts.append(ThinkingPart(content=str(reasoning)))
    if text := response.content or str(metadata.get("refusal") or ""):
        parts.append(TextPart(content=text))
    parts += [
        ToolCallPart(tool_name=call["name"], args=call["arguments"], tool_call_id=call["id"])
        for call in response.tool_calls or ()
    ]
    return ModelResponse(
        parts=parts,
        usage=to_usage(response.usage),
        model_name=response.model,
        provider_name=provider,
        provider_url=address,
        provider_details=to_details(response.stop_reason, metadata),
        provider_response_id=to_response_id(metadata),
        finish_reason=to_finish_reason(response.stop_reason),
    )


def to_finish_reason(reason: str | None) -> FinishReason | None:
    """Return the standard reason; None for a vendor-specific one, which is in the details."""
    return _FINISH_REASONS.get(reason or "")


def to_details(reason: str | None, metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Collect the details of a response, including the state that the vendor requires on the next turn."""
    details = {name: value for name, value in metadata.items() if name not in ("reasoning_content", "id")}
    if reason is not None:
        details["finish_reason"] = metadata.get("stop_reason_raw", reason)
    return details or None


def to_response_id(metadata: Mapping[str, Any]) -> str | None:
    """Return the vendor's id of a response."""
    found = metadata.get("id")
    return None if found is None else str(found)


def to_usage(usage: Usage | None) -> RequestUsage:
    """Convert token counts; counts that were not reported are zero."""
    given = usage or {}
    counts = RequestUsage(
        input_tokens=given.get("prompt_tokens", 0),
        output_tokens=given.get("completion_tokens", 0),
        cache_read_tokens=given.get("cache_read_input_tokens", 0),
        cache_write_tokens=given.get("cache_creation_input_tokens", 0),
    )
    if "reasoning_tokens" in given:
        counts.details = {"reasoning_tokens": given["reasoning_tokens"]}
    return counts
