"""Message parts as content blocks, by value in base64 or by S3 URI; the vendor does not fetch other URLs."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.bedrock_converse.request import (
    AudioBlock,
    AudioSource,
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    ImageBlock,
    ImageSource,
    S3Location,
    VideoBlock,
    VideoSource,
)

from victor_fp.core.request_building.data_urls import read_data_url
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part, TextPart

ImageFormat: TypeAlias = Literal["png", "jpeg", "gif", "webp"]
DocumentFormat: TypeAlias = Literal["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"]
VideoFormat: TypeAlias = Literal["mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"]
AudioFormat: TypeAlias = Literal[
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"
]

# Formats of the service model by media type: those registered with IANA, and those sent by browsers.
IMAGES: Mapping[str, ImageFormat] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCUMENTS: Mapping[str, DocumentFormat] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}
VIDEOS: Mapping[str, VideoFormat] = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
AUDIO: Mapping[str, AudioFormat] = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/pcm": "pcm",
    "audio/l16": "pcm",
}
_EXTENSIONS: Mapping[str, str] = {
    **{form: media_type for table in (VIDEOS, DOCUMENTS, IMAGES) for media_type, form in table.items()},
    "jpg": "image/jpeg",
    "htm": "text/html",
}
_AUDIO_EXTENSIONS: Mapping[str, str] = {form: media_type for media_type, form in AUDIO.items()}
IMAGE_DETAIL = Adjustment(parameter="image.detail", reason="the protocol has no detail")
_INVALID_IN_NAMES = re.compile(r"[^0-9A-Za-z\-()\[\]]+")


class MediaSource(msgspec.Struct, frozen=True, kw_only=True):
    """Media type of a part, and its bytes or S3 location."""

    media_type: str
    bytes: str | UnsetType = UNSET
    """In base64."""
    s3_location: S3Location | UnsetType = UNSET


def build_block(part: Part) -> ContentBlock | Adjustment | None:
    """Build the block of a part; None for an empty text, an Adjustment if it cannot be sent."""
    match part:
        case TextPart(text=text):
            return ContentBlock(text=text) if text else None
        case ImagePart():
            source = _read_source(part, _EXTENSIONS)
            return source if isinstance(source, Adjustment) else _build_image(source)
        case AudioPart():
            source = _read_source(part, _AUDIO_EXTENSIONS)
            return source if isinstance(source, Adjustment) else _build_audio(source)
        case FilePart():
            source = _read_source(part, _EXTENSIONS)
            return source if isinstance(source, Adjustment) else _build_file(part, source)
        case _:
            assert_never(part)


def _build_image(source: MediaSource) -> ContentBlock | Adjustment:
    form = IMAGES.get(source.media_type)
    if form is None:
        return _reject_format("messages.image", source, IMAGES)
    return ContentBlock(
        image=ImageBlock(format=form, source=ImageSource(bytes=source.bytes, s3_location=source.s3_location))
    )


def _build_audio(source: MediaSource) -> ContentBlock | Adjustment:
    form = AUDIO.get(source.media_type)
    if form is None:
        return _reject_format("messages.audio", source, AUDIO)
    return ContentBlock(
        audio=AudioBlock(format=form, source=AudioSource(bytes=source.bytes, s3_location=source.s3_location))
    )


def _build_file(part: FilePart, source: MediaSource) -> ContentBlock | Adjustment:
    if source.media_type in IMAGES:
        return _build_image(source)
    if source.media_type in AUDIO:
        return _build_audio(source)
    if (video := VIDEOS.get(source.media_type)) is not None:
        return ContentBlock(
            video=VideoBlock(format=video, source=VideoSource(bytes=source.bytes, s3_location=source.s3_location))
        )
    form = DOCUMENTS.get(source.media_type)
    if form is None and _is_text(source.media_type):
        form = "txt"
    if form is None:
        return _reject_format("messages.file", source, {**DOCUMENTS, **VIDEOS})
    content = DocumentSource(bytes=source.bytes, s3_location=source.s3_location)
    return ContentBlock(document=DocumentBlock(format=form, name=_name_document(part.filename or ""), source=content))


def _is_text(media_type: str) -> bool:
    """Return whether a media type is text, including JSON, XML, YAML and JavaScript."""
    return media_type.startswith("text/") or media_type.endswith(("json", "xml", "yaml", "javascript"))


def _reject_format(parameter: str, source: MediaSource, known: Mapping[str, str]) -> Adjustment:
    forms = ", ".join(dict.fromkeys(known.values()))
    return Adjustment(
        parameter=parameter, reason=f"the formats are {forms}, not {source.media_type or 'an unnamed one'}"
    )


def _read_source(part: ImagePart | AudioPart | FilePart, extensions: Mapping[str, str]) -> MediaSource | Adjustment:
    if part.data is not None:
        return MediaSource(media_type=_strip_parameters(part.media_type or ""), bytes=b64encode(part.data).decode())
    url = part.url or ""
    if url.startswith("s3://"):
        extension = url.rpartition(".")[2].lower()
        return MediaSource(
            media_type=_strip_parameters(part.media_type or extensions.get(extension, "")),
            s3_location=S3Location(uri=url),
        )
    if (opened := read_data_url(url)) is not None:
        return MediaSource(
            media_type=_strip_parameters(part.media_type or opened[0]), bytes=b64encode(opened[1]).decode()
        )
    return Adjustment(
        parameter=f"messages.{part.type}", reason="it is accepted as bytes or as an s3:// URI, not as another URL"
    )


def _strip_parameters(media_type: str) -> str:
    """Return the media type in lower case, without parameters such as a charset."""
    return media_type.partition(";")[0].strip().lower()


def _name_document(filename: str) -> str:
    """Return a document's name without its extension, in the characters that the vendor accepts."""
    stem = filename.rpartition(".")[0] or filename
    return _INVALID_IN_NAMES.sub(" ", stem).strip()[:180] or "document"


def make_unique_name(name: str, numbers: Mapping[str, int]) -> tuple[str, Mapping[str, int]]:
    """Return the name, with a number if it is a key of `numbers`, and the entries to add to these.

    `numbers` has the names in use, each with the number to try next, so that documents of one name do not try the same ones
    again.

    >>> make_unique_name("a", {}), make_unique_name("a", {"a": 2, "a 2": 2})
    (('a', {'a': 2}), ('a 3', {'a 3': 2, 'a': 4}))
    """
    unique, number = name, numbers.get(name, 2)
    while unique in numbers:
        unique, number = f"{name} {number}", number + 1
    return unique, {unique: 2, name: number}
