"""Message content as parts: text, media by value or URI, assistant turns with signatures, and tool results."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import TypedDict, assert_never

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.gemini.request import Blob, FileData, FunctionCall, FunctionResponse, FunctionResponsePart, Part

from victor_fp.core.conversation import Block, read_call_arguments
from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.json import Json
from victor_fp.core.request_building.data_urls import read_data_url
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, TextPart

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "gif": "image/gif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "mov": "video/mov",
    "webm": "video/webm",
}
"""Media types by file extension, for URLs without a media type, which Vertex AI requires."""


class PartMetadata(TypedDict):
    """The caller's metadata of a part, which Google passes on."""

    filename: str


class FunctionResult(TypedDict, total=False):
    """The keys of a tool result whose meaning Google's document describes; others are possible."""

    output: str
    error: str


def build_content_parts(message: Message, dialect: GeminiDialect) -> list[Part]:
    """Build the content of a user or system message."""
    if isinstance(message.content, str):
        return [Part(text=message.content)]
    return [
        Part(text=part.text) if isinstance(part, TextPart) else _build_media(part, dialect) for part in message.content
    ]


def _build_media(part: ImagePart | AudioPart | FilePart, dialect: GeminiDialect) -> Part:
    filename = part.filename if isinstance(part, FilePart) else None
    labelled = dialect.filename == "displayName"
    label = filename if filename and labelled else UNSET
    metadata = dict(PartMetadata(filename=filename)) if filename and not labelled else UNSET
    data, media_type = part.data, part.media_type
    if part.url is not None and (read := read_data_url(part.url)) is not None:
        media_type, data = media_type or read[0], read[1]
    if data is not None:
        encoded = b64encode(data).decode()
        blob = Blob(mime_type=media_type or "application/octet-stream", data=encoded, display_name=label)
        return Part(inline_data=blob, part_metadata=metadata)
    url = part.url or ""
    named = media_type or MEDIA_TYPES.get(url.partition("?")[0].rpartition(".")[2].lower())
    return Part(file_data=FileData(file_uri=url, mime_type=named or UNSET, display_name=label), part_metadata=metadata)


def build_turn_parts(blocks: Sequence[Block], placeholder_signature: str) -> list[Part]:
    """Build an assistant turn, with each signature on the part it was received with.

    Newer models reject a turn whose first call is unsigned; `placeholder_signature` signs a first call of another model.
    """
    parts = [part for block in blocks if (part := _build_turn_part(block)) is not None]
    calls = [position for position, part in enumerate(parts) if part.function_call is not UNSET]
    if placeholder_signature and calls and all(parts[position].thought_signature is UNSET for position in calls):
        first = calls[0]
        parts[first] = msgspec.structs.replace(parts[first], thought_signature=placeholder_signature)
    return parts


def _build_turn_part(block: Block) -> Part | None:
    state = block.state or {}
    signed = state.get("thoughtSignature")
    signature: str | UnsetType = signed if isinstance(signed, str) else UNSET
    match block.kind:
        case "text" | "refusal" | "reasoning":
            if not block.text and signature is UNSET:
                return None
            thought = True if block.kind == "reasoning" else UNSET
            return Part(text=block.text, thought=thought, thought_signature=signature)
        case "tool_call":
            id_ = state.get("id")
            call = FunctionCall(
                id=id_ if isinstance(id_, str) else UNSET, name=block.name, args=to_arguments(block.arguments)
            )
            return Part(function_call=call, thought_signature=signature)
        case "opaque":
            return _restore_part(state.get("part"))
        case _:
            assert_never(block.kind)


def _restore_part(state: Json) -> Part | None:
    """Restore a part as received from the vendor; None if the state is invalid."""
    try:
        return msgspec.convert(state, Part)
    except msgspec.ValidationError:
        return None


def to_arguments(arguments: dict[str, Json] | str) -> dict[str, Json]:
    """Return arguments as an object; text that is not a JSON object, as in a broken call, is wrapped in one."""
    read = read_call_arguments(arguments)
    return {"arguments": read} if isinstance(read, str) else read


def build_result_part(message: Message, name: str, dialect: GeminiDialect, *, id_given: bool) -> Part:
    """Build a tool result under the keys of Google's document, with its media as parts."""
    result = FunctionResult(error=message.text) if message.is_error else FunctionResult(output=message.text)
    id_ = message.tool_call_id if id_given and message.tool_call_id else UNSET
    given = [] if isinstance(message.content, str) else message.content
    media = [_build_media(part, dialect) for part in given if not isinstance(part, TextPart)]
    parts = [FunctionResponsePart(inline_data=part.inline_data) for part in media if part.inline_data is not UNSET]
    response = FunctionResponse(id=id_, name=name, response=dict(result), parts=parts or UNSET)
    return Part(function_response=response)


def read_media_type(part: ImagePart | AudioPart | FilePart) -> str:
    """Return the media type of a part given by value; empty for one given by URL."""
    if part.data is not None:
        return part.media_type or ""
    read = read_data_url(part.url or "")
    return "" if read is None else part.media_type or read[0]
