"""Data URLs, audio format names and file names of media parts."""

from __future__ import annotations

from base64 import b64encode

from victor_fp.core.types import AudioPart, FilePart

AUDIO_FORMATS = {
    "audio/mpeg": "mp3",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/x-flac": "flac",
}
"""Format names of media types whose subtype is a different name."""
EXTENSIONS = {"text/plain": "txt", "text/markdown": "md"}
"""Extensions of media types whose subtype is not one."""


def build_data_url(data: bytes, media_type: str) -> str:
    """Build a data URL (RFC 2397).

    >>> build_data_url(b"hi", "text/plain")
    'data:text/plain;base64,aGk='
    """
    return f"data:{media_type};base64,{b64encode(data).decode('ascii')}"


def name_audio_format(part: AudioPart) -> str:
    """Return the vendors' name of an audio part's format."""
    media_type = part.media_type or "audio/wav"
    return AUDIO_FORMATS.get(media_type, media_type.partition("/")[2])


def name_file(part: FilePart) -> str:
    """Return the name of a file: its filename, or one made from its media type."""
    media_type = part.media_type or "application/pdf"
    return part.filename or f"file.{EXTENSIONS.get(media_type, media_type.partition('/')[2])}"
