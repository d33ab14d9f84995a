"""Conversations in Cohere's roles, with the thinking and tool plans of earlier turns."""

from __future__ import annotations

from typing import assert_never

from msgspec import UNSET
from victor_fp_wire.cohere_v2 import request as wire

from victor_fp.core.conversation import Block, build_result_text, split_assistant_turn
from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.dialects.policies.cohere import CoherePolicy
from victor_fp.core.json import encode_json
from victor_fp.core.request_building.data_urls import build_data_url
from victor_fp.core.request_building.tool_results import Placement, place_result_parts
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PLAN = "tool_plan"
"""Field of the tool plan, in messages, in metadata and in the state that is sent back."""


def build_messages(
    dialect: CohereDialect, policy: CoherePolicy, request: ChatRequest
) -> tuple[list[wire.RequestMessage], list[Adjustment]]:
    """Build the messages and list what is unsupported. `cache` marks need no field: Cohere caches automatically."""
    messages, in_results = place_result_parts(request.messages, _place_part, "Cohere")
    unsupported: list[Adjustment] = [*in_results]
    if any(message.name and message.role != "tool" for message in request.messages):
        unsupported.append(Adjustment(parameter="name", reason="Cohere does not accept participant names"))
    unsupported += [
        _refuse(part)
        for message in messages
        if message.role == "user" and not isinstance(message.content, str)
        for part in message.content
        if isinstance(part, AudioPart | FilePart)
    ]
    built = [_build_message(dialect, policy, message) for message in messages]
    return [message for message in built if message is not None], unsupported


def _place_part(part: ImagePart | AudioPart | FilePart) -> Placement:
    """Return where a part of a tool result goes: images to a user message; other media are not supported."""
    return "move" if isinstance(part, ImagePart) else _refuse(part)


def _refuse(part: AudioPart | FilePart) -> Adjustment:
    return Adjustment(parameter=part.type, reason="Cohere accepts text and images; pass documents in extra_body")


def _build_message(dialect: CohereDialect, policy: CoherePolicy, message: Message) -> wire.RequestMessage | None:
    match message.role:
        case "system" | "developer":
            return wire.SystemMessage(content=message.text)
        case "user":
            return _build_user_message(message)
        case "assistant":
            return _build_assistant_message(policy, split_assistant_turn(message, dialect.protocol))
        case "tool":
            return wire.ToolMessage(
                tool_call_id=message.tool_call_id or "", content=build_result_text(message) or dialect.empty_result
            )
        case _:
            assert_never(message.role)


def _build_user_message(message: Message) -> wire.UserMessage:
    if isinstance(message.content, str):
        return wire.UserMessage(content=message.content)
    parts: list[wire.UserContent] = []
    for part in message.content:
        match part:
            case TextPart(text=text):
                parts.append(wire.TextContent(text=text))
            case ImagePart():
                parts.append(wire.ImageContent(image_url=_build_image_url(part)))
            case AudioPart() | FilePart():
                continue  # refused by `build_messages`
            case _:
                assert_never(part)
    return wire.UserMessage(content=parts)


def _build_image_url(part: ImagePart) -> wire.ImageUrl:
    url = part.url or ""
    if part.data is not None:
        url = build_data_url(part.data, part.media_type or "image/png")
    return wire.ImageUrl(url=url, detail=part.detail or UNSET)


def _build_assistant_message(policy: CoherePolicy, blocks: tuple[Block, ...]) -> wire.AssistantMessage | None:
    """Build an assistant turn; None if it is empty, which is rejected: https://docs.cohere.com/reference/errors."""
    content: list[wire.AssistantContent] = []
    plan = ""
    for block in blocks:
        if block.kind in ("text", "refusal") and block.text:
            content.append(wire.TextContent(text=block.text))
        elif block.kind == "reasoning" and block.text and policy.thinks:
            content.append(wire.ThinkingContent(thinking=block.text))
        elif block.state is not None and isinstance(part_of_plan := block.state.get(PLAN), str):
            plan += part_of_plan
    calls = [_build_call(block) for block in blocks if block.kind == "tool_call"]
    if not content and not calls:
        return None
    alone = content[0].text if len(content) == 1 and isinstance(content[0], wire.TextContent) else None
    return wire.AssistantMessage(
        content=alone or content or UNSET,
        tool_plan=plan if plan and calls else UNSET,
        tool_calls=calls or UNSET,
    )


def _build_call(block: Block) -> wire.ToolCall:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    return wire.ToolCall(id=block.id, function=wire.FunctionCall(name=block.name, arguments=arguments))
