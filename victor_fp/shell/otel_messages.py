"""Conversion of conversations to the format of OpenTelemetry's GenAI conventions for recorded content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from victor_fp.core.types import Message, TextPart

Part = dict[str, Any]


def list_instructions(messages: Iterable[Message]) -> list[Part]:
    """Return the instructions, for conventions that record them separately."""
    return [part for message in messages if message.role in {"system", "developer"} for part in _build_content(message)]


def build_prompt(messages: Iterable[Message], *, apart: bool) -> list[dict[str, Any]]:
    """Return the conversation, without the instructions if they are recorded `apart`."""
    return [
        {"role": message.role, "parts": _build_parts(message)}
        for message in messages
        if not (apart and message.role in {"system", "developer"})
    ]


def build_answer_parts(text: str, calls: Sequence[Mapping[str, Any]] | None) -> list[Part]:
    """Return the parts of a response."""
    return [*([{"type": "text", "content": text}] if text else []), *map(_build_call, calls or ())]


def _build_parts(message: Message) -> list[Part]:
    if message.role == "tool":
        return [{"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}]
    return [*_build_content(message), *map(_build_call, message.tool_calls or ())]


def _build_content(message: Message) -> list[Part]:
    """Convert text unchanged and attachments without their content, which is large and often private."""
    if isinstance(message.content, str):
        return [{"type": "text", "content": message.content}] if message.content else []
    return [
        {"type": "text", "content": part.text}
        if isinstance(part, TextPart)
        else {"type": part.type, "media_type": part.media_type}
        for part in message.content
    ]


def _build_call(call: Mapping[str, Any]) -> Part:
    return {"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["arguments"]}
