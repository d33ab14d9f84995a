"""Conversations as input fields: a prompt and a system prompt, or a list of messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import dropwhile

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.replicate.request import InputMessage

from victor_fp.core.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    index_tool_names,
    split_assistant_turn,
    split_system,
)
from victor_fp.core.dialects.policies.replicate import Inputs
from victor_fp.core.json import encode_json
from victor_fp.core.request_building.data_urls import build_data_url
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import ImagePart, Message, TextPart

SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Tool"}


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation, as a prompt or as messages, and its unsupported parts."""

    prompt: str | UnsetType = UNSET
    system: str | UnsetType = UNSET
    messages: list[InputMessage] | UnsetType = UNSET
    images: tuple[str, ...] = ()
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Lossless changes: made without `on_unsupported="adjust"`, but reported."""


def build_prompt(inputs: Inputs, messages: Sequence[Message]) -> Prompt:
    """Build the model's inputs from the conversation."""
    unsupported: list[Adjustment] = []
    notes: list[Adjustment] = []
    prompt: str | UnsetType = UNSET
    system: str | UnsetType = UNSET
    listed: list[InputMessage] | UnsetType = UNSET
    if any(message.name and message.role != "tool" for message in messages):
        unsupported.append(Adjustment(parameter="name", reason="Replicate's models do not accept participant names"))
    instructions, turns = split_system(messages)
    names = index_tool_names(messages)
    if inputs.messages and (len(turns) > 1 or len(instructions) > 1):
        listed = [_build_turn(message, names) for message in messages]
    else:
        if any(message.role in INSTRUCTIONS and message.text for message in _skip_instructions(messages)):
            notes.append(SYSTEM_MOVED)
        joined = "\n\n".join(message.text for message in instructions if message.text)
        prompt = _render_prompt(turns, names)
        if joined and inputs.system is None:
            prompt = f"{joined}\n\n{prompt}"
        elif joined:
            system = joined
    images, in_images = _collect_images(inputs, messages)
    unsupported += in_images
    if images and len(turns) > 1:
        reason = "images are sent apart from the conversation, without their position in it"
        notes.append(Adjustment(parameter="messages.image", reason=reason, action="changed"))
    parts = [part for message in messages if not isinstance(message.content, str) for part in message.content]
    if images and any(isinstance(part, ImagePart) and part.detail in ("low", "high") for part in parts):
        notes.append(Adjustment(parameter="image.detail", reason="predictions have no image detail"))
    return Prompt(
        prompt=prompt,
        system=system,
        messages=listed,
        images=tuple(images),
        unsupported=tuple(unsupported),
        notes=tuple(notes),
    )


def _skip_instructions(messages: Sequence[Message]) -> Iterator[Message]:
    """Return the messages without leading instructions."""
    return dropwhile(lambda message: message.role in INSTRUCTIONS, messages)


def _render_prompt(turns: Sequence[Message], names: dict[str, str]) -> str:
    """Render a single user message as is, a longer conversation with speaker labels and a final "Assistant:"."""
    if len(turns) == 1 and turns[0].role == "user":
        return turns[0].text
    lines = [f"{_name_participant(message, names)}: {_to_text(message)}" for message in turns]
    return "\n\n".join([*lines, f"{SPEAKERS['assistant']}:"])


def _build_turn(message: Message, names: dict[str, str]) -> InputMessage:
    """Build a message; tool results become user messages."""
    match message.role:
        case "system" | "developer":
            return InputMessage(role="system", content=message.text)
        case "tool":
            return InputMessage(role="user", content=f"{_name_participant(message, names)}: {_to_text(message)}")
        case _:
            return InputMessage(role=message.role, content=_to_text(message))


def _name_participant(message: Message, names: dict[str, str]) -> str:
    name = names.get(message.tool_call_id or "") or message.name
    return f"{SPEAKERS['tool']} {name}" if message.role == "tool" and name else SPEAKERS.get(message.role, "User")


def _to_text(message: Message) -> str:
    """Return the text of a message, with its calls as text."""
    calls = [f"[calls {call['name']} with {_render_arguments(call['arguments'])}]" for call in message.tool_calls or ()]
    text = f"Error: {message.text}" if message.is_error and message.text else message.text
    if message.role == "assistant":
        text = "".join(block.text for block in split_assistant_turn(message, "replicate") if block.kind == "text")
    return "\n".join([*([text] if text else []), *calls])


def _render_arguments(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else encode_json(arguments).decode()


def _collect_images(inputs: Inputs, messages: Sequence[Message]) -> tuple[list[str], list[Adjustment]]:
    """Collect the images in order, as URLs or data URLs, without their position in the conversation."""
    images: list[str] = []
    unsupported: list[Adjustment] = []
    for message in messages:
        for part in message.content if isinstance(message.content, list) else ():
            if isinstance(part, TextPart):
                continue
            if not isinstance(part, ImagePart):
                reason = "Replicate's language models accept text and images only"
                unsupported.append(Adjustment(parameter=part.type, reason=reason))
            elif not inputs.images:
                unsupported.append(Adjustment(parameter="image", reason="this model does not accept images"))
            else:
                images.append(_to_url(part))
    if inputs.images == "image" and len(images) > 1:
        reason = "this model accepts one image; the last is kept"
        unsupported.append(Adjustment(parameter="image", reason=reason, action="changed"))
        return images[-1:], unsupported
    return images, unsupported


def _to_url(part: ImagePart) -> str:
    return part.url or "" if part.data is None else build_data_url(part.data, part.media_type or "image/png")
