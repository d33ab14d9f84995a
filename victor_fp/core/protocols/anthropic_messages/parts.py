"""Message parts as content blocks."""

from __future__ import annotations

from base64 import b64encode
from typing import TypeAlias, assert_never

import msgspec
from msgspec import UNSET
from victor_fp_wire.anthropic_messages.request import (
    Base64ImageSource,
    Base64PDFSource,
    PlainTextSource,
    RequestDocumentBlock,
    RequestImageBlock,
    RequestTextBlock,
    URLImageSource,
    URLPDFSource,
)

from victor_fp.core.dialects.anthropic import AnthropicDialect
from victor_fp.core.request_building.data_urls import read_data_url
from victor_fp.core.requests import Adjustment
from victor_fp.core.types import AudioPart, FilePart, ImagePart, Message, Part, TextPart

PartBlock: TypeAlias = RequestTextBlock | RequestImageBlock | RequestDocumentBlock
PDF = "application/pdf"
IMAGE_DETAIL = Adjustment(parameter="image.detail", reason="the protocol has no image detail")


class Inline(msgspec.Struct, frozen=True, gc=False):
    """Media sent by value."""

    media_type: str
    base64: str


class PartBlocks(msgspec.Struct, frozen=True, gc=False):
    """The blocks of a message's content."""

    blocks: list[PartBlock]
    unsupported: tuple[Adjustment, ...] = ()
    notes: tuple[Adjustment, ...] = ()


def build_part_blocks(dialect: AnthropicDialect, message: Message) -> PartBlocks:
    """Build the blocks of a message's content, without empty texts, which the vendor rejects."""
    content = message.content
    if isinstance(content, str):
        return PartBlocks([RequestTextBlock(text=content)] if content else [])
    built = [build_block(dialect, part) for part in content]
    has_detail = any(isinstance(part, ImagePart) and part.detail in ("low", "high") for part in content)
    return PartBlocks(
        [block for block in built if block is not None and not isinstance(block, Adjustment)],
        tuple(block for block in built if isinstance(block, Adjustment)),
        (IMAGE_DETAIL,) if has_detail else (),
    )


def build_block(dialect: AnthropicDialect, part: Part) -> PartBlock | Adjustment | None:
    """Build the block of a part; None if it is empty, an Adjustment if it cannot be sent."""
    match part:
        case TextPart(text=text):
            return RequestTextBlock(text=text) if text else None
        case ImagePart():
            return _build_image(dialect, part)
        case FilePart():
            return _build_document(dialect, part)
        case AudioPart():
            return Adjustment(parameter="messages.audio", reason="the protocol does not support audio")
        case _:
            assert_never(part)


def _build_image(dialect: AnthropicDialect, part: ImagePart | FilePart) -> PartBlock | Adjustment:
    inline = _inline(part)
    if inline is not None:
        return RequestImageBlock(source=Base64ImageSource(media_type=inline.media_type, data=inline.base64))
    if not dialect.url_sources:
        return Adjustment(parameter="messages.image", reason="images are accepted as bytes, not by URL")
    return RequestImageBlock(source=URLImageSource(url=part.url or ""))


def _build_document(dialect: AnthropicDialect, part: FilePart) -> PartBlock | Adjustment:
    title = part.filename or UNSET
    inline = _inline(part)
    media_type = (inline.media_type if inline is not None else part.media_type) or PDF
    if media_type.startswith("image/"):
        return _build_image(dialect, part)
    if inline is None:
        if not dialect.url_sources:
            return Adjustment(parameter="messages.file", reason="documents are accepted as bytes, not by URL")
        if media_type != PDF:
            return Adjustment(parameter="messages.file", reason=f"only PDFs are accepted by URL, not {media_type}")
        return RequestDocumentBlock(source=URLPDFSource(url=part.url or ""), title=title)
    if media_type == PDF:
        return RequestDocumentBlock(source=Base64PDFSource(media_type=PDF, data=inline.base64), title=title)
    text = _read_text(part, media_type)
    if text is None:
        return Adjustment(parameter="messages.file", reason=f"documents are PDFs or UTF-8 text, not {media_type}")
    return RequestDocumentBlock(source=PlainTextSource(media_type="text/plain", data=text), title=title)


def _inline(part: ImagePart | FilePart) -> Inline | None:
    """Return the part's bytes in base64; None if it only has a URL."""
    if part.data is not None:
        return Inline(part.media_type or "", b64encode(part.data).decode())
    opened = read_data_url(part.url or "")
    return None if opened is None else Inline(part.media_type or opened[0], b64encode(opened[1]).decode())


def _read_text(part: FilePart, media_type: str) -> str | None:
    """Return the text of a text document, including JSON, XML, YAML and JavaScript; None for other types."""
    textual = media_type.startswith("text/") or media_type.endswith(("json", "xml", "yaml", "javascript"))
    data = part.data if part.data is not None else (read_data_url(part.url or "") or ("", b""))[1]
    try:
        return data.decode() if textual else None
    except UnicodeDecodeError:
        return None
