"""Typed parts of a message as Mistral's chunks: text, images, sound, documents."""

from __future__ import annotations

from base64 import b64encode
from typing import assert_never

from msgspec import UNSET
from victor_fp_wire.mistral import request as wire

from victor_fp.core.catalogue.spec import ProviderSpec
from victor_fp.core.protocols.openai_chat.parts import data_url
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart


def chunk_written(spec: ProviderSpec, part: Part) -> wire.ContentChunk | Adjustment:
    """One part, or why it cannot be sent."""
    match part:
        case TextPart():
            return wire.TextChunk(text=part.text)
        case ImagePart():
            return _image(part) if spec.supports.images is not False else refused(spec, "image")
        case AudioPart():
            return _sound(part) if spec.supports.audio is not False else refused(spec, "audio")
        case FilePart():
            return _document(part) if spec.supports.files is not False else refused(spec, "file")
        case _:
            assert_never(part)


def refused(spec: ProviderSpec, parameter: str) -> Adjustment:
    """That the place does not take something."""
    return Adjustment(parameter=parameter, reason=f"{spec.title} does not take it")


def _image(part: ImagePart) -> wire.ImageUrlChunk:
    url = part.url or "" if part.data is None else data_url(part.data, part.media_type or "image/png")
    return wire.ImageUrlChunk(image_url=wire.ImageUrl(url=url, detail=part.detail or UNSET))


def _sound(part: AudioPart) -> wire.AudioChunk:
    """Sound names no format: the vendor finds out."""
    return wire.AudioChunk(input_audio=part.url or "" if part.data is None else b64encode(part.data).decode("ascii"))


def _document(part: FilePart) -> wire.DocumentUrlChunk:
    url = part.url or "" if part.data is None else data_url(part.data, part.media_type or "application/pdf")
    return wire.DocumentUrlChunk(document_url=url, document_name=part.filename or UNSET)
