"""A conversation as what a model takes: one prompt and its instructions, or a list of roles and texts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import dropwhile

import msgspec

from victor_fp.core.json import Json, encode_json
from victor_fp.core.models.replicate import Inputs
from victor_fp.core.request_building.conversation import (
    INSTRUCTIONS,
    SYSTEM_MOVED,
    index_tool_names,
    split_assistant_turn,
    split_system,
)
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import ImagePart, Message, TextPart

SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Tool"}


class Prompted(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of `input`, and what could not become one."""

    fields: dict[str, Json]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()
    """Lossless changes: made without `on_unsupported="adjust"`, but reported."""


def build_prompt(inputs: Inputs, messages: Sequence[Message]) -> Prompted:
    """The conversation in the model's fields."""
    unsupported: list[Adjustment] = []
    notes: list[Adjustment] = []
    fields: dict[str, Json] = {}
    if any(message.name and message.role != "tool" for message in messages):
        unsupported.append(Adjustment(parameter="name", reason="Replicate's models do not take the names of speakers"))
    instructions, turns = split_system(messages)
    names = index_tool_names(messages)
    if inputs.messages and (len(turns) > 1 or len(instructions) > 1):
        fields[inputs.messages] = [_build_turn(message, names) for message in messages]
    else:
        if any(message.role in INSTRUCTIONS and message.text for message in _skip_instructions(messages)):
            notes.append(SYSTEM_MOVED)
        system = "\n\n".join(message.text for message in instructions if message.text)
        prompt = _render_prompt(turns, names)
        if system and not inputs.system:
            prompt = f"{system}\n\n{prompt}"
        fields["prompt"] = prompt
        if system and inputs.system:
            fields[inputs.system] = system
    images, of_images = _collect_images(inputs, messages)
    unsupported += of_images
    if images:
        fields[inputs.images] = images[0] if inputs.one_image else list(images)
        if len(turns) > 1:
            reason = "images stand apart from the conversation, so that their place in it is lost"
            notes.append(Adjustment(parameter="messages.image", reason=reason, action="changed"))
    parts = [part for message in messages if not isinstance(message.content, str) for part in message.content]
    if images and any(isinstance(part, ImagePart) and part.detail in ("low", "high") for part in parts):
        notes.append(Adjustment(parameter="image.detail", reason="predictions have no detail of an image"))
    return Prompted(fields=fields, unsupported=tuple(unsupported), notes=tuple(notes))


def _skip_instructions(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages from the first on that is no instruction."""
    return dropwhile(lambda message: message.role in INSTRUCTIONS, messages)


def _render_prompt(turns: Sequence[Message], names: dict[str, str]) -> str:
    """One question as it is; a longer conversation with its speakers before what they said, open for the next answer."""
    if len(turns) == 1 and turns[0].role == "user":
        return turns[0].text
    said = [f"{_name_speaker(message, names)}: {_to_text(message)}" for message in turns]
    return "\n\n".join([*said, f"{SPEAKERS['assistant']}:"])


def _build_turn(message: Message, names: dict[str, str]) -> dict[str, Json]:
    """Roles are those of a plain chat: what a tool gave is told by the user."""
    match message.role:
        case "system" | "developer":
            return {"role": "system", "content": message.text}
        case "tool":
            return {"role": "user", "content": f"{_name_speaker(message, names)}: {_to_text(message)}"}
        case _:
            return {"role": message.role, "content": _to_text(message)}


def _name_speaker(message: Message, names: dict[str, str]) -> str:
    name = names.get(message.tool_call_id or "") or message.name
    return f"{SPEAKERS['tool']} {name}" if message.role == "tool" and name else SPEAKERS.get(message.role, "User")


def _to_text(message: Message) -> str:
    """The text, and calls as text, which is all that a prompt can hold."""
    calls = [f"[calls {call['name']} with {_render_arguments(call['arguments'])}]" for call in message.tool_calls or ()]
    text = f"Error: {message.text}" if message.is_error and message.text else message.text
    if message.role == "assistant":
        text = "".join(block.text for block in split_assistant_turn(message, "replicate") if block.kind == "text")
    return "\n".join([*([text] if text else []), *calls])


def _render_arguments(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else encode_json(arguments).decode()


def _collect_images(inputs: Inputs, messages: Sequence[Message]) -> tuple[list[str], list[Adjustment]]:
    """Images in their order, by address or as data URLs; where they stood in the conversation is lost."""
    seen: list[str] = []
    unsupported: list[Adjustment] = []
    for message in messages:
        for part in message.content if isinstance(message.content, list) else ():
            if isinstance(part, TextPart):
                continue
            if not isinstance(part, ImagePart):
                reason = "Replicate's language models take no such part"
                unsupported.append(Adjustment(parameter=part.type, reason=reason))
            elif not inputs.images:
                unsupported.append(Adjustment(parameter="image", reason="this model sees nothing"))
            else:
                seen.append(_to_url(part))
    if inputs.one_image and len(seen) > 1:
        reason = "this model takes one image; the last is kept"
        unsupported.append(Adjustment(parameter="image", reason=reason, action="changed"))
        return seen[-1:], unsupported
    return seen, unsupported


def _to_url(part: ImagePart) -> str:
    if part.data is None:
        return part.url or ""
    return f"data:{part.media_type};base64,{b64encode(part.data).decode('ascii')}"
