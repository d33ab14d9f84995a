"""A message's content as parts: text, media by value or by address, an assistant's turn with its signatures, results."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import assert_never
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import UNSET, UnsetType
from victor_fp_wire.gemini.request import Blob, FileData, FunctionCall, FunctionResponse, FunctionResponsePart, Part

from victor_fp.core.dialects.gemini import GeminiDialect
from victor_fp.core.json import Json
from victor_fp.core.request_building.conversation import Block, read_call_arguments
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
"""By the ending of an address, for callers who give no media type; Vertex wants one."""


def build_content_parts(message: Message, dialect: GeminiDialect) -> list[Part]:
    """A user's or system's content."""
    if isinstance(message.content, str):
        return [Part(text=message.content)]
    return [
        Part(text=part.text) if isinstance(part, TextPart) else _build_media(part, dialect) for part in message.content
    ]


def _build_media(part: ImagePart | AudioPart | FilePart, dialect: GeminiDialect) -> Part:
    filename = part.filename if isinstance(part, FilePart) else None
    label: str | UnsetType = UNSET
    metadata: dict[str, Json] | UnsetType = UNSET
    if filename and dialect.filename == "displayName":
        label = filename
    elif filename:
        metadata = {"filename": filename}
    given = part.data, part.media_type
    if part.url is not None and part.url.startswith("data:"):
        given = parse_data_url(part.url)
    data, media_type = given
    if data is not None:
        encoded = b64encode(data).decode()
        blob = Blob(mime_type=media_type or "application/octet-stream", data=encoded, display_name=label)
        return Part(inline_data=blob, part_metadata=metadata)
    url = part.url or ""
    named = media_type or MEDIA_TYPES.get(url.partition("?")[0].rpartition(".")[2].lower())
    return Part(file_data=FileData(file_uri=url, mime_type=named or UNSET, display_name=label), part_metadata=metadata)


def parse_data_url(url: str) -> tuple[bytes | None, str | None]:
    """The bytes of `data:image/png;base64,...` and their type; what is no base64 is percent-encoded text."""
    head, _, rest = url.removeprefix("data:").partition(",")
    media_type, *parameters = head.split(";")
    if "base64" not in parameters:
        return unquote_to_bytes(rest), media_type or "text/plain"
    try:
        return msgspec.convert(rest, bytes), media_type or "text/plain"
    except msgspec.ValidationError:
        return None, None


def build_turn_parts(blocks: Sequence[Block], placeholder_signature: str) -> list[Part]:
    """An assistant's turn, every signature on the part it came with.

    Newer models refuse a turn whose first call is unsigned; `placeholder_signature` signs a first call that another model made.
    """
    parts = [part for block in blocks if (part := _build_turn_part(block)) is not None]
    calls = [place for place, part in enumerate(parts) if part.function_call is not UNSET]
    if placeholder_signature and calls and all(parts[place].thought_signature is UNSET for place in calls):
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
    """A part that came from the vendor and goes back as it was; None where the state was tampered with."""
    try:
        return msgspec.convert(state, Part)
    except msgspec.ValidationError:
        return None


def to_arguments(arguments: dict[str, Json] | str) -> dict[str, Json]:
    """Arguments as the object that the wire wants; text that is none, as a broken call leaves it, inside of one."""
    read = read_call_arguments(arguments)
    return {"arguments": read} if isinstance(read, str) else read


def is_no_object(arguments: object) -> bool:
    """Whether arguments are a text that holds no JSON object.

    >>> is_no_object("{broken"), is_no_object('{"a": 1}'), is_no_object({})
    (True, False, False)
    """
    return isinstance(arguments, str) and isinstance(read_call_arguments(arguments), str)


def build_result_part(message: Message, name: str, dialect: GeminiDialect, *, id_given: bool) -> Part:
    """A tool's result under the keys that Google's document names, with its media beside them."""
    key = "error" if message.is_error else "output"
    id_ = message.tool_call_id if id_given and message.tool_call_id else UNSET
    given = [] if isinstance(message.content, str) else message.content
    media = [_build_media(part, dialect) for part in given if not isinstance(part, TextPart)]
    parts = [FunctionResponsePart(inline_data=part.inline_data) for part in media if part.inline_data is not UNSET]
    response = FunctionResponse(id=id_, name=name, response={key: message.text}, parts=parts or UNSET)
    return Part(function_response=response)


def read_media_type(part: ImagePart | AudioPart | FilePart) -> str:
    """The media type of a part that is given by value; empty for one that is given by address."""
    if part.data is not None:
        return part.media_type or ""
    if part.url is not None and part.url.startswith("data:"):
        data, media_type = parse_data_url(part.url)
        return "" if data is None else part.media_type or media_type or ""
    return ""
