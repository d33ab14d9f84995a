"""Conversations in Ollama's roles: text, base64 images, thinking and calls of earlier turns, results by tool name."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never

from msgspec import UNSET
from returns.result import Failure, Result, Success
from victor_fp_wire.ollama_chat import request as wire

from victor_fp.core.conversation import (
    WRAPPED_ARGUMENTS,
    build_result_text,
    index_tool_names,
    is_invalid_object,
    split_assistant_turn,
    wrap_arguments,
)
from victor_fp.core.dialects.ollama import OllamaDialect
from victor_fp.core.faults import Fault, UnsupportedParameter
from victor_fp.core.requests import Adjustment, ChatRequest, Endpoint
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart

BuiltMessages: TypeAlias = tuple[list[wire.ChatMessage], list[Adjustment]]
"""Messages, and what of the conversation is unsupported."""


def build_messages(endpoint: Endpoint, dialect: OllamaDialect, request: ChatRequest) -> Result[BuiltMessages, Fault]:
    """Build the messages. An unsupported part is a fault, since dropping it would change the prompt."""
    names = index_tool_names(request.messages)
    built: list[wire.ChatMessage] = []
    for message in request.messages:
        images = _read_images(message)
        if isinstance(images, str):
            refused = UnsupportedParameter(
                parameter="messages", message=images, provider=endpoint.spec.name, model=request.model
            )
            return Failure(refused)
        built.append(_build_message(dialect, message, images, names))
    return Success((built, _list_unsupported(request)))


def note_changes(messages: Sequence[Message]) -> tuple[Adjustment, ...]:
    """Return the lossless changes."""
    calls = (call for message in messages for call in message.tool_calls or ())
    return (WRAPPED_ARGUMENTS,) if any(is_invalid_object(call["arguments"]) for call in calls) else ()


def _build_message(
    dialect: OllamaDialect, message: Message, images: list[str], names: Mapping[str, str]
) -> wire.ChatMessage:
    match message.role:
        case "system" | "developer":
            return wire.ChatMessage(role="system", content=message.text)
        case "user":
            return wire.ChatMessage(role="user", content=message.text, images=images or UNSET)
        case "assistant":
            return _build_assistant_message(dialect, message)
        case "tool":
            id_ = message.tool_call_id or ""
            return wire.ChatMessage(
                role="tool",
                content=build_result_text(message),
                # server/prompt.go of ollama/ollama: images are accepted in messages of any role.
                images=images or UNSET,
                tool_name=names.get(id_) or message.name or UNSET,
                tool_call_id=id_ or UNSET,
            )
        case _:
            assert_never(message.role)


def _read_images(message: Message) -> list[str] | str:
    """Return the images of a message in base64, or an error message if a part cannot be sent."""
    images: list[str] = []
    for part in () if isinstance(message.content, str) else message.content:
        match part:
            case TextPart():
                pass
            case ImagePart():
                if (image := _encode_image(part)) is None:
                    return "Ollama accepts images as bytes, not by URL"
                images.append(image)
            case AudioPart() | FilePart():
                return f"Ollama accepts text and images, not {part.type}"
            case _:
                assert_never(part)
    return images


def _encode_image(image: ImagePart) -> str | None:
    """Return an image in base64, from its bytes or a data URL; None for other URLs."""
    if image.data is not None:
        return b64encode(image.data).decode()
    head, comma, data = (image.url or "").partition(",")
    return data if comma and head.startswith("data:") and head.endswith(";base64") else None


def _build_assistant_message(dialect: OllamaDialect, message: Message) -> wire.ChatMessage:
    blocks = split_assistant_turn(message, dialect.protocol)
    calls: list[wire.RequestToolCall] = []
    for block in blocks:
        if block.kind == "tool_call":
            function = wire.RequestFunctionCall(name=block.name, arguments=wrap_arguments(block.arguments))
            calls.append(wire.RequestToolCall(id=block.id or UNSET, function=function))
    return wire.ChatMessage(
        role="assistant",
        content="".join(block.text for block in blocks if block.kind in ("text", "refusal")),
        thinking="".join(block.text for block in blocks if block.kind == "reasoning") or UNSET,
        tool_calls=calls or UNSET,
    )


def _list_unsupported(request: ChatRequest) -> list[Adjustment]:
    """List what is unsupported. `cache` marks need no field: Ollama caches prefixes automatically."""
    unsupported: list[Adjustment] = []
    if any(message.name and message.role != "tool" for message in request.messages):
        unsupported.append(Adjustment(parameter="messages.name", reason="Ollama does not accept participant names"))
    if any(_has_detail(part) for message in request.messages for part in message.content):
        unsupported.append(Adjustment(parameter="messages.detail", reason="Ollama has no image detail"))
    return unsupported


def _has_detail(part: Part | str) -> bool:
    return isinstance(part, ImagePart) and part.detail not in (None, "auto")
