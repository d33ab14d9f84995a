"""Conversations as input steps: user input, the model's steps as received, and tool results."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import assert_never, cast

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.gemini_interactions.request import (
    FunctionResultStep,
    GivenCallStep,
    GivenOutputStep,
    GivenThoughtStep,
    InputAudio,
    InputContent,
    InputDocument,
    InputImage,
    InputStep,
    InputText,
    InputVideo,
    UserInputStep,
)

from victor_fp.core.conversation import Block, read_turn_state, split_assistant_turn, split_system
from victor_fp.core.dialects.interactions import InteractionsDialect
from victor_fp.core.protocols.gemini.contents import list_changes
from victor_fp.core.protocols.gemini.parts import to_arguments
from victor_fp.core.request_building.data_urls import read_data_url
from victor_fp.core.request_building.stored_state import count_stored
from victor_fp.core.request_building.tool_results import Media, Placement, place_result_parts
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Input of an interaction, and the unsupported parts of the conversation."""

    steps: list[InputStep]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Lossless changes: made without `on_unsupported="adjust"`, but reported."""


def join_instructions(messages: Sequence[Message]) -> str:
    """Join the texts of system and developer messages."""
    return "\n\n".join(message.text for message in split_system(messages)[0] if message.text)


def build_steps(provider: str, messages: Sequence[Message], previous_id: str | None = None) -> Steps:
    """Build the turns as steps; when an interaction is continued, without those stored by the server."""
    steps: list[InputStep] = []
    names: dict[str, str] = {}
    turns = split_system(messages)[1]
    known = count_stored(turns, previous_id)
    for message in turns[:known]:
        names |= {call["id"]: call["name"] for call in message.tool_calls or ()}
    with_moved_parts, in_results = place_result_parts(turns[known:], _place_part, "The model")
    unsupported = dict.fromkeys(in_results)
    for message in with_moved_parts:
        if message.name and message.role != "tool":
            reason = "the API has no field for participant names"
            unsupported[Adjustment(parameter="name", reason=reason)] = None
        match message.role:
            case "assistant":
                blocks = split_assistant_turn(message, InteractionsDialect.protocol)
                names |= {block.id: block.name for block in blocks if block.kind == "tool_call"}
                steps += _build_turn(provider, message, blocks)
            case "tool":
                steps.append(_build_result(message, names))
            case _:
                steps.append(UserInputStep(content=_build_content(message)))
    return Steps(steps=steps, unsupported=tuple(unsupported), notes=tuple(list_changes(messages)))


def _place_part(part: Media) -> Placement:
    """Return where a part of a tool result goes: results accept text and images only."""
    return "keep" if isinstance(part, ImagePart) else "move"


def _build_turn(provider: str, message: Message, blocks: Sequence[Block]) -> list[InputStep]:
    """Build an assistant turn. Thoughts and steps of server tools are only sent back to the provider that produced them."""
    state = read_turn_state(message)
    is_own = state is not None and state.provider == provider
    steps: list[InputStep] = []
    for block in blocks:
        match block.kind:
            case "text" | "refusal":
                if block.text:
                    steps.append(GivenOutputStep(content=[InputText(text=block.text)]))
            case "reasoning":
                if is_own:
                    steps.append(_build_thought(block))
            case "tool_call":
                steps.append(_build_call(block, is_own=is_own))
            case "opaque":
                step = (block.state or {}).get("step")
                if is_own and isinstance(step, dict) and isinstance(step.get("type"), str):
                    # As received: there are steps that the document does not have.
                    steps.append(cast("InputStep", step))
            case _:
                assert_never(block.kind)
    return steps


def _build_thought(block: Block) -> GivenThoughtStep:
    summary = [InputText(text=block.text)] if block.text else UNSET
    return GivenThoughtStep(signature=_read_signature(block), summary=summary)


def _build_call(block: Block, *, is_own: bool) -> GivenCallStep:
    return GivenCallStep(
        id=block.id,
        name=block.name,
        arguments=dict(to_arguments(block.arguments)),
        signature=_read_signature(block) if is_own else UNSET,
    )


def _read_signature(block: Block) -> str | UnsetType:
    signature = (block.state or {}).get("signature")
    return signature if isinstance(signature, str) else UNSET


def _build_result(message: Message, names: dict[str, str]) -> FunctionResultStep:
    id_ = message.tool_call_id or ""
    is_text = isinstance(message.content, str) or all(isinstance(part, TextPart) for part in message.content)
    return FunctionResultStep(
        call_id=id_,
        name=names.get(id_) or message.name or UNSET,
        is_error=True if message.is_error else UNSET,
        result=message.text if is_text else _build_content(message),
    )


def _build_content(message: Message) -> list[InputContent]:
    if isinstance(message.content, str):
        return [InputText(text=message.content)]
    return [_build_part(part) for part in message.content]


def _build_part(part: Part) -> InputContent:
    if isinstance(part, TextPart):
        return InputText(text=part.text)
    data, uri, media_type = _read_media(part)
    match part:
        case ImagePart():
            resolution = part.detail if part.detail in ("low", "high") else UNSET
            return InputImage(data=data, uri=uri, mime_type=media_type, resolution=resolution)
        case AudioPart():
            return InputAudio(data=data, uri=uri, mime_type=media_type)
        case FilePart() if (part.media_type or "").startswith("video/"):
            return InputVideo(data=data, uri=uri, mime_type=media_type)
        case FilePart():
            return InputDocument(data=data, uri=uri, mime_type=media_type)
        case _:
            assert_never(part)


def _read_media(part: Media) -> tuple[str | UnsetType, str | UnsetType, str | UnsetType]:
    """Return a part's data in base64, its URL and its media type; data URLs are decoded to data."""
    data, url, media_type = part.data, part.url, part.media_type
    if url is not None and (read := read_data_url(url)) is not None:
        media_type, data, url = media_type or read[0], read[1], None
    return (
        UNSET if data is None else b64encode(data).decode(),
        UNSET if url is None else url,
        UNSET if media_type is None else media_type,
    )
