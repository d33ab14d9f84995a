"""Typed parts of a message in the vendor's form: text, images, files, audio."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TypeAlias, assert_never

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.protocols.openai_family.media import build_data_url, name_audio_format, name_file
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart

InputContent: TypeAlias = wire.InputTextContent | wire.InputImageContent | wire.InputFileContent
"""Parts that users and tools can show."""
Mark: TypeAlias = wire.CacheBreakpoint | UnsetType
BREAKPOINT = wire.CacheBreakpoint(mode="explicit")


def build_parts(parts: Sequence[Part], *, marked: bool) -> list[InputContent | wire.InputAudioContent]:
    """Parts that the vendor accepts; where `marked`, the last one that can carry it ends a prefix worth caching."""
    carriers = [place for place, part in enumerate(parts) if not isinstance(part, AudioPart)]
    last = carriers[-1] if marked and carriers else None
    return [build_part(part, BREAKPOINT if place == last else UNSET) for place, part in enumerate(parts)]


def build_part(part: Part, mark: Mark = UNSET) -> InputContent | wire.InputAudioContent:
    """A part that the vendor accepts."""
    match part:
        case AudioPart():
            data = b64encode(part.data or b"").decode("ascii")
            return wire.InputAudioContent(input_audio=wire.InputAudio(data=data, format=name_audio_format(part)))
        case _:
            return build_shown(part, mark)


def build_shown(part: TextPart | ImagePart | FilePart, mark: Mark = UNSET) -> InputContent:
    """A part that tools can show as well."""
    match part:
        case TextPart():
            return wire.InputTextContent(text=part.text, prompt_cache_breakpoint=mark)
        case ImagePart():
            url = part.url if part.data is None else build_data_url(part.data, part.media_type or "image/png")
            # The vendor's document wants a detail, and names auto as what it takes without one.
            return wire.InputImageContent(image_url=url, detail=part.detail or "auto", prompt_cache_breakpoint=mark)
        case FilePart():
            return _build_file(part, mark)
        case _:
            assert_never(part)


def _build_file(part: FilePart, mark: Mark) -> wire.InputFileContent:
    if part.data is None and not (part.url or "").startswith("data:"):
        return wire.InputFileContent(file_url=part.url or "", prompt_cache_breakpoint=mark)
    media_type = part.media_type or "application/pdf"
    return wire.InputFileContent(
        filename=name_file(part),
        file_data=part.url or "" if part.data is None else build_data_url(part.data, media_type),
        prompt_cache_breakpoint=mark,
    )
