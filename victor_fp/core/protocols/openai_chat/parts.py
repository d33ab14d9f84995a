"""Message parts in the vendor's form: text, images, audio, files."""

from __future__ import annotations

from base64 import b64encode
from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.openai_chat import request as wire

from victor_fp.core.protocols.openai_chat.rules import ChatRules
from victor_fp.core.protocols.openai_family.media import name_audio_format, name_file
from victor_fp.core.request_building.data_urls import build_data_url
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart


class CacheMark(msgspec.Struct, frozen=True, kw_only=True):
    """Mark of a part as the end of a cacheable prefix, in the field of the vendor."""

    control: wire.CacheControl | UnsetType = UNSET
    breakpoint: wire.CacheBreakpoint | UnsetType = UNSET


NO_MARK = CacheMark()
MARKS = {
    "none": NO_MARK,
    "cache_control": CacheMark(control=wire.CacheControl(type="ephemeral")),
    "breakpoint": CacheMark(breakpoint=wire.CacheBreakpoint(mode="explicit")),
}


def build_text(text: str, mark: CacheMark = NO_MARK) -> wire.TextPart:
    """Build a text part."""
    return wire.TextPart(text=text, cache_control=mark.control, prompt_cache_breakpoint=mark.breakpoint)


def build_part(rules: ChatRules, part: Part, mark: CacheMark = NO_MARK) -> wire.RequestPart:
    """Build a part that the vendor accepts."""
    match part:
        case TextPart():
            return build_text(part.text, mark)
        case ImagePart():
            url = part.url or "" if part.data is None else build_data_url(part.data, part.media_type or "image/png")
            return wire.ImagePart(
                image_url=wire.ImageUrl(url=url, detail=part.detail or UNSET),
                cache_control=mark.control,
                prompt_cache_breakpoint=mark.breakpoint,
            )
        case AudioPart():
            return wire.AudioPart(
                input_audio=wire.InputAudio(data=_encode_audio(rules, part), format=name_audio_format(part)),
                cache_control=mark.control,
                prompt_cache_breakpoint=mark.breakpoint,
            )
        case FilePart():
            media_type = part.media_type or "application/pdf"
            data = part.url or "" if part.data is None else build_data_url(part.data, media_type)
            return wire.FilePart(
                file=wire.FileReference(filename=name_file(part), file_data=data),
                cache_control=mark.control,
                prompt_cache_breakpoint=mark.breakpoint,
            )
        case _:
            assert_never(part)


def _encode_audio(rules: ChatRules, part: AudioPart) -> str:
    if part.data is None:
        return part.url or ""
    if rules.dialect.audio_form == "data_url":
        return build_data_url(part.data, part.media_type or "audio/wav")
    return b64encode(part.data).decode("ascii")
