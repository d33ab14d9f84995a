"""Attachments of a prompt: images, PDF documents and audio, by path or URL."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from returns.result import Failure, Result, Success

from victor_fp.cli.exit_codes import CommandError, ExitCode, build_usage_error
from victor_fp.core.faults import InvalidRequest
from victor_fp.core.result import collect
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Part

_IMAGES = ((b"\x89PNG\r\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"))
_AUDIO = ((b"ID3", "audio/mpeg"), (b"\xff\xfb", "audio/mpeg"), (b"\xff\xf3", "audio/mpeg"), (b"\xff\xf2", "audio/mpeg"),
          (b"fLaC", "audio/flac"), (b"OggS", "audio/ogg"))  # fmt: skip
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_MP4_AUDIO = (b"M4A ", b"M4B ")
_ALIASES = {
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/mp3": "audio/mpeg",
    "audio/x-flac": "audio/flac",
    "audio/mp4a-latm": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
}
"""System-specific names of media types, and those that are sent."""
KINDS = "images, PDF and audio"


def read_images(locations: Sequence[str]) -> Result[list[ImagePart], CommandError]:
    """Read images by path or URL."""
    return collect(map(_read_image, locations))


def read_attachments(locations: Sequence[str]) -> Result[list[Part], CommandError]:
    """Read images, PDF documents and audio by path or URL."""
    return collect(map(read_attachment, locations))


def read_attachment(location: str) -> Result[Part, CommandError]:
    """Read an attachment. Its type is detected from its first bytes, else from its name; other types are rejected."""
    if _is_url(location):
        kind = _guess_type(urlsplit(location).path) or _read_data_url_type(location)
        return _make_part(location, kind, url=location)
    match _read_file(location):
        case CommandError() as error:
            return Failure(error)
        case bytes() as data:
            kind = detect_media_type(data) or _guess_type(location)
            return _make_part(location, kind, data=data, filename=Path(location).name)
        case never:
            assert_never(never)


def detect_media_type(data: bytes) -> str | None:
    """Return the media type of an image, a PDF or audio by its first bytes.

    >>> detect_media_type(b"%PDF-1.7"), detect_media_type(b"RIFF....WAVEfmt "), detect_media_type(b"hello")
    ('application/pdf', 'audio/wav', None)
    """
    if data.startswith(b"%PDF-"):
        return "application/pdf"
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return "audio/mp4" if data[8:12] in _MP4_AUDIO else None
    return next((kind for magic, kind in (*_IMAGES, *_AUDIO) if data.startswith(magic)), None)


def describe_part(part: Part) -> str:
    """Return a short description of an attachment, for notes and transcripts."""
    if part.type == "text":
        return part.text
    if part.url is not None:
        return f"{part.type} {'data URL' if part.url.startswith('data:') else part.url}"
    size = f"{len(part.data or b'') / 1000:.1f} kB"
    named = f" {part.filename}" if part.type == "file" and part.filename else ""
    return f"{part.type}{named} ({part.media_type}, {size})"


def _read_image(location: str) -> Result[ImagePart, CommandError]:
    if _is_url(location):
        return Success(ImagePart(url=location))
    match _read_file(location, "image "):
        case CommandError() as error:
            return Failure(error)
        case bytes() as data:
            kind = detect_media_type(data) or _guess_type(location)
        case never:
            assert_never(never)
    if not kind.startswith("image/"):
        return Failure(
            build_usage_error(f"{location} is not an image", "neither its content nor its name indicates an image")
        )
    return Success(ImagePart(data=data, media_type=kind))


def _make_part(
    location: str, kind: str, *, url: str | None = None, data: bytes | None = None, filename: str | None = None
) -> Result[Part, CommandError]:
    known = kind or None
    if kind.startswith("image/"):
        return Success(ImagePart(url=url, data=data, media_type=known))
    if kind.startswith("audio/"):
        return Success(AudioPart(url=url, data=data, media_type=known))
    if kind == "application/pdf":
        return Success(FilePart(url=url, data=data, media_type=known, filename=filename))
    shown = "data URL" if location.startswith("data:") else location
    why = f"its type is {kind}" if kind else "its type is not recognised by content or name"
    return Failure(
        CommandError(
            code=ExitCode.USAGE,
            what=f"{shown} cannot be attached",
            why=f"{why}; supported: {KINDS}",
            todo="Text is read from standard input: victor chat PROMPT < FILE",
            fault=InvalidRequest(message=f"attachment {shown}: {why}; supported: {KINDS}"),
        )
    )


def _read_file(location: str, noun: str = "") -> bytes | CommandError:
    try:
        return Path(location).expanduser().read_bytes()
    except OSError as error:
        return build_usage_error(f"{noun}{location} cannot be read", error.strerror or type(error).__name__)


def _is_url(location: str) -> bool:
    return location.startswith(("http://", "https://", "data:"))


def _guess_type(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or ""
    return _ALIASES.get(kind, kind)


def _read_data_url_type(location: str) -> str:
    head = location[5:].partition(",")[0] if location.startswith("data:") else ""
    return head.partition(";")[0]
