"""A conversation in Cohere's roles, with the thinking and the plans of earlier turns."""

from __future__ import annotations

from base64 import b64encode
from typing import assert_never

from msgspec import UNSET
from victor_fp_wire.cohere_v2 import request as wire

from victor_fp.core.dialects.cohere import CohereDialect
from victor_fp.core.json import encode_json
from victor_fp.core.models.cohere import CoherePolicy
from victor_fp.core.request_building.conversation import Block, split_assistant_turn
from victor_fp.core.request_building.tool_results import Placement, place_result_parts
from victor_fp.core.requests import Adjustment, ChatRequest
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

PLAN = "tool_plan"
"""Where the plan of a turn with calls stands: in the message, in metadata, and in the state that goes back."""


def build_messages(
    dialect: CohereDialect, policy: CoherePolicy, request: ChatRequest
) -> tuple[list[wire.RequestMessage], list[Adjustment]]:
    """Every message in order, and what of them Cohere has no place for. `cache` marks need none: it caches by itself."""
    messages, in_results = place_result_parts(request.messages, _place_part, "Cohere")
    untaken: list[Adjustment] = [*in_results]
    if any(message.name and message.role != "tool" for message in request.messages):
        untaken.append(Adjustment(parameter="name", reason="Cohere does not take the names of speakers"))
    return [_build_message(dialect, policy, message, untaken) for message in messages], untaken


def _place_part(part: ImagePart | AudioPart | FilePart) -> Placement:
    """A result holds text; images can be shown to the model by the user, other parts not at all."""
    return "move" if isinstance(part, ImagePart) else _refuse(part)


def _refuse(part: AudioPart | FilePart) -> Adjustment:
    return Adjustment(parameter=part.type, reason="Cohere takes text and images; give documents in extra_body")


def _build_message(
    dialect: CohereDialect, policy: CoherePolicy, message: Message, untaken: list[Adjustment]
) -> wire.RequestMessage:
    match message.role:
        case "system" | "developer":
            return wire.SystemMessage(content=message.text)
        case "user":
            return _build_user_message(message, untaken)
        case "assistant":
            return _build_assistant_message(policy, split_assistant_turn(message, dialect.protocol))
        case "tool":
            return wire.ToolMessage(
                tool_call_id=message.tool_call_id or "", content=_build_result_text(message) or dialect.empty_result
            )
        case _:
            assert_never(message.role)


def _build_user_message(message: Message, untaken: list[Adjustment]) -> wire.UserMessage:
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
                untaken.append(_refuse(part))
            case _:
                assert_never(part)
    return wire.UserMessage(content=parts)


def _build_image_url(part: ImagePart) -> wire.ImageUrl:
    url = part.url or ""
    if part.data is not None:
        url = f"data:{part.media_type};base64,{b64encode(part.data).decode('ascii')}"
    return wire.ImageUrl(url=url, detail=part.detail or UNSET)


def _build_assistant_message(policy: CoherePolicy, blocks: tuple[Block, ...]) -> wire.AssistantMessage:
    content: list[wire.AssistantContent] = []
    plan = ""
    for block in blocks:
        if block.kind in ("text", "refusal") and block.text:
            content.append(wire.TextContent(text=block.text))
        elif block.kind == "reasoning" and block.text and policy.thinks:
            content.append(wire.ThinkingContent(thinking=block.text))
        elif block.state is not None and isinstance(said := block.state.get(PLAN), str):
            plan += said
    calls = [_build_call(block) for block in blocks if block.kind == "tool_call"]
    alone = content[0].text if len(content) == 1 and isinstance(content[0], wire.TextContent) else None
    return wire.AssistantMessage(
        content=alone or content or (UNSET if calls else ""),
        tool_plan=plan if plan and calls else UNSET,
        tool_calls=calls or UNSET,
    )


def _build_call(block: Block) -> wire.ToolCall:
    arguments = block.arguments if isinstance(block.arguments, str) else encode_json(block.arguments).decode()
    return wire.ToolCall(id=block.id, function=wire.FunctionCall(name=block.name, arguments=arguments))


def _build_result_text(message: Message) -> str:
    """Cohere has no mark for a failed call, so that the text says it where it does not already."""
    if not message.is_error or message.text.lower().startswith("error"):
        return message.text
    return f"Error: {message.text}" if message.text else "Error"
