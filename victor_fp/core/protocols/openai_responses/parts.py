"""Message parts in the vendor's form: text, images, files, audio."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TypeAlias, assert_never

from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_responses import request as wire

from victor_fp.core.protocols.openai_family.media import name_audio_format, name_file
from victor_fp.core.request_building.data_urls import build_data_url
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart

InputContent: TypeAlias = wire.InputTextContent | wire.InputImageContent | wire.InputFileContent
"""Parts allowed in user messages and tool results."""
Mark: TypeAlias = wire.CacheBreakpoint | UnsetType
BREAKPOINT = wire.CacheBreakpoint(mode="explicit")


def build_parts(parts: Sequence[Part], *, marked: bool) -> list[InputContent | wire.InputAudioContent]:
    """Build parts that the vendor accepts; if `marked`, the last one that supports it gets a cache breakpoint."""
    markable = [index for index, part in enumerate(parts) if not isinstance(part, AudioPart)]
    last = markable[-1] if marked and markable else None
    return [build_part(part, BREAKPOINT if index == last else UNSET) for index, part in enumerate(parts)]


def build_part(part: Part, mark: Mark = UNSET) -> InputContent | wire.InputAudioContent:
    """Build a part that the vendor accepts."""
    match part:
        case AudioPart():
            data = b64encode(part.data or b"").decode("ascii")
            return wire.InputAudioContent(input_audio=wire.InputAudio(data=data, format=name_audio_format(part)))
        case _:
            return build_result_part(part, mark)


def build_result_part(part: TextPart | ImagePart | FilePart, mark: Mark = UNSET) -> InputContent:
    """Build a part that is also allowed in tool results."""
    match part:
        case TextPart():
            return wire.InputTextContent(text=part.text, prompt_cache_breakpoint=mark)
        case ImagePart():
            url = part.url if part.data is None else build_data_url(part.data, part.media_type or "image/png")
            # The vendor's document requires a detail, with auto as the default.
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
