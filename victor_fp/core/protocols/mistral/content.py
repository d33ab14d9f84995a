"""Content of messages and deltas: text, thinking and other chunks."""

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
from victor_fp.core.protocols.openai_family.completions import to_plain
from victor_fp.core.protocols.openai_family.tool_calls import Fragment

PIECES = "pieces"
"""Key in a block's state of its chunks that are not text, which are sent back at their position."""
SIGNATURE = "signature"
NO_ID = "null"
"""The vendor's document: the id of a call without one."""


def emit_content(content: ResponseContent | None) -> list[Delta]:
    """Emit content, which is text or a list of chunks."""
    if not content:
        return []
    if isinstance(content, str):
        return [TextDelta(content)]
    return [delta for chunk in content for delta in _emit_piece(chunk)]


def read_fragment(call: ToolCall) -> Fragment:
    """Read a tool call, whose arguments are JSON text or an object."""
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
    """Emit a chunk that is not text, as metadata and as state to send back at its position."""
    return [StateReported({PIECES: [piece]}, alone=True), MetadataReported(metadata={note: [piece]})]


def _emit_thought(chunk: ThinkChunk) -> list[Delta]:
    """Emit thinking and its references, which are sent back with it. A signature ends the block."""
    thinking = chunk.thinking or ()
    pieces = [TextChunk(text=thinking)] if isinstance(thinking, str) else thinking
    text = "".join(piece.text or "" for piece in pieces if isinstance(piece, TextChunk))
    references: list[Json] = [_describe_references(piece) for piece in pieces if not isinstance(piece, TextChunk)]
    if not text and not references and not chunk.signature:
        return []
    deltas: list[Delta] = [ReasoningDelta(text)]
    if references:
        deltas += [StateReported({PIECES: references}), MetadataReported(metadata={"citations": references})]
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
    """Return a chunk as received."""
    return to_plain(msgspec.to_builtins(chunk))
