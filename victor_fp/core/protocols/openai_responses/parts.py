"""Typed parts of a message in the vendor's form: text, images, files, sound."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TypeAlias, assert_never

import msgspec
from victor_fp_wire.openai_responses.request import (
    CacheBreakpoint,
    InputAudio,
    InputAudioContent,
    InputFileContent,
    InputImageContent,
    InputTextContent,
)

from victor_fp.core.protocols.openai_chat.parts import EXTENSIONS, SOUND_FORMATS, data_url
from victor_fp.core.protocols.openai_responses.rules import Rules
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart

Shown: TypeAlias = InputTextContent | InputImageContent | InputFileContent
"""Parts that users and tools can show."""
BREAKPOINT = CacheBreakpoint(mode="explicit")


def part_written(rules: Rules, part: Part) -> Shown | InputAudioContent | Adjustment:
    """One part, or why it cannot be sent."""
    match part:
        case TextPart():
            return InputTextContent(text=part.text)
        case ImagePart():
            return _image(rules, part)
        case AudioPart():
            return _sound(rules, part)
        case FilePart():
            return _file(rules, part)
        case _:
            assert_never(part)


def marked(parts: Sequence[Shown | InputAudioContent]) -> list[Shown | InputAudioContent]:
    """The parts with the end of a prefix worth caching behind the last one that can carry it."""
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        if not isinstance(part, InputAudioContent):
            held = msgspec.structs.replace(part, prompt_cache_breakpoint=BREAKPOINT)
            return [*parts[:place], held, *parts[place + 1 :]]
    return list(parts)


def _image(rules: Rules, part: ImagePart) -> InputImageContent | Adjustment:
    if rules.refused("image"):
        return rules.against("image")
    url = part.url if part.data is None else data_url(part.data, part.media_type or "image/png")
    # The vendor's document wants a detail, and names auto as what it takes without one.
    return InputImageContent(image_url=url, detail=part.detail or "auto")


def _file(rules: Rules, part: FilePart) -> InputFileContent | Adjustment:
    if rules.refused("file"):
        return rules.against("file")
    if part.data is None and not (part.url or "").startswith("data:"):
        return InputFileContent(file_url=part.url or "")
    media_type = part.media_type or "application/pdf"
    extension = EXTENSIONS.get(media_type, media_type.partition("/")[2])
    return InputFileContent(
        filename=part.filename or f"file.{extension}",
        file_data=part.url or "" if part.data is None else data_url(part.data, media_type),
    )


def _sound(rules: Rules, part: AudioPart) -> InputAudioContent | Adjustment:
    if rules.refused("audio"):
        return rules.against("audio")
    if part.data is None:
        return Adjustment(parameter="audio", reason=f"{rules.taker} takes it by value, not by address")
    media_type = part.media_type or "audio/wav"
    format_ = SOUND_FORMATS.get(media_type, media_type.partition("/")[2])
    return InputAudioContent(input_audio=InputAudio(data=b64encode(part.data).decode("ascii"), format=format_))
