"""Message parts as Mistral's chunks: text, images, audio, documents."""

from __future__ import annotations

from base64 import b64encode
from typing import assert_never

from msgspec import UNSET
from victor_fp_wire.mistral import request as wire

from victor_fp.core.request_building.data_urls import build_data_url
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart


def build_chunk(part: Part) -> wire.ContentChunk:
    """Build the chunk of a part that the vendor accepts."""
    match part:
        case TextPart():
            return wire.TextChunk(text=part.text)
        case ImagePart():
            url = part.url or "" if part.data is None else build_data_url(part.data, part.media_type or "image/png")
            return wire.ImageUrlChunk(image_url=wire.ImageUrl(url=url, detail=part.detail or UNSET))
        case AudioPart():
            # Audio has no format field: the vendor detects the format.
            data = part.url or "" if part.data is None else b64encode(part.data).decode("ascii")
            return wire.AudioChunk(input_audio=data)
        case FilePart():
            media_type = part.media_type or "application/pdf"
            url = part.url or "" if part.data is None else build_data_url(part.data, media_type)
            return wire.DocumentUrlChunk(document_url=url, document_name=part.filename or UNSET)
        case _:
            assert_never(part)
