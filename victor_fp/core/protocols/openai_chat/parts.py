"""Typed parts of a message in the vendor's form: text, images, sound, files."""

from __future__ import annotations

from base64 import b64encode
from typing import assert_never

import msgspec
from msgspec import UNSET
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.protocols.openai_chat.rules import Rules
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart

SOUND_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/x-flac": "flac",
}
"""Media types whose subtype is not the format's name."""

EXTENSIONS = {"text/plain": "txt", "text/markdown": "md"}


def part_written(rules: Rules, part: Part) -> wire.RequestPart | Adjustment:
    """One part, or why it cannot be sent."""
    match part:
        case TextPart():
            return wire.TextPart(text=part.text)
        case ImagePart():
            return _image(rules, part)
        case AudioPart():
            return _sound(rules, part)
        case FilePart():
            return _file(rules, part)
        case _:
            assert_never(part)


def marked(rules: Rules, part: wire.RequestPart) -> wire.RequestPart:
    """The part as the end of a prefix worth caching, where the vendor lets callers say so."""
    if not isinstance(part, wire.TextPart | wire.ImagePart | wire.AudioPart | wire.FilePart):
        return part
    match rules.cache_marks:
        case "none":
            return part
        case "cache_control":
            return msgspec.structs.replace(part, cache_control=wire.CacheControl(type="ephemeral"))
        case "breakpoint":
            return msgspec.structs.replace(part, prompt_cache_breakpoint=wire.CacheBreakpoint(mode="explicit"))
        case _:
            assert_never(rules.cache_marks)


def data_url(data: bytes, media_type: str) -> str:
    """RFC 2397."""
    return f"data:{media_type};base64,{b64encode(data).decode('ascii')}"


def _image(rules: Rules, part: ImagePart) -> wire.ImagePart | Adjustment:
    if rules.refused("image"):
        return rules.against("image")
    if part.data is not None:
        url = data_url(part.data, part.media_type or "image/png")
    else:
        url = part.url or ""
        if rules.refused("image_url") and not url.startswith("data:"):
            return _by_value(rules, "image")
    return wire.ImagePart(image_url=wire.ImageUrl(url=url, detail=part.detail or UNSET))


def _sound(rules: Rules, part: AudioPart) -> wire.AudioPart | Adjustment:
    if rules.refused("audio"):
        return rules.against("audio")
    media_type = part.media_type or "audio/wav"
    format_ = SOUND_FORMATS.get(media_type, media_type.partition("/")[2])
    form = rules.dialect.audio_form
    match form:
        case "object":
            if part.data is None:
                return _by_value(rules, "audio")
            data = b64encode(part.data).decode("ascii")
        case "data_url":
            data = part.url or "" if part.data is None else data_url(part.data, media_type)
        case _:
            assert_never(form)
    return wire.AudioPart(input_audio=wire.InputAudio(data=data, format=format_))


def _file(rules: Rules, part: FilePart) -> wire.FilePart | Adjustment:
    if rules.refused("file"):
        return rules.against("file")
    media_type = part.media_type or "application/pdf"
    if part.data is None and rules.refused("file_url"):
        return _by_value(rules, "file")
    url = part.url if part.data is None else data_url(part.data, media_type)
    extension = EXTENSIONS.get(media_type, media_type.partition("/")[2])
    filename = part.filename or f"file.{extension}"
    return wire.FilePart(file=wire.FileReference(filename=filename, file_data=url or ""))


def _by_value(rules: Rules, parameter: str) -> Adjustment:
    return Adjustment(parameter=parameter, reason=f"{rules.taker} takes it by value, not by address")
