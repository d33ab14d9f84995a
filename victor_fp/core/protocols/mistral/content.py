"""Text, thoughts and other pieces of a message's content, whole or in a delta."""

from __future__ import annotations

from typing import assert_never

import msgspec
from victor_fp_wire.mistral.response import (
    AudioChunk,
    ContentChunk,
    DocumentUrlChunk,
    FileChunk,
    ImageUrlChunk,
    ReferenceChunk,
    ResponseContent,
    TextChunk,
    ThinkChunk,
    ThoughtChunk,
    ToolCall,
    ToolReferenceChunk,
    UnknownType,
)

from victor_fp.core.deltas import BlockEnded, Delta, MetadataReported, ReasoningDelta, StateReported, TextDelta
from victor_fp.core.json import Json
from victor_fp.core.protocols.openai_family.tool_calls import Fragment
from victor_fp.core.protocols.openai_family.usage import to_plain

PIECES = "pieces"
"""Where the state of a block keeps what of it is no text, to go back in its place."""
SIGNATURE = "signature"
NO_ID = "null"
"""The vendor's document: what stands for the id of a call that has none."""


def emit_content(content: ResponseContent | None) -> list[Delta]:
    """Content as text, or as a list of pieces."""
    if not content:
        return []
    if isinstance(content, str):
        return [TextDelta(content)]
    return [delta for chunk in content for delta in _emit_piece(chunk)]


def read_fragment(call: ToolCall) -> Fragment:
    """A tool call of the wire, whose arguments are JSON text or the object itself."""
    id_ = "" if call.id in (None, NO_ID) else call.id or ""
    function = call.function
    if function is None:
        return Fragment(index=call.index, id=id_)
    return Fragment(index=call.index, id=id_, name=function.name or "", arguments=function.arguments)


def _emit_piece(chunk: ContentChunk) -> list[Delta]:
    match chunk:
        case TextChunk(text=text):
            return [TextDelta(text)] if text else []
        case ThinkChunk():
            return _emit_thought(chunk)
        case ReferenceChunk(reference_ids=ids):
            return _emit_lone_piece("citations", _to_plain(chunk)) if ids else []
        case ImageUrlChunk() | DocumentUrlChunk() | FileChunk() | AudioChunk():
            return _emit_lone_piece("attachments", _to_plain(chunk))
        case UnknownType(raw=raw):
            text = raw.get("text")
            return [TextDelta(text)] if text and isinstance(text, str) else _emit_lone_piece("attachments", raw)
        case _:
            assert_never(chunk)


def _emit_lone_piece(note: str, piece: dict[str, Json]) -> list[Delta]:
    """A piece that stands between texts: in the metadata, and in its place on the next turn."""
    return [StateReported({PIECES: [piece]}, alone=True), MetadataReported(metadata={note: [piece]})]


def _emit_thought(chunk: ThinkChunk) -> list[Delta]:
    """Thinking, and what it refers to, which goes back with it. A signature closes it."""
    thinking = chunk.thinking or ()
    pieces = [TextChunk(text=thinking)] if isinstance(thinking, str) else thinking
    text = "".join(piece.text or "" for piece in pieces if isinstance(piece, TextChunk))
    beside: list[Json] = [_describe_references(piece) for piece in pieces if not isinstance(piece, TextChunk)]
    if not text and not beside and not chunk.signature:
        return []
    deltas: list[Delta] = [ReasoningDelta(text)]
    if beside:
        deltas += [StateReported({PIECES: beside}), MetadataReported(metadata={"citations": beside})]
    if chunk.signature:
        deltas += [StateReported({SIGNATURE: chunk.signature}), BlockEnded()]
    return deltas


def _describe_references(piece: ThoughtChunk) -> dict[str, Json]:
    match piece:
        case UnknownType(raw=raw):
            return raw
        case TextChunk() | ReferenceChunk() | ToolReferenceChunk():
            return _to_plain(piece)
        case _:
            assert_never(piece)


def _to_plain(chunk: msgspec.Struct) -> dict[str, Json]:
    """A chunk as it came."""
    return to_plain(msgspec.to_builtins(chunk))
