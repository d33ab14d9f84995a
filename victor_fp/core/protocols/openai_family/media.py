"""Audio format names and file names of media parts."""

from __future__ import annotations

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


def name_audio_format(part: AudioPart) -> str:
    """Return the vendors' name of an audio part's format."""
    media_type = part.media_type or "audio/wav"
    return AUDIO_FORMATS.get(media_type, media_type.partition("/")[2])


def name_file(part: FilePart) -> str:
    """Return the name of a file: its filename, or one made from its media type."""
    media_type = part.media_type or "application/pdf"
    return part.filename or f"file.{EXTENSIONS.get(media_type, media_type.partition('/')[2])}"
