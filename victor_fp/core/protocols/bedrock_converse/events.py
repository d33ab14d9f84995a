"""A stream's frames as deltas.

The frame's name says which event its payload is. Only calls are announced; text and reasoning begin with their first
piece. Remembered are the blocks that are open, for the citations of a text and for what means something only when it is
whole: the vendor's own calls, their results, and whatever else goes back as it came.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

import msgspec
from victor_fp_wire.bedrock_converse.response import (
    ContentBlockDelta,
    ContentBlockDeltaEvent,
    ContentBlockStartEvent,
    ContentBlockStopEvent,
    ConverseStreamMetadataEvent,
    MessageStopEvent,
    ReasoningContentBlockDelta,
)

from victor_fp.core.deltas import (
    BlockEnded,
    Delta,
    ErrorReported,
    ReasoningDelta,
    StateReported,
    StreamEnded,
    TextDelta,
    ToolCallArguments,
)
from victor_fp.core.faults import InvalidResponse
from victor_fp.core.framing import Frame
from victor_fp.core.json import Json, NotJson, decode_json, decode_json_object
from victor_fp.core.protocols.bedrock_converse.errors import fault_from_exception, is_exception
from victor_fp.core.protocols.bedrock_converse.response import (
    SERVER_SIDE,
    call_started,
    emit_citations,
    emit_signature,
    emit_stop,
)
from victor_fp.core.protocols.bedrock_converse.usage import emit_usage
from victor_fp.core.requests import Endpoint
from victor_fp.core.wire_decoding import Undecodable, WireDecoder

_START: WireDecoder[ContentBlockStartEvent] = WireDecoder(ContentBlockStartEvent)
_DELTA: WireDecoder[ContentBlockDeltaEvent] = WireDecoder(ContentBlockDeltaEvent)
_STOP: WireDecoder[ContentBlockStopEvent] = WireDecoder(ContentBlockStopEvent)
_MESSAGE_STOP: WireDecoder[MessageStopEvent] = WireDecoder(MessageStopEvent)
_METADATA: WireDecoder[ConverseStreamMetadataEvent] = WireDecoder(ConverseStreamMetadataEvent)


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A block while it grows."""

    spoken: bool = False
    """Some text has come."""
    citations: tuple[dict[str, Json], ...] = ()
    kind: str = ""
    """The field of an opaque block."""
    held: dict[str, Json] = {}
    """What has come of an opaque block."""

    def whole(self) -> list[Delta]:
        """What the block means now that it has ended."""
        if not self.kind:
            return [*emit_citations(self.citations, spoken=self.spoken), BlockEnded()]
        content: Json = self.held
        if self.kind == "toolUse" and isinstance(text := self.held.get("input"), str):
            parsed = decode_json(text) if text.strip() else {}
            content = {**self.held, "input": text if isinstance(parsed, NotJson) else parsed}
        return [StateReported({self.kind: content}, alone=True)]


_UNSAID, _SPOKEN = Open(), Open(spoken=True)


class ConverseEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the frames of one stream."""

    endpoint: Endpoint
    blocks: dict[int | None, Open] = {}
    """Those that have begun and not ended, by index."""
    current: int | None = None
    begun: bool = False
    stopped: bool = False

    def read(self, frames: Sequence[Frame]) -> tuple[ConverseEvents, list[Delta]]:
        """The reader for what follows, and what these frames mean."""
        deltas: list[Delta] = []
        reader = self
        for frame in frames:
            reader = reader._after(frame, deltas)
        return reader, deltas

    def finish(self) -> list[Delta]:
        """Blocks whose end did not come."""
        return [delta for block in self.blocks.values() for delta in block.whole()]

    def _after(self, frame: Frame, deltas: list[Delta]) -> ConverseEvents:
        match frame.event:
            case "contentBlockDelta":
                delta = _DELTA.decode(frame.data)
                if not isinstance(delta, Undecodable):
                    return self._grown(delta, frame, deltas)
                return self._undecodable(delta, deltas)
            case "contentBlockStart":
                start = _START.decode(frame.data)
                if not isinstance(start, Undecodable):
                    return self._started(start, frame, deltas)
                return self._undecodable(start, deltas)
            case "contentBlockStop":
                stop = _STOP.decode(frame.data)
                if not isinstance(stop, Undecodable):
                    return self._ended(stop.content_block_index, deltas)
                return self._undecodable(stop, deltas)
            case "messageStart":
                return msgspec.structs.replace(self, begun=True)
            case "messageStop":
                ending = _MESSAGE_STOP.decode(frame.data)
                if isinstance(ending, Undecodable):
                    return self._undecodable(ending, deltas)
                deltas += [*self.finish(), *emit_stop(ending)]
                return msgspec.structs.replace(self, blocks={}, stopped=True)
            case "metadata":
                metadata = _METADATA.decode(frame.data)
                if isinstance(metadata, Undecodable):
                    return self._undecodable(metadata, deltas)
                # The last event; the service model's order is messageStop, then metadata.
                deltas += [*emit_usage(metadata), *([StreamEnded()] if self.stopped else [])]
                return self
            case name if frame.kind in ("exception", "error") or is_exception(name):
                deltas.append(
                    ErrorReported(fault_from_exception(self.endpoint, name, frame.data, maybe_billed=self.begun))
                )
                return self
            case _:
                return self

    def _undecodable(self, event: Undecodable, deltas: list[Delta]) -> ConverseEvents:
        deltas.append(ErrorReported(InvalidResponse(provider=self.endpoint.spec.name, message=event.reason)))
        return self

    def _started(self, event: ContentBlockStartEvent, frame: Frame, deltas: list[Delta]) -> ConverseEvents:
        index = event.content_block_index
        use = None if event.start is None else event.start.tool_use
        if use is not None and use.type != SERVER_SIDE:
            deltas.append(call_started(use, index or 0))
            return self._holding(index, Open())
        kind, fields = _find_only_field(frame.data, "start")
        return self._holding(index, Open(kind=kind, held=dict(fields)))

    def _grown(self, event: ContentBlockDeltaEvent, frame: Frame, deltas: list[Delta]) -> ConverseEvents:
        index, delta = event.content_block_index, event.delta or ContentBlockDelta()
        block = self.blocks.get(index, _UNSAID)
        if block.kind:
            return self._holding(index, _held_longer(block, frame.data))
        if index != self.current and self.current in self.blocks and not self.blocks[self.current].kind:
            # A block can end without a word.
            deltas.append(BlockEnded())
        if delta.text is not None:
            if delta.text:
                deltas.append(TextDelta(delta.text))
                if not block.spoken:
                    block = _SPOKEN if block is _UNSAID else msgspec.structs.replace(block, spoken=True)
        elif delta.tool_use is not None:
            if delta.tool_use.input:
                deltas.append(ToolCallArguments(index=index or 0, text=delta.tool_use.input))
        elif delta.reasoning_content is not None:
            block = _thought(block, delta.reasoning_content, deltas)
        elif delta.citation is not None:
            block = msgspec.structs.replace(block, citations=(*block.citations, delta.citation))
        return self._holding(index, block)

    def _holding(self, index: int | None, block: Open) -> ConverseEvents:
        if self.blocks.get(index) is block and self.current == index:
            return self
        return msgspec.structs.replace(self, blocks={**self.blocks, index: block}, current=index, begun=True)

    def _ended(self, index: int | None, deltas: list[Delta]) -> ConverseEvents:
        deltas += self.blocks.get(index, _UNSAID).whole()
        left = {place: block for place, block in self.blocks.items() if place != index}
        return msgspec.structs.replace(self, blocks=left)


def _thought(block: Open, thought: ReasoningContentBlockDelta, deltas: list[Delta]) -> Open:
    if thought.redacted_content is not None:
        held: dict[str, Json] = {"redactedContent": thought.redacted_content}
        return msgspec.structs.replace(block, kind="reasoningContent", held=held)
    if thought.text:
        deltas.append(ReasoningDelta(thought.text))
    if thought.signature:
        # The empty delta opens the block where its reasoning is kept from us.
        deltas += [ReasoningDelta(""), *emit_signature(thought.signature)]
    return block


def _find_only_field(payload: bytes, place: str) -> tuple[str, Mapping[str, Json]]:
    """The one field of a union, and its value, where the union's field is not known here."""
    event = decode_json_object(payload)
    union = {} if isinstance(event, NotJson) else event.get(place)
    if not isinstance(union, Mapping):
        return "", {}
    return next(((name, value) for name, value in union.items() if isinstance(value, Mapping)), ("", {}))


def _held_longer(block: Open, payload: bytes) -> Open:
    """An opaque block after one more piece: texts and lists grow, the rest is replaced."""
    event = decode_json_object(payload)
    union = {} if isinstance(event, NotJson) else event.get("delta")
    piece = union.get(block.kind) if isinstance(union, Mapping) else None
    held = dict(block.held)
    if isinstance(piece, list):
        # A result's deltas are lists of what its content will hold.
        piece = {"content": piece}
    for name, value in (piece if isinstance(piece, Mapping) else {}).items():
        match held.get(name), value:
            case str() as before, str() as more:
                held[name] = _joined_blobs(before, more) if name == "redactedContent" else before + more
            case list() as items, list() as others:
                held[name] = [*items, *others]
            case _:
                held[name] = value
    return msgspec.structs.replace(block, held=held)


def _joined_blobs(before: str, more: str) -> str:
    """One base64 text of two."""
    try:
        return b64encode(b64decode(before, validate=True) + b64decode(more, validate=True)).decode()
    except ValueError:
        return before + more
